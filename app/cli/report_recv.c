/* SPDX-License-Identifier: BSD-3-Clause */
/* The result of `pagewire recv`: as text for people, or as JSON (docs/json.md). */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "app/cmd_recv.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/json_text.h"

#define MAX_LINES 20 /* of files, in the text */

struct figures {
	uint64_t bytes;
	double seconds;
	double goodput_bps;
	double loss; /* negative: unknown */
	struct pw_recv_status st;
	struct pw_recv_counters c;
};

static struct figures figures_of(const struct pw_recv_run *run)
{
	struct figures f = {.loss = -1.0};

	pw_recv_counters(run->recv, &f.c);
	f.bytes = f.c.payload_bytes;
	pw_recv_status(run->recv, &f.st);
	f.seconds = (double)(run->t.last_ns - run->t.first_ns) / 1e9;
	if (f.seconds > 0.0)
		f.goodput_bps = (double)f.bytes * 8.0 / f.seconds;
	if (f.st.symbols_expected)
		f.loss = 1.0 - (double)f.st.symbols_seen / (double)f.st.symbols_expected;
	return f;
}

/* A single packet takes no time: it has no rate. */
static void print_totals(const struct figures *f, const struct pw_recv_fetched *fetched)
{
	char size[32], time[32], rate[32];

	pw_units_size(size, sizeof(size), f->bytes);
	pw_units_duration(time, sizeof(time), (uint64_t)(f->seconds * 1e9));
	pw_units_bitrate(rate, sizeof(rate), f->goodput_bps);
	printf("received %" PRIu64 " of %" PRIu64 " files", f->st.n_good,
		f->st.n_files + f->st.n_never_named);
	if (f->st.n_unverified)
		printf(" (%" PRIu64 " unverified)", f->st.n_unverified);
	printf(", %s, %" PRIu64 " packets in %s", size, f->c.packets, time);
	if (f->seconds > 0.0)
		printf(": goodput %s", rate);
	if (f->loss >= 0.0)
		printf("%s loss on the path %.2f %%", f->seconds > 0.0 ? "," : ":",
			f->loss * 100.0);
	if (f->c.restored)
		printf(", %" PRIu64 " symbols restored from parity", f->c.restored);
	putchar('\n');
	if (fetched->c.requests) {
		pw_units_size(size, sizeof(size), fetched->bytes);
		printf("repaired by the web server: %s in %" PRIu64 " requests", size,
			fetched->c.requests);
		if (fetched->n_failed)
			printf(", %" PRIu64 " failed", fetched->n_failed);
		putchar('\n');
	}
	if (f->st.bytes_have < f->st.bytes_total)
		printf("missing at the end: %" PRIu64 " bytes\n",
			f->st.bytes_total - f->st.bytes_have);
	if (f->c.fdt_unsigned + f->c.fdt_forged + f->c.fdt_stale + f->c.fdt_expired)
		printf("file tables that --trust refused: %" PRIu64 " unsigned, %" PRIu64
		       " by other keys or changed, %" PRIu64 " of replayed sessions, %" PRIu64
		       " expired\n",
			f->c.fdt_unsigned, f->c.fdt_forged, f->c.fdt_stale, f->c.fdt_expired);
	if (f->st.n_never_named)
		printf("at least %" PRIu64 " files were never named: their tables were lost\n",
			f->st.n_never_named);
}

static void print_file(const struct pw_recv_file_info *i)
{
	const char *reason = i->reason ? i->reason : "no reason is known";
	const char *name = *i->name ? i->name : "(no name)";
	char len[32], digest[PW_DIGEST_TEXT_MAX];

	pw_units_size(len, sizeof(len), i->len_bytes);
	switch (i->state) {
	case PW_RECV_COMPLETE:
		printf("ok  %s  %s  %s\n", name, len,
			pw_digest_format(digest, sizeof(digest), &i->digest));
		break;
	case PW_RECV_UNVERIFIED:
		printf("unverified  %s  %s: the sender named no digest\n", name, len);
		break;
	case PW_RECV_MISMATCH:
		printf("bad  %s  %s: %s\n", name, len, reason);
		break;
	case PW_RECV_REFUSED:
		printf("refused  %s: %s\n", name, reason);
		break;
	case PW_RECV_SUPERSEDED:
		printf("superseded  %s  %s: %s\n", name, len, reason);
		break;
	case PW_RECV_KNOWN:
	case PW_RECV_PARTIAL:
	case PW_RECV_VERIFYING:
		if (i->reason && i->have_bytes == i->len_bytes)
			printf("part  %s  %s: %s\n", name, len, reason);
		else
			printf("part  %s  %s: %" PRIu64 " bytes missing\n", name, len,
				i->len_bytes - i->have_bytes);
		break;
	}
}

/* Files that are not good come first: among thousands of files the user looks for them. */
static void print_files(struct pw_recv *recv)
{
	size_t n = pw_recv_n_files(recv), left = n < MAX_LINES ? n : MAX_LINES;

	for (int good = 0; good < 2; good++) {
		for (size_t i = 0; i < n && left; i++) {
			struct pw_recv_file_info info;
			bool is_good;

			pw_recv_file(recv, i, &info);
			is_good = pw_recv_state_is_good(info.state);
			if (is_good != (good == 1))
				continue;
			print_file(&info);
			left--;
		}
	}
	if (n > MAX_LINES)
		printf("... and %zu more\n", n - MAX_LINES);
}

