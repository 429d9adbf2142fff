/* SPDX-License-Identifier: BSD-3-Clause */
/* Prints the plan and the result of `pagewire replay`, as text and as JSON. */
#include "app/cli/report_replay.h"

#include <inttypes.h>
#include <stdio.h>

#include "app/cli/cli.h"
#include "base/units.h"

#define LATE_RUN 64 /* so many late frames in a row get a line */

static const char *const timings[] = {
	[PW_TIMING_CAPTURE] = "capture", [PW_TIMING_RATE] = "rate", [PW_TIMING_TOP] = "top-speed"};

static const char *const port_names[PW_REPLAY_PORTS_MAX] = {" of clients", " of servers"};

/* Copies of a byte by the CPU before the driver has it. */
static double copies(const struct pw_replayjob *job)
{
	const uint64_t bytes = job->counters.payload_bytes;
	const struct pw_replay_ring_counts *ring = &job->result.ring;
	const uint64_t copied = job->counters.cpu_copied_bytes + ring->seam_bytes;

	return job->win.cpu_copies + ring->copies + (bytes ? (double)copied / (double)bytes : 0.0);
}

void pw_replay_report_plan(const struct pw_replayjob *job)
{
	char size[32];
	uint32_t i;

	for (i = 0; i < job->n_ports; i++)
		printf("port%s: %s (%s, %s, MTU %" PRIu32 ")\n",
			job->n_ports > 1 ? port_names[i] : "", job->ports[i].text,
			job->ports[i].info.driver,
			job->ports[i].info.multi_segment ? "multi-segment TX" : "linear packets",
			job->opt->port.mtu);
	printf("capture: %s", job->file);
	if (job->len_bytes)
		printf(", %s", pw_units_size(size, sizeof(size), job->len_bytes));
	if (job->kind != PW_UNPACK_PLAIN)
		printf(", %s", pw_unpack_kind_name(job->kind));
	printf("; pages: %s", pw_pages_name(job->pages));
	if (job->pages == PW_PAGES_STREAM)
		printf(", %s ring", pw_units_size(size, sizeof(size), job->opt->stream_bytes));
	else
		printf(job->pages == PW_PAGES_STAGE ? ", copied into EAL memory" : ", in place");
	printf("\ntiming: %s", timings[job->timing]);
	if (job->timing == PW_TIMING_CAPTURE)
		printf(", speed %gx", job->speed);
	putchar('\n');
	fflush(stdout);
}

static void line(uint64_t n, const char *what)
{
	if (n)
		printf("%" PRIu64 " frame%s %s\n", n, n == 1 ? "" : "s", what);
}

static void print_rules(const struct pw_replay_result *res)
{
	const struct pw_scan_counts *n = &res->scan;

	line(res->found.other_time, "outside of --from-time and --to-time: not sent");
	line(res->found.no_side, "not to be sent, by --cache");
	line(res->n_beyond_table, "of flows beyond the first million: their ports told the side");
	line(res->found.filtered, "do not match --filter: not sent");
	line(n->cut - n->cut_skipped, "cut by the snap length: sent");
	line(n->cut_skipped, "cut by the snap length: skipped");
	line(n->small - n->small_skipped, "below 60 bytes: sent");
	line(n->small_skipped, "below 60 bytes: skipped");
	line(n->long_skipped, "longer than --mtu allows: skipped");
	line(n->padded, "padded with zeros");
	line(n->ethernet, "got an Ethernet header");
	line(n->no_ethernet,
		"cut in their link header, or of no protocol that Ethernet has: skipped");
	line(n->edited, "edited");
	line(n->edit_cut + n->edit_deep,
		"not edited, sent as captured: a header is cut or lies too deep");
	if (res->found.file_is_cut)
		printf("the capture ends within a record, which was not sent\n");
}

static void print_times(const struct pw_replay_result *res)
{
	const struct pw_late *l = &res->late;
	char p50[32], p99[32], p999[32], max[32];

	line(res->due.n_backwards, "earlier than one before: sent at once");
	line(res->due.n_jumps, "after a jump of the clock: sent at once");
	line(res->due.n_untimed, "without a time: sent at once");
	if (l->n_frames == 0)
		return;
	printf("late: p50 %s, p99 %s, p99.9 %s, max %s\n",
		pw_units_duration(p50, sizeof(p50), pw_late_quantile(l, 0.5)),
		pw_units_duration(p99, sizeof(p99), pw_late_quantile(l, 0.99)),
		pw_units_duration(p999, sizeof(p999), pw_late_quantile(l, 0.999)),
		pw_units_duration(max, sizeof(max), l->max_ns));
	if (l->longest_run > LATE_RUN)
		printf("%" PRIu64 " frames in a row, from frame %" PRIu64
		       " on, were more than %u us late: the port or this CPU did not keep up\n",
			l->longest_run, l->longest_from, PW_LATE_RUN_NS / 1000);
}

