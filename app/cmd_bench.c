/* SPDX-License-Identifier: BSD-3-Clause */
/* pagewire bench [FILE] */
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

#define O(field) offsetof(struct pw_bench_cli, field)
#define B(field) offsetof(struct pw_bench_cli, bench.field)

static const struct pw_opt options[] = {
	{"quick", 'q', PW_OPT_FLAG, O(quick), NULL,
		"a choice of ways, 32 MiB, 5 rounds: under two minutes; the default", 0, 0, NULL},
	{"full", 0, PW_OPT_FLAG, O(full), NULL,
		"every way and wire, 4 KiB to 1 GiB, MTU 1500 and 9000, 10 rounds: hours", 0, 0,
		NULL},
	{"classic", 0, PW_OPT_FLAG, O(classic), NULL,
		"the textbook's table: one buffer, one pass; copies and mode switches counted", 0,
		0, NULL},
	{"profile", 0, PW_OPT_STRING, O(profile), "NAME",
		"pagewire against what it is to reach: --list names the profiles", 0, 0, NULL},
	{"list", 0, PW_OPT_FLAG, O(list), NULL,
		"name the ways and the wires each runs on, and the profiles", 0, 0, NULL},
	{"wires", 'w', PW_OPT_STRING, B(wires), "LIST",
		"of loopback, veth, sink, tap, vhost, null, nic:IF; without --ways all ways on "
		"them",
		0, 0, NULL},
	{"ways", 0, PW_OPT_STRING, B(ways), "LIST",
		"names as --list has them; NAME@WIRE: only on that wire", 0, 0, NULL},
	{"sizes", 0, PW_OPT_STRING, B(sizes), "LIST", "of the files that are made: 4KiB,64MiB", 0,
		0, NULL},
	{"mtu", 0, PW_OPT_STRING, B(mtus), "LIST",
		"of the wires; all but the first with the largest file only", 0, 0, NULL},
	{"rounds", 0, PW_OPT_U64, B(rounds), "N", "after the warm-up", 1, 1000, NULL},
	{"stretch", 0, PW_OPT_DURATION, B(stretch_ns), "DURATION",
		"how long each run sends: the file goes as often as that takes, once at least", 0,
		0, NULL},
	{"baseline", 0, PW_OPT_STRING, B(baseline), "WAY",
		"ratios are to this way on the same wire, round by round", 0, 0, NULL},
	{"cold", 0, PW_OPT_FLAG, O(cold), NULL,
		"measure also with the file on a disk (--dir) and dropped from the page cache", 0,
		0, NULL},
	{"dir", 0, PW_OPT_STRING, O(dir), "DIR", "where cold files lie", 0, 0, NULL},
	{"to", 't', PW_OPT_STRING, B(to), "ADDR[:PORT]",
		"nic: where a remote pagewire recv listens", 0, 0, NULL},
	{"rebind", 0, PW_OPT_FLAG, B(rebind), NULL,
		"nic: let dpdk_pci take the interface's device from the kernel for each of its "
		"runs; it is given back with its addresses and routes",
		0, 0, NULL},
	{"core", 0, PW_OPT_STRING, B(cores), "LIST",
		"the sender's CPU and the receiver's; default: the first two allowed", 0, 0, NULL},
	{"rate", 'r', PW_OPT_RATE, B(rate), "RATE", "packet ways send no faster than this", 0, 0,
		NULL},
	{"batch", 0, PW_OPT_U64, B(batch), "N",
		"packets in one call of the kernel ways that take several; the bypass has 64", 1,
		64, NULL},
	{"chunk", 0, PW_OPT_SIZE, B(chunk_bytes), "SIZE", "bytes in one call of stream ways", 1,
		1u << 30, NULL},
	{"sqpoll", 0, PW_OPT_FLAG, B(sqpoll), NULL, "io_uring ways: a kernel thread submits", 0, 0,
		NULL},
	{"qdisc-bypass", 0, PW_OPT_FLAG, B(qdisc_bypass), NULL,
		"AF_PACKET ways: past the queueing discipline", 0, 0, NULL},
	{"no-huge", 0, PW_OPT_FLAG, B(no_huge), NULL, "EAL memory on ordinary pages", 0, 0, NULL},
	{"no-evidence", 0, PW_OPT_FLAG, B(no_evidence), NULL,
		"leave out the runs that count system calls, faults and copies", 0, 0, NULL},
	{"seed", 0, PW_OPT_U64, B(seed), "N", "of the orders and the bootstrap", 0, UINT32_MAX,
		NULL},
	{"include-setup", 0, PW_OPT_FLAG, O(setup), NULL,
		"columns with what it takes before the first packet: EAL, mapping, staging", 0, 0,
		NULL},
	{"report", 0, PW_OPT_STRING, O(report), "DIR",
		"write report.html with plots, result.json and samples.csv there", 0, 0, NULL},
	{"json", 0, PW_OPT_FLAG, O(json), NULL, "print the result as JSON", 0, 0, NULL},
	{"csv", 0, PW_OPT_FLAG, O(csv), NULL, "print every sample as CSV", 0, 0, NULL},
	{"progress", 0, PW_OPT_FLAG, O(progress), NULL,
		"report progress even when standard error is no terminal", 0, 0, NULL},
};

