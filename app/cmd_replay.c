/* SPDX-License-Identifier: BSD-3-Clause */
/* pagewire replay FILE --port PORT: its options, and the run of the job. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "app/cli/cli.h"
#include "app/cli/opt_shared.h"
#include "app/cli/report_replay.h"
#include "app/cli/report_survey.h"
#include "app/commands.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/strings.h"

struct replay_options {
	struct pw_replayjob_options job;
	struct pw_output_config output;
	struct pw_strings ports;
	bool dry_run;
	const char *filter, *from_time, *to_time;
};

static const struct pw_opt_choice pages[] = {{"auto", PW_PAGES_AUTO},
	{"hugefile", PW_PAGES_HUGEFILE}, {"pagecache", PW_PAGES_PAGECACHE},
	{"stage", PW_PAGES_STAGE}, {"stream", PW_PAGES_STREAM}, {NULL, 0}};
static const struct pw_opt_choice rules[] = {
	{"send", PW_RULE_SEND}, {"skip", PW_RULE_SKIP}, {"pad", PW_RULE_PAD}, {NULL, 0}};

#define ROW(name, type, group, field) PW_OPT_ROW(name, type, group, struct replay_options, field)

static const struct pw_opt options[] = {
	{ROW("port", LIST, MAIN, ports), .letter = 'p', .basic = true, .arg = "PORT",
		.help = "port to send on, see PORTS; given twice, the first one sends the frames "
			"of clients, the second one those of servers"},
	{ROW("client-net", STRING, PACKETS, job.client_net), .arg = "NET,...",
		.help = "with two ports: who has an address in these networks is a client; "
			"default: who sent the first frame of its flow"},
	{ROW("cache", STRING, PACKETS, job.cache), .arg = "FILE",
		.help = "with two ports: a cache file of tcpprep tells the port of each frame"},
	{ROW("loop", UINT, MAIN, job.scan.loops), .basic = true, .arg = "N",
		.help = "passes over the capture; 0 = until interrupted", .max = 1000000000},
	{ROW("skip", UINT, PACKETS, job.scan.skip), .basic = true, .arg = "N",
		.help = "leave out the first N frames of each pass"},
	{ROW("limit", UINT, PACKETS, job.scan.limit), .basic = true, .arg = "N",
		.help = "send N frames of each pass at most; 0 = all"},
	{ROW("filter", STRING, PACKETS, filter), .basic = true, .arg = "EXPRESSION",
		.help = "only frames that match, as tcpdump has it (pcap-filter(7)): 'udp port "
			"53'"},
	{ROW("from-time", STRING, PACKETS, from_time), .arg = "TIME",
		.help = "only frames from this time on: 2026-11-28T08:30:00.25 (UTC), or seconds "
			"after the first frame: 0.5"},
	{ROW("to-time", STRING, PACKETS, to_time), .arg = "TIME",
		.help = "only frames before this time"},
	{ROW("dry-run", FLAG, MAIN, dry_run), .basic = true,
		.help = "send nothing, read the capture once and print its statistics; no --port "
			"is needed"},
	{ROW("cut", CHOICE, PACKETS, job.scan.cut), .choices = rules,
		.help = "frames that the snap length cut: sent as captured, skipped, or padded "
			"with "
			"zeros to their length"},
	{ROW("small", CHOICE, PACKETS, job.scan.small), .choices = rules,
		.help = "frames below 60 bytes: sent as captured, skipped, or padded with zeros"},
	{ROW("ethernet", STRING, PACKETS, job.ethernet), .arg = "DST,SRC",
		.help = "MACs of an Ethernet header for frames of raw IP, Linux cooked and BSD "
			"loopback captures"},
	{ROW("dst-mac", STRING, PACKETS, job.edit.dst_mac), .arg = "MAC",
		.help = "destination MAC of each frame"},
	{ROW("src-mac", STRING, PACKETS, job.edit.src_mac), .arg = "MAC",
		.help = "source MAC of each frame"},
	{ROW("vlan", STRING, PACKETS, job.edit.vlan), .arg = "EDIT",
		.help = "push:ID adds a VLAN tag, pop removes the outer one, ID sets its VLAN ID"},
	{ROW("ttl", STRING, PACKETS, job.edit.ttl), .arg = "N",
		.help = "TTL or hop limit: N sets it, +N and -N change it"},
	{ROW("map", STRING, PACKETS, job.edit.map), .arg = "FROM:TO,...",
		.help = "addresses in network FROM get the prefix of network TO; IPv6 in brackets"},
	{ROW("speed", STRING, SPEED, job.speed), .basic = true, .arg = "FACTOR",
		.help = "the capture's own timing, so many times as fast: 2x, 0.5"},
	{ROW("rate", RATE, SPEED, job.rate), .letter = 'r', .basic = true, .arg = "RATE",
		.help = "send at this rate instead: 90G or 90Gbit/s of Ethernet frames, or 2Mpps"},
	{ROW("top-speed", FLAG, SPEED, job.top_speed), .basic = true,
		.help = "send as fast as the port takes frames"},
	{ROW("max-gap", DURATION, SPEED, job.scan.max_gap_ns), .arg = "DURATION",
		.help = "a longer gap in the capture's times is not waited for"},
	{ROW("pages", CHOICE, FILES, job.pages), .basic = true,
		.help = "where the frames are; auto chooses by port and file", .choices = pages},
	{ROW("stream-memory", SIZE, FILES, job.stream_bytes), .arg = "SIZE",
		.help = "memory for a streamed capture, at most"},
	{ROW("link-grace", DURATION, PORT, job.link_grace_ns), .arg = "DURATION",
		.help = "how long the link, or the peer, may be gone"},
};

static const struct pw_opt_table shared[] = {
	PW_OPT_PORTS_TABLES(struct replay_options, job.port),
	PW_OPT_OUTPUT_TABLE(struct replay_options, output),
};

static const struct replay_options defaults = {.job = PW_REPLAYJOB_OPTIONS_DEFAULT};

struct live {
	struct pw_progress progress;
	const struct pw_replayjob *job;
	uint64_t last_ns, last_bytes;
};

static void tick(void *ctx, const struct pw_replay_status *st)
{
	struct live *l = ctx;
	const uint64_t now = pw_clock_ns();
	char rate[32], p99[32], where[32], of[32] = "", text[200];
	struct pw_late late;
	double s;

	if (!pw_progress_due(&l->progress, now))
		return;
	s = (double)(now - l->last_ns) / 1e9;
	pw_replay_late(st->replay, &late);
	if (l->job->len_bytes && l->job->kind == PW_UNPACK_PLAIN)
		snprintf(of, sizeof(of), " (%.0f %%)",
			100.0 * (double)st->position / (double)l->job->len_bytes);
	snprintf(text, sizeof(text),
		"replaying: pass %" PRIu64 ", at %s%s, %.1f s of the capture, %" PRIu64
		" frames, %s%s%s",
		st->pass, pw_units_size(where, sizeof(where), st->position), of,
		(double)st->time_ns / 1e9, st->frames,
		pw_units_bitrate(rate, sizeof(rate), (double)(st->bytes - l->last_bytes) * 8 / s),
		late.n_frames ? ", p99 late " : "",
		late.n_frames ? pw_units_duration(p99, sizeof(p99), pw_late_quantile(&late, 0.99))
			      : "");
	l->last_ns = now;
	l->last_bytes = st->bytes;
	pw_progress_say(&l->progress, now, text);
}

static int run_job(
	struct pw_replayjob *job, const struct replay_options *o, const struct pw_context *ctx)
{
	struct live live = {.job = job, .last_ns = pw_clock_ns()};
	struct pw_err err = {0};
	int code = PW_EXIT_OK;

	job->tick = tick;
	job->tick_ctx = &live;
	if (pw_replayjob_open(job, &err))
		return pw_cli_fail_open(&err);
	if (!o->output.json)
		pw_replay_report_plan(job);
	pw_progress_init(&live.progress, ctx->is_tty, o->output.progress);
	if (pw_replayjob_run(job, &err))
		code = PW_EXIT_RUNTIME;
	pw_progress_end(&live.progress);
	if (code)
		pw_cli_fail(&err);
	else if (job->result.interrupted && (o->job.scan.loops || job->result.found.passes == 0))
		code = PW_EXIT_INCOMPLETE;
	if (o->output.json)
		pw_replay_report_json(job, code);
	else
		pw_replay_report_human(job);
	return code;
}

static int run_survey(
	const struct replay_options *o, const char *file, const struct pw_scan_settings *set)
{
	struct pw_survey v;
	struct pw_err err = {0};
	int code = PW_EXIT_OK;

	if (pw_survey_run(&v, file, set, pw_stop_requested, &err))
		code = pw_cli_fail(&err);
	else if (v.interrupted)
		code = PW_EXIT_INCOMPLETE;
	if (o->output.json)
		pw_survey_report_json(&v, code);
	else if (code != PW_EXIT_RUNTIME || v.stats.n_frames)
		pw_survey_report_human(&v);
	pw_survey_finish(&v);
	return code;
}

/* What the frames that are chosen need: the filter is the caller's to destroy. */
static int choose_frames(
	const struct replay_options *o, struct pw_scan_settings *set, struct pw_err *err)
{
	int r = 0;

	if (o->from_time)
		r = pw_moment_parse("--from-time", o->from_time, &set->span.from, err);
	if (r == 0 && o->to_time)
		r = pw_moment_parse("--to-time", o->to_time, &set->span.to, err);
	if (r == 0 && o->filter)
		r = pw_filter_create(&set->filter, o->filter, err);
	return r;
}