static void print_option(const char *name, const char *value)
{
	if (!value)
		return;
	printf(" --%s ", name);
	pw_cli_print_word(stdout, value);
}

static void print_repair(const struct pw_recv_run *run, const char *gaps, bool names_lost)
{
	const struct pw_recv_options *o = run->opt;

	fputs("missing ranges: ", stdout);
	pw_cli_print_word(stdout, gaps);
	fputs("\nto repair, start the receiver first, then send with a copy of that manifest:\n"
	      "  pagewire recv",
		stdout);
	print_option("port", o->port.port);
	print_option("listen", o->listen);
	print_option("interface", o->udp.interface);
	print_option("out", o->set.out_dir);
	print_option("gaps", o->set.gaps_path);
	print_option("trust", o->trust);
	if (o->port.port && o->port.mtu != 1500)
		printf(" --mtu %" PRIu32, o->port.mtu);
	printf("%s --resume\n  pagewire send FILE... --port PORT --to %s --gaps ",
		o->port.no_huge ? " --no-huge" : "", o->listen ? o->listen : "ADDR:PORT");
	pw_cli_print_word(stdout, gaps);
	fputs(names_lost ? "\nFILE... must be all files of the session: some were never named\n"
			 : "\n",
		stdout);
}

static void print_text(const struct pw_recv_run *run)
{
	const struct figures f = figures_of(run);
	const char *gaps = pw_recv_gaps_written(run->recv);

	print_files(run->recv);
	if (run->end == PW_RECV_END_INTERRUPTED)
		printf("interrupted by %s\n", pw_stop_signal() == SIGTERM  ? "SIGTERM"
					      : pw_stop_signal() == SIGHUP ? "SIGHUP"
									   : "SIGINT");
	print_totals(&f, &run->fetched);
	if (run->opt->set.not_durable)
		puts("--durable no: the files may not be on the disk yet");
	if (gaps)
		print_repair(run, gaps, f.st.n_never_named != 0);
}

static json_t *json_file(const struct pw_recv_file_info *i)
{
	static const char key[] = "digest";
	char digest[96];
	json_t *o = json_pack("{s:o, s:I, s:s, s:I, s:I}", "name", pw_json_text(i->name), "tsi",
		(json_int_t)i->tsi, "state", pw_recv_file_state_name(i->state), "bytes",
		(json_int_t)i->len_bytes, "have", (json_int_t)i->have_bytes);

	if (i->digest.kind == PW_DIGEST_NONE)
		json_object_set_new(o, key, json_null());
	else
		json_object_set_new(
			o, key, json_string(pw_digest_format(digest, sizeof(digest), &i->digest)));
	if (i->reason)
		json_object_set_new(o, "reason", pw_json_text(i->reason));
	return o;
}

static json_t *json_counters(const struct pw_recv_counters *c)
{
	const struct {
		const char *name;
		uint64_t n;
	} counts[] = {
		{"packets", c->packets},
		{"payload_bytes", c->payload_bytes},
		{"symbols", c->symbols},
		{"duplicates", c->duplicates},
		{"parity", c->parity},
		{"parity_dropped", c->parity_dropped},
		{"restored", c->restored},
		{"strangers", c->strangers},
		{"unknown_toi", c->unknown_toi},
		{"finished_toi", c->finished_toi},
		{"malformed", c->malformed},
		{"out_of_object", c->out_of_object},
		{"fdt_packets", c->fdt_packets},
		{"fdt_bad", c->fdt_bad},
		{"fdt_dropped", c->fdt_dropped},
		{"fdt_conflicts", c->fdt_conflicts},
		{"fdt_unsigned", c->fdt_unsigned},
		{"fdt_forged", c->fdt_forged},
		{"fdt_stale", c->fdt_stale},
		{"fdt_expired", c->fdt_expired},
		{"waited", c->waited},
		{"wait_dropped", c->wait_dropped},
	};
	json_t *verdicts = json_object(), *o = json_object();

	for (int v = PW_ALC_OK; v < PW_ALC_N_VERDICTS; v++)
		json_object_set_new(verdicts, pw_alc_verdict_name((enum pw_alc_verdict)v),
			json_integer((json_int_t)c->alc_verdicts[v]));
	for (size_t i = 0; i < PW_ARRAY_LEN(counts); i++)
		json_object_set_new(o, counts[i].name, json_integer((json_int_t)counts[i].n));
	json_object_set_new(o, "alc_verdicts", verdicts);
	return o;
}

