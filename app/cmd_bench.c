/* SPDX-License-Identifier: BSD-3-Clause */
/* pagewire bench [FILE]: its options, and the run of the comparison. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/cli/cli.h"
#include "app/cmd_bench.h"
#include "app/commands.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "bench/report.h"

#define ROW(name, type, group, field) PW_OPT_ROW(name, type, group, struct pw_bench_cli, field)

static const struct pw_opt options[] = {
	{ROW("quick", FLAG, MAIN, quick), .basic = true,
		.help = "a choice of ways, 32 MiB, 5 rounds: less than two minutes; the default"},
	{ROW("full", FLAG, MAIN, full), .basic = true,
		.help = "every way and wire, 4 KiB to 1 GiB, MTU 1500 and 9000, 10 rounds: hours"},
	{ROW("classic", FLAG, MAIN, classic), .basic = true,
		.help = "the textbook's table: one buffer, one pass; copies and mode switches "
			"counted"},
	{ROW("profile", STRING, MAIN, profile), .basic = true, .arg = "NAME",
		.help = "one question about pagewire, measured against a target: --list names the "
			"profiles"},
	{ROW("list", FLAG, MAIN, list), .basic = true,
		.help = "list the ways and the wires of each, and the profiles"},
	{ROW("wires", STRING, MEASURE, bench.wires), .letter = 'w', .basic = true, .arg = "LIST",
		.help = "of loopback, veth, sink, tap, vhost, null, nic:IF; without --ways all "
			"ways on them"},
	{ROW("ways", STRING, MEASURE, bench.ways), .basic = true, .arg = "LIST",
		.help = "names that --list prints; NAME@WIRE: only on that wire"},
	{ROW("sizes", STRING, MEASURE, bench.sizes), .arg = "LIST",
		.help = "sizes of the files that are made: 4K,64M"},
	{ROW("mtu", STRING, MEASURE, bench.mtus), .arg = "LIST",
		.help = "MTUs of the wires; all but the first with the largest file only"},
	{ROW("rounds", UINT, MEASURE, bench.rounds), .arg = "N", .help = "rounds after the warm-up",
		.min = 1, .max = 1000},
	{ROW("stretch", DURATION, MEASURE, bench.stretch_ns), .arg = "DURATION",
		.help = "how long each run sends: the file is sent again until then, at least "
			"once"},
	{ROW("baseline", STRING, MEASURE, bench.baseline), .arg = "WAY",
		.help = "ratios are to this way on the same wire, round by round"},
	{ROW("cold", FLAG, MEASURE, cold),
		.help = "measure also with the file on a disk (--dir) and dropped from the page "
			"cache"},
	{ROW("dir", STRING, MEASURE, dir), .arg = "DIR", .help = "directory for cold files"},
	{ROW("to", STRING, MEASURE, bench.to), .letter = 't', .arg = "ADDR[:PORT]",
		.help = "nic: address or host name where a remote pagewire recv listens"},
	{ROW("rebind", FLAG, MEASURE, bench.rebind),
		.help = "nic: let dpdk_pci take the interface's device from the kernel for each "
			"of its runs; it is given back with its addresses and routes"},
	{ROW("core", STRING, MEASURE, bench.cores), .arg = "LIST",
		.help = "the sender's CPU and the receiver's; default: the first two allowed"},
	{ROW("rate", RATE, MEASURE, bench.rate), .letter = 'r', .arg = "RATE",
		.help = "packet ways send at most this: 10G or 10Gbit/s, or 2Mpps"},
	{ROW("batch", UINT, MEASURE, bench.batch), .arg = "N",
		.help = "packets in one call of the kernel ways that take several; the bypass has "
			"64",
		.min = 1, .max = 64},
	{ROW("chunk", SIZE, MEASURE, bench.chunk_bytes), .arg = "SIZE",
		.help = "bytes in one call of stream ways"},
	{ROW("sqpoll", FLAG, MEASURE, bench.sqpoll),
		.help = "io_uring ways: a kernel thread submits"},
	{ROW("qdisc-bypass", FLAG, MEASURE, bench.qdisc_bypass),
		.help = "AF_PACKET ways: without the queueing discipline"},
	{ROW("no-evidence", FLAG, MEASURE, bench.no_evidence),
		.help = "leave out the runs that count system calls, faults and copies"},
	{ROW("seed", UINT, MEASURE, bench.seed), .arg = "N",
		.help = "seed of the orders and of the bootstrap", .max = UINT32_MAX},
	{ROW("include-setup", FLAG, OUTPUT, setup),
		.help = "add columns with the time before the first packet: EAL, mapping, staging"},
	{ROW("report", STRING, OUTPUT, report), .basic = true, .arg = "DIR",
		.help = "write report.html with plots, result.json and samples.csv there"},
	{ROW("csv", FLAG, OUTPUT, csv), .help = "print every sample as CSV"},
};

static const struct pw_opt_table shared[] = {
	{.opts = &pw_opt_no_huge_row,
		.n = 1,
		.offset = offsetof(struct pw_bench_cli, bench.no_huge)},
	PW_OPT_OUTPUT_TABLE(struct pw_bench_cli, output),
};

static const struct pw_bench_cli defaults = {
	.dir = "/var/tmp",
	.bench = {.baseline = "udp_read_send", .batch = 64, .chunk_bytes = 65536, .seed = 1},
};

/* The command line, quoted for a shell, for the record. NULL when it cannot be read; the caller frees it. */
static char *command_line(void)
{
	FILE *f = fopen("/proc/self/cmdline", "re"), *out;
	char *line = NULL, *word = NULL;
	size_t len, room = 0;
	bool first = true;

	out = f ? open_memstream(&line, &len) : NULL;
	while (out && getdelim(&word, &room, '\0', f) > 0) {
		if (!first)
			putc(' ', out);
		first = false;
		pw_cli_print_word(out, word);
	}
	free(word);
	if (out)
		fclose(out);
	if (f)
		fclose(f);
	return line;
}