static int run(const void *config, const struct pw_operands *ops, const struct pw_context *ctx)
{
	const struct replay_options *o = config;
	struct pw_replayjob_options job_options = o->job;
	struct pw_replayjob job = {
		.opt = &job_options, .log = &ctx->log, .stopped = pw_stop_requested};
	struct pw_err err = {0};
	bool usage;
	int code;

	pw_stop_install();
	job_options.ports = o->ports.v;
	job_options.n_ports = o->ports.n;
	job_options.port.eal_argv = ops->eal_argv;
	job_options.port.eal_argc = ops->n_eal;
	if (ops->n != 1) {
		pw_err_set(&err, EINVAL, "cannot replay: give one FILE, or - for standard input");
		return pw_cli_usage("replay", &err);
	}
	if (choose_frames(o, &job_options.scan, &err))
		code = pw_cli_usage("replay", &err);
	else if (o->dry_run)
		code = run_survey(o, ops->argv[0], &job_options.scan);
	else if (pw_replayjob_plan(&job, ops->argv[0], &usage, &err))
		code = usage ? pw_cli_usage("replay", &err) : pw_cli_fail(&err);
	else
		code = run_job(&job, o, ctx);
	pw_replayjob_finish(&job);
	pw_filter_destroy(job_options.scan.filter);
	return code;
}

const struct pw_command pw_cmd_replay = {
	.name = "replay",
	.summary = "replay a capture from its mapped pages through a poll-mode driver",
	.operands = "FILE",
	.opts = options,
	.n_opts = PW_ARRAY_LEN(options),
	.shared = shared,
	.n_shared = PW_ARRAY_LEN(shared),
	.config_size = sizeof(struct replay_options),
	.defaults = &defaults,
	.takes_eal = true,
	.run = run,
	.examples =
		"  pagewire replay trace.pcapng --port 0000:3b:00.0\n"
		"  pagewire replay trace.pcap --port vhost:/run/w.sock --speed 2x --loop 10\n"
		"  pagewire replay trace.pcap --port 0000:3b:00.0 --port 0000:3b:00.1\n"
		"  pagewire replay trace.pcap.zst --dry-run\n"
		"  pagewire replay trace.pcap.zst --port 0000:3b:00.0 --rate 40Gbit/s --loop 0\n",
};