static json_t *json_port_counters(const struct pw_recv_run *run)
{
	const struct pw_rx_ops *ops = run->path.ops;
	const struct pw_rx_counters none = {0}, *c = ops ? ops->counters(run->path.path) : &none;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "packets",
		(json_int_t)c->packets, "bytes", (json_int_t)c->bytes, "foreign",
		(json_int_t)c->foreign, "malformed", (json_int_t)c->malformed, "missed",
		(json_int_t)c->missed, "too_long", (json_int_t)c->too_long, "bad_checksum",
		(json_int_t)c->bad_checksum, "partial_checksum", (json_int_t)c->partial_checksum);
}

static json_t *json_queue_packets(const struct pw_recv_run *run)
{
	const struct pw_rx_ops *ops = run->path.ops;
	json_t *list = json_array();
	struct pw_rx_counters c;
	uint32_t i;

	if (!ops)
		return list;
	for (i = 0; run->opt->set.n_lanes > 1 && i < run->opt->set.n_lanes; i++) {
		ops->lane_counters(ops->lane(run->path.path, (uint16_t)i), &c);
		json_array_append_new(list, json_integer((json_int_t)c.packets));
	}
	if (run->opt->set.n_lanes == 1)
		json_array_append_new(
			list, json_integer((json_int_t)ops->counters(run->path.path)->packets));
	return list;
}

static json_t *json_fetched(const struct pw_recv_run *run)
{
	const struct pw_recv_fetched *f = &run->fetched;

	if (!f->tried)
		return json_null();
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "url", run->opt->repair, "bytes",
		(json_int_t)f->bytes, "requests", (json_int_t)f->c.requests, "ranges",
		(json_int_t)f->c.ranges, "transferred", (json_int_t)f->c.bytes, "whole_files",
		(json_int_t)f->c.whole, "failed", (json_int_t)f->n_failed);
}

static json_t *json_ignored(struct pw_recv *recv)
{
	struct pw_recv_ignored list[16];
	const size_t n = pw_recv_ignored(recv, list, PW_ARRAY_LEN(list));
	json_t *a = json_array();
	char from[64];

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a,
			json_pack("{s:s, s:I, s:I}", "source",
				pw_host_key_format(from, sizeof(from), list[i].from), "tsi",
				(json_int_t)list[i].tsi, "packets", (json_int_t)list[i].packets));
	return a;
}

static void print_json(const struct pw_recv_run *run, int exit_code)
{
	const struct figures f = figures_of(run);
	const struct pw_recv_counters *c = &f.c;
	json_t *files = json_array(), *o = pw_cli_json_result("pagewire.recv/1", exit_code);
	size_t n = pw_recv_n_files(run->recv);

	for (size_t i = 0; i < n; i++) {
		struct pw_recv_file_info info;

		pw_recv_file(run->recv, i, &info);
		json_array_append_new(files, json_file(&info));
	}
	json_object_set_new(o, "files_known", json_integer((json_int_t)f.st.n_files));
	json_object_set_new(o, "files_good", json_integer((json_int_t)f.st.n_good));
	json_object_set_new(o, "files_unverified", json_integer((json_int_t)f.st.n_unverified));
	json_object_set_new(o, "files_never_named", json_integer((json_int_t)f.st.n_never_named));
	json_object_set_new(o, "files", files);
	json_object_set_new(
		o, "bytes_missing", json_integer((json_int_t)(f.st.bytes_total - f.st.bytes_have)));
	json_object_set_new(o, "sessions", json_integer((json_int_t)f.st.n_sessions));
	json_object_set_new(o, "stripes", json_integer((json_int_t)f.st.n_stripes));
	json_object_set_new(o, "stripes_closed", json_integer((json_int_t)f.st.n_stripes_closed));
	json_object_set_new(o, "ignored", json_ignored(run->recv));
	json_object_set_new(o, "durable", json_boolean(!run->opt->set.not_durable));
	json_object_set_new(o, "bytes", json_integer((json_int_t)f.bytes));
	json_object_set_new(o, "packets", json_integer((json_int_t)c->packets));
	json_object_set_new(o, "seconds", json_real(f.seconds));
	json_object_set_new(o, "verified_seconds",
		run->t.done_ns && run->t.first_ns
			? json_real((double)(run->t.done_ns - run->t.first_ns) / 1e9)
			: json_null());
	json_object_set_new(o, "goodput_bps", json_real(f.goodput_bps));
	json_object_set_new(o, "loss", f.loss < 0.0 ? json_null() : json_real(f.loss));
	json_object_set_new(o, "counters", json_counters(c));
	json_object_set_new(o, "port_counters", json_port_counters(run));
	json_object_set_new(o, "queue_packets", json_queue_packets(run));
	json_object_set_new(o, "gaps", pw_json_text(pw_recv_gaps_written(run->recv)));
	json_object_set_new(o, "repair", json_fetched(run));
	json_object_set_new(o, "path", json_string(run->path.ops ? run->path.name : "none"));
	json_object_set_new(o, "ended", json_string(pw_recv_end_name(run->end)));
	json_object_set_new(o, "interrupted", json_boolean(run->end == PW_RECV_END_INTERRUPTED));
	pw_cli_print_json(o);
}

void pw_recv_report(const struct pw_recv_run *run, int exit_code)
{
	if (run->opt->output.json)
		print_json(run, exit_code);
	else
		print_text(run);
}