void pw_replay_report_human(const struct pw_replayjob *job)
{
	const struct pw_replay_result *res = &job->result;
	const struct pw_tx_counters *c = &job->counters;
	const double s = (double)res->data_ns / 1e9;
	char size[32], rate[32], pps[32];
	uint32_t i;

	if (res->interrupted)
		printf("interrupted in pass %" PRIu64 "\n", res->found.passes + 1);
	printf("sent %" PRIu64 " frames, %s in %" PRIu64 " pass%s, %.3f s: %s, %s\n", c->packets,
		pw_units_size(size, sizeof(size), c->wire_bytes), res->found.passes,
		res->found.passes == 1 ? "" : "es", s,
		pw_units_bitrate(rate, sizeof(rate), s > 0 ? (double)c->wire_bytes * 8 / s : 0),
		pw_units_pps(pps, sizeof(pps), s > 0 ? (double)c->packets / s : 0));
	for (i = 0; job->n_ports > 1 && i < job->n_ports; i++)
		printf("port%s: %" PRIu64 " frames, %s\n", port_names[i],
			job->ports[i].counters.packets,
			pw_units_size(size, sizeof(size), job->ports[i].counters.wire_bytes));
	print_rules(res);
	print_times(res);
	printf("cpu: %.0f busy cycles/packet, send buffer full %" PRIu64 " polls\n",
		c->packets ? (double)res->busy_cycles / (double)c->packets : 0.0, c->full_polls);
	if (c->header_bytes)
		printf("edited headers: %s copied\n",
			pw_units_size(size, sizeof(size), c->header_bytes));
	printf("copies: %.3g CPU copies per byte on the sender", copies(job));
	for (i = 0; i < job->n_ports; i++)
		if (job->ports[i].traits->copy_why[0])
			printf("; the port%s: %s", job->n_ports > 1 ? port_names[i] : "",
				job->ports[i].traits->copy_why);
	putchar('\n');
}

/* Pairs of a class's longest time and how many frames are in it. */
static json_t *histogram_json(const struct pw_late *l)
{
	json_t *a = json_array();
	uint32_t c;

	for (c = 0; c < PW_LATE_CLASSES; c++)
		if (l->n[c])
			json_array_append_new(
				a, json_pack("[I, I]", (json_int_t)pw_late_class_end(c),
					   (json_int_t)l->n[c]));
	return a;
}

static json_t *late_json(const struct pw_replay_result *res)
{
	const struct pw_late *l = &res->late;

	if (l->n_frames == 0)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "p50_ns",
		(json_int_t)pw_late_quantile(l, 0.5), "p99_ns",
		(json_int_t)pw_late_quantile(l, 0.99), "p999_ns",
		(json_int_t)pw_late_quantile(l, 0.999), "max_ns", (json_int_t)l->max_ns,
		"longest_run", (json_int_t)l->longest_run, "longest_run_from",
		(json_int_t)l->longest_from, "histogram", histogram_json(l));
}

static json_t *ports_json(const struct pw_replayjob *job)
{
	json_t *ports = json_array();
	uint32_t i;

	for (i = 0; i < job->n_ports; i++) {
		const struct pw_replayjob_port *p = &job->ports[i];

		json_array_append_new(
			ports, json_pack("{s:s, s:s, s:I, s:I, s:I}", "port", p->text, "driver",
				       p->info.driver, "frames", (json_int_t)p->counters.packets,
				       "bytes", (json_int_t)p->counters.wire_bytes, "full_polls",
				       (json_int_t)p->counters.full_polls));
	}
	return ports;
}

void pw_replay_report_json(const struct pw_replayjob *job, int code)
{
	const struct pw_replay_result *res = &job->result;
	const struct pw_scan_counts *n = &res->scan;
	const struct pw_tx_counters *c = &job->counters;
	const double s = (double)res->data_ns / 1e9;
	json_t *o = pw_cli_json_result("pagewire.replay/1", code);

	json_object_update_new(
		o, json_pack("{s:b, s:I, s:I, s:I, s:f, s:I, s:I, s:I}", "interrupted",
			   res->interrupted, "passes", (json_int_t)res->found.passes, "frames",
			   (json_int_t)c->packets, "bytes", (json_int_t)c->wire_bytes, "seconds", s,
			   "full_polls", (json_int_t)c->full_polls, "split_frames",
			   (json_int_t)c->split_packets, "copied_bytes",
			   (json_int_t)(c->cpu_copied_bytes + res->ring.seam_bytes)));
	json_object_update_new(
		o, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "cut", (json_int_t)n->cut,
			   "cut_skipped", (json_int_t)n->cut_skipped, "small", (json_int_t)n->small,
			   "small_skipped", (json_int_t)n->small_skipped, "long_skipped",
			   (json_int_t)n->long_skipped, "padded", (json_int_t)n->padded,
			   "file_is_cut", res->found.file_is_cut));
	json_object_update_new(o,
		json_pack("{s:s, s:f, s:I, s:I, s:I}", "timing", timings[job->timing], "speed",
			job->speed, "backwards", (json_int_t)res->due.n_backwards, "jumps",
			(json_int_t)res->due.n_jumps, "untimed", (json_int_t)res->due.n_untimed));
	json_object_update_new(
		o, json_pack("{s:s, s:s, s:s, s:f, s:f}", "port", job->ports[0].text, "driver",
			   job->ports[0].info.driver, "pages", pw_pages_name(job->pages),
			   "cpu_copies_per_byte", copies(job), "busy_cycles_per_packet",
			   c->packets ? (double)res->busy_cycles / (double)c->packets : 0.0));
	json_object_update_new(
		o, json_pack("{s:I, s:I, s:I, s:I}", "edited", (json_int_t)n->edited, "edit_cut",
			   (json_int_t)n->edit_cut, "edit_deep", (json_int_t)n->edit_deep,
			   "header_bytes", (json_int_t)c->header_bytes));
	json_object_set_new(o, "other_time", json_integer((json_int_t)res->found.other_time));
	json_object_set_new(o, "filtered", json_integer((json_int_t)res->found.filtered));
	json_object_set_new(o, "no_side", json_integer((json_int_t)res->found.no_side));
	json_object_update_new(o, json_pack("{s:I, s:I}", "ethernet", (json_int_t)n->ethernet,
					  "no_ethernet", (json_int_t)n->no_ethernet));
	json_object_set_new(o, "late", late_json(res));
	json_object_set_new(o, "ports", ports_json(job));
	pw_cli_print_json(o);
}