static const struct pw_bench_cli defaults = {
	.dir = "/var/tmp",
	.bench = {.baseline = "udp_read_send", .batch = 64, .chunk_bytes = 65536, .seed = 1},
};

/* The command line, quoted for a shell, so that a user can measure again. NULL when it cannot be read; to be freed. */
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

/* What the textbook's table has no use for. */
static bool asks_for_rows(const struct pw_bench_cli *o, const struct pw_operands *ops)
{
	const struct pw_bench_options *b = &o->bench;

	return ops->n || b->wires || b->ways || b->sizes || b->mtus || b->rounds || b->stretch_ns ||
	       b->to || b->cores || o->cold || o->setup || o->report || o->csv;
}

/* What belongs to the table of ways alone. */
static bool asks_for_ways(const struct pw_bench_cli *o, const struct pw_operands *ops)
{
	const struct pw_bench_options *b = &o->bench;

	return ops->n || b->wires || b->ways || b->sizes || b->mtus || b->stretch_ns || b->to ||
	       b->rebind || o->cold || o->setup || o->report || o->csv;
}

static int check(const struct pw_bench_cli *o, const struct pw_operands *ops, struct pw_err *err)
{
	if (o->quick + o->full + o->classic + (o->profile != NULL) > 1)
		return pw_err_set(
			err, EINVAL, "use one of --quick, --full, --classic and --profile");
	if (o->profile && asks_for_ways(o, ops))
		return pw_err_set(err, EINVAL,
			"--profile knows what it measures; of the other options it takes --rounds, "
			"--seed, --core, --dir and --json");
	if (o->classic && asks_for_rows(o, ops))
		return pw_err_set(err, EINVAL,
			"--classic measures one thing; of the other options it takes --json");
	if (o->json && o->csv)
		return pw_err_set(err, EINVAL, "use --json or --csv, not both");
	if (ops->n > 1)
		return pw_err_set(err, EINVAL, "measure one FILE at a time");
	if (ops->n && o->bench.sizes)
		return pw_err_set(err, EINVAL, "a FILE has its size; leave out --sizes");
	if (o->cold && access(o->dir, W_OK))
		return pw_err_sys(err, errno, "use --dir %s", o->dir);
	return 0;
}

void pw_bench_tick(void *ctx, uint64_t done, uint64_t total, const char *what)
{
	struct pw_progress *p = ctx;
	uint64_t now = pw_clock_ns();
	char line[192], left[32] = "";

	if (!pw_progress_due(p, now))
		return;
	if (done)
		pw_units_duration(left, sizeof(left),
			(uint64_t)((double)(now - p->start_ns) * (double)(total - done) /
				   (double)done));
	snprintf(line, sizeof(line), "bench %llu of %llu: %s%s%s%s", (unsigned long long)done + 1,
		(unsigned long long)total, what, left[0] ? ", " : "", left, left[0] ? " left" : "");
	pw_progress_say(p, now, line);
}

static int print(const struct pw_bench_cli *o, const struct pw_bench_result *r, int code)
{
	struct pw_err err = {0};
	json_t *doc;

	if (o->json) {
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
	if (o->report && !o->json && !o->csv)
		printf("report: %s/report.html\n", o->report);
	return code;
}

/* 3 when a row has brought wrong bytes or none at all: a result nobody should cite. */
static int judge(const struct pw_bench_result *r)
{
	size_t i, k;

	for (i = 0; i < r->n_rows; i++)
		for (k = 0; k < r->rows[i].n_samples; k++)
			if (r->rows[i].samples[k].void_why[0])
				return PW_EXIT_MISMATCH;
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
	pw_progress_init(&progress, ctx->is_tty, o->progress);
	fprintf(stderr, "pagewire: bench: %zu rows, about %s\n", pw_bench_result(b)->n_rows,
		pw_units_duration(duration, sizeof(duration), pw_bench_estimate_ns(b)));
	pw_bench_set_tick(b, pw_bench_tick, &progress);
	r = pw_bench_run(b, &err);
	pw_progress_end(&progress);
	code = r == -ECANCELED ? PW_EXIT_MISMATCH
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
	.config_size = sizeof(struct pw_bench_cli),
	.defaults = &defaults,
	.run = run,
	.examples =
		"  pagewire bench\n"
		"  pagewire bench --classic\n"
		"  pagewire bench --report out --quick\n"
		"  pagewire bench --wires veth --ways udp_gso,dpdk_af_xdp --mtu 3498 --rounds 10\n",
};