/* Options that --classic does not use. */
static bool asks_for_rows(const struct pw_bench_cli *o, const struct pw_operands *ops)
{
	const struct pw_bench_options *b = &o->bench;

	return ops->n || b->wires || b->ways || b->sizes || b->mtus || b->rounds || b->stretch_ns ||
	       b->to || b->cores || o->cold || o->setup || o->report || o->csv;
}

/* Options that --profile does not use. */
static bool asks_for_ways(const struct pw_bench_cli *o, const struct pw_operands *ops)
{
	const struct pw_bench_options *b = &o->bench;

	return ops->n || b->wires || b->ways || b->sizes || b->mtus || b->stretch_ns || b->to ||
	       b->rebind || o->cold || o->setup || o->report || o->csv;
}

static int check(const struct pw_bench_cli *o, const struct pw_operands *ops, struct pw_err *err)
{
	if (o->quick + o->full + o->classic + (o->profile != NULL) > 1)
		return pw_err_set(err, EINVAL,
			"cannot use --quick, --full, --classic and --profile together; use one of "
			"them");
	if (o->profile && asks_for_ways(o, ops))
		return pw_err_set(err, EINVAL,
			"cannot use other options with --profile than --rounds, --seed, --core, "
			"--dir and "
			"--json: a profile is a fixed set of cells; leave the others out");
	if (o->classic && asks_for_rows(o, ops))
		return pw_err_set(err, EINVAL,
			"cannot use other options with --classic than --json; leave them out");
	if (o->output.json && o->csv)
		return pw_err_set(
			err, EINVAL, "cannot use --json and --csv together; use one of them");
	if (ops->n > 1)
		return pw_err_set(err, EINVAL, "cannot measure more than one FILE; name one");
	if (ops->n && o->bench.sizes)
		return pw_err_set(err, EINVAL,
			"cannot use --sizes with a FILE, which has its own size; leave it out");
	if (o->cold && access(o->dir, W_OK))
		return pw_err_sys(err, errno, "cannot use --dir %s", o->dir);
	return 0;
}

void pw_bench_tick(void *ctx, uint64_t done, uint64_t total, const char *what)
{
	struct pw_progress *p = ctx;
	uint64_t now = pw_clock_ns();
	char left[32] = "", *line;

	if (!pw_progress_due(p, now))
		return;
	if (done)
		pw_units_duration(left, sizeof(left),
			(uint64_t)((double)(now - p->start_ns) * (double)(total - done) /
				   (double)done));
	if (asprintf(&line, "bench %llu of %llu: %s%s%s%s", (unsigned long long)done + 1,
		    (unsigned long long)total, what, left[0] ? ", " : "", left,
		    left[0] ? " left" : "") < 0)
		return;
	pw_progress_say(p, now, line);
	free(line);
}

