/* SPDX-License-Identifier: BSD-3-Clause */
/* The receivers that a sender with --repair knows at its end, as text and as JSON. */
#include <inttypes.h>
#include <stdio.h>

#include "app/cmd_send_repair.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/units.h"

#define MAX_LINES 20

static const char *state_of(const struct pw_repair_receiver *r)
{
	return r->is_complete ? "whole" : r->has_left ? "left" : "partial";
}

/* As the receiver said last: by its manifest, or by its report if it has sent none. */
static uint64_t missing_of(const struct pw_repair_receiver *r)
{
	const struct pw_repair_report *report = &r->report;

	if (r->is_complete || r->rounds)
		return r->missing_bytes;
	return report->bytes - pw_min_u64(report->bytes, report->bytes_have);
}

/* Until it was complete, or was heard of last. */
static double seconds_of(const struct pw_send_repair_run *run, const struct pw_repair_receiver *r)
{
	const uint64_t end = r->is_complete ? r->complete_ns : r->heard_ns;

	return (double)(end - pw_min_u64(end, run->start_ns)) / 1e9;
}

const char *pw_send_repair_bound_name(enum pw_rate_bound bound)
{
	static const char *const names[] = {
		[PW_RATE_BOUND_NONE] = "none",
		[PW_RATE_BOUND_SENDER] = "sender",
		[PW_RATE_BOUND_LINK] = "link",
		[PW_RATE_BOUND_SOCKET] = "socket buffer",
		[PW_RATE_BOUND_RING] = "ring",
		[PW_RATE_BOUND_DISK] = "disk",
	};

	return names[bound];
}

/* The address of the receiver that bounds the rate. */
static const char *bound_from(
	const struct pw_send_repair_run *run, const struct pw_ratectl_state *st, char from[64])
{
	return pw_host_key_format(from, 64,
		run->server ? pw_repair_server_from(run->server, st->receiver) : run->bound_from);
}

const char *pw_send_repair_bound(const struct pw_send_repair_run *run,
	const struct pw_ratectl_state *st, char *buf, size_t len)
{
	char from[64];

	if (st->bound == PW_RATE_BOUND_NONE)
		snprintf(buf, len, "%s", "");
	else if (st->bound == PW_RATE_BOUND_SENDER)
		snprintf(buf, len, ", bound by the sender");
	else if (st->bound == PW_RATE_BOUND_LINK)
		snprintf(buf, len, ", bound by the link to %s", bound_from(run, st, from));
	else
		snprintf(buf, len, ", bound by receiver %s's %s", bound_from(run, st, from),
			pw_send_repair_bound_name(st->bound));
	return buf;
}

const char *pw_send_repair_rate(struct pw_send_repair_run *run, char *buf, size_t len)
{
	struct pw_ratectl_state st;
	char bound[128], bps[32];

	if (!run->rate)
		return NULL;
	pw_send_repair_rate_state(run, &st);
	snprintf(buf, len, "rate %s%s", pw_units_bitrate(bps, sizeof(bps), st.bps),
		pw_send_repair_bound(run, &st, bound, sizeof(bound)));
	return buf;
}

static void print_rate(struct pw_send_repair_run *run)
{
	char bound[128], bps[32], low[32], high[32];
	struct pw_ratectl_state st;

	pw_send_repair_rate_state(run, &st);
	printf("rate: %s at the end", pw_units_bitrate(bps, sizeof(bps), st.bps));
	if (st.lowest_bps > 0)
		printf(", %s to %s when it was found",
			pw_units_bitrate(low, sizeof(low), st.lowest_bps),
			pw_units_bitrate(high, sizeof(high), st.highest_bps));
	printf("%s; the slowest receiver lost %.3f %%\n",
		pw_send_repair_bound(run, &st, bound, sizeof(bound)), 100 * st.loss);
}

static json_t *rate_json(struct pw_send_repair_run *run)
{
	struct pw_ratectl_state st;
	char from[64];

	pw_send_repair_rate_state(run, &st);
	return json_pack("{s:f, s:f, s:f, s:f, s:I, s:s, s:s*}", "bps", st.bps, "lowest_bps",
		st.lowest_bps, "highest_bps", st.highest_bps, "loss", st.loss, "steps_back",
		(json_int_t)st.n_backs, "bound", pw_send_repair_bound_name(st.bound), "receiver",
		st.bound > PW_RATE_BOUND_SENDER ? bound_from(run, &st, from) : NULL);
}

void pw_send_repair_human(struct pw_send_repair_run *run)
{
	char size[32], from[64];
	size_t i;

	printf("repair: %zu of %zu receivers have every file, verified; %" PRIu64
	       " round%s, %s sent again\n",
		run->n_whole, run->n_receivers + run->n_unheard, run->rounds,
		run->rounds == 1 ? "" : "s",
		pw_units_size(size, sizeof(size), run->job->result.repair_bytes));
	if (run->rate)
		print_rate(run);
	if (run->n_receivers == 0)
		puts("no receiver has reported: start them first, with --repair, where they reach "
		     "the address of --repair");
	else if (run->n_unheard)
		printf("%zu of --repair-receivers %" PRIu64 " did not report\n", run->n_unheard,
			run->opt->n_expected);
	for (i = 0; i < run->n_receivers && i < MAX_LINES; i++) {
		const struct pw_repair_receiver *r = &run->receivers[i];

		printf("%-8s %s (%s)  %" PRIu64 " bytes missing, %" PRIu64 " round%s, %.3f s\n",
			state_of(r), pw_host_key_format(from, sizeof(from), r->from),
			r->report.name[0] ? r->report.name : "?", missing_of(r), r->rounds,
			r->rounds == 1 ? "" : "s", seconds_of(run, r));
	}
	if (run->n_receivers > MAX_LINES)
		printf("... and %zu more\n", run->n_receivers - MAX_LINES);
}

json_t *pw_send_repair_json(struct pw_send_repair_run *run)
{
	const struct pw_send_result *res = &run->job->result;
	json_t *list = json_array();
	char from[64], id[32];
	size_t i;

	for (i = 0; i < run->n_receivers; i++) {
		const struct pw_repair_receiver *r = &run->receivers[i];

		snprintf(id, sizeof(id), "%016" PRIx64, r->report.id);
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:f}", "receiver", id,
				      "address", pw_host_key_format(from, sizeof(from), r->from),
				      "name", r->report.name, "state", state_of(r), "missing_bytes",
				      (json_int_t)missing_of(r), "rounds", (json_int_t)r->rounds,
				      "seconds", seconds_of(run, r)));
	}
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:o*}", "rounds", (json_int_t)run->rounds,
		"bytes", (json_int_t)res->repair_bytes, "whole", (json_int_t)run->n_whole,
		"expected", (json_int_t)run->opt->n_expected, "refused_messages",
		(json_int_t)run->n_refused, "receivers", list, "rate",
		run->rate ? rate_json(run) : NULL);
}