static int print(const struct pw_bench_cli *o, const struct pw_bench_result *r, int code)
{
	struct pw_err err = {0};
	json_t *doc;

	if (o->output.json) {
		doc = pw_result_json(r);
		json_object_set_new(doc, "exit_code", json_integer(code));
		pw_cli_print_json(doc);
	} else if (o->csv) {
		pw_csv_print(stdout, r);
	} else {
		pw_table_print(stdout, r, o->setup);
	}
	if (o->report && pw_report_write(r, o->report, &err))
		return pw_cli_fail(&err);
	if (o->report && !o->output.json && !o->csv)
		printf("report: %s/report.html\n", o->report);
	return code;
}

/* 3 when a row has received wrong bytes or none: do not cite such a result. */
static int judge(const struct pw_bench_result *r)
{
	size_t i, k;

	for (i = 0; i < r->n_rows; i++)
		for (k = 0; k < r->rows[i].n_samples; k++)
			if (r->rows[i].samples[k].void_why[0])
				return PW_EXIT_INCOMPLETE;
	return PW_EXIT_OK;
}

static int run_bench(
	const struct pw_bench_cli *o, struct pw_bench_options *opt, const struct pw_context *ctx)
{
	struct pw_progress progress;
	struct pw_bench *b = NULL;
	struct pw_err err = {0};
	char duration[32];
	bool usage = false;
	int r = o->report ? pw_report_prepare(o->report, &err) : 0, code;

	if (r == 0)
		r = pw_bench_create(&b, opt, &usage, &err);
	if (r)
		return usage ? pw_cli_usage("bench", &err) : pw_cli_fail_open(&err);
	pw_progress_init(&progress, ctx->is_tty, o->output.progress);
	fprintf(stderr, "pagewire: bench: %zu rows, about %s\n", pw_bench_result(b)->n_rows,
		pw_units_duration(duration, sizeof(duration), pw_bench_estimate_ns(b)));
	pw_bench_set_tick(b, pw_bench_tick, &progress);
	r = pw_bench_run(b, &err);
	pw_progress_end(&progress);
	code = r == -ECANCELED ? PW_EXIT_INCOMPLETE
	       : r             ? pw_cli_fail(&err)
			       : judge(pw_bench_result(b));
	if (r == -ECANCELED)
		pw_warn(&ctx->log, "interrupted: what was measured so far follows");
	if (r == 0 || r == -ECANCELED || pw_bench_result(b)->rounds)
		code = print(o, pw_bench_result(b), code);
	pw_bench_destroy(b);
	return code;
}

static int run(const void *config, const struct pw_operands *ops, const struct pw_context *ctx)
{
	const struct pw_bench_cli *o = config;
	struct pw_bench_options opt = o->bench;
	struct pw_err err = {0};
	char *command;
	int code;

	if (o->list)
		return pw_bench_list();
	if (check(o, ops, &err))
		return pw_cli_usage("bench", &err);
	pw_stop_install();
	opt.profile = o->full ? "full" : "quick";
	command = command_line();
	opt.command = command;
	opt.file = ops->n ? ops->argv[0] : NULL;
	opt.cold_dir = o->cold ? o->dir : NULL;
	opt.verbose = ctx->log.level >= PW_LOG_DEBUG;
	opt.log = &ctx->log;
	opt.stopped = pw_stop_requested;
	if (o->profile)
		code = pw_bench_profile(o, ctx);
	else
		code = o->classic ? pw_bench_classic(o, ctx) : run_bench(o, &opt, ctx);
	free(command);
	return code;
}

const struct pw_command pw_cmd_bench = {
	.name = "bench",
	.summary = "measure what every way out of this host costs, on equal work",
	.operands = "[FILE]",
	.opts = options,
	.n_opts = PW_ARRAY_LEN(options),
	.shared = shared,
	.n_shared = PW_ARRAY_LEN(shared),
	.config_size = sizeof(struct pw_bench_cli),
	.defaults = &defaults,
	.run = run,
	.examples =
		"  pagewire bench\n"
		"  pagewire bench --classic\n"
		"  pagewire bench --report out --quick\n"
		"  pagewire bench --wires veth --ways udp_gso,dpdk_af_xdp --mtu 3498 --rounds 10\n",
};
