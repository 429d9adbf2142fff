/* SPDX-License-Identifier: BSD-3-Clause */
/* pagewire bench [FILE]: its options. The experiment itself is a Python package, scripts/bench, which gets them as
 * JSON and starts `pagewire cell`. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/cli/cli.h"
#include "app/cli/opt_shared.h"
#include "app/cli/script.h"
#include "app/commands.h"
#include "base/bytes.h"
#include "base/json_text.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "host/cpu.h"

#define PACKAGE_MAIN "/__main__.py"
#define MTU_MIN      576
#define MTU_MAX      65535
#define CHUNK_MAX    (1u << 30)
#define UNSET        UINT64_MAX

struct bench_options {
	const char *profile, *wires, *ways, *sizes, *mtus, *baseline, *dir, *to, *cores, *rate,
		*report, *resume, *into;
	struct pw_strings compare;
	uint64_t rounds, stretch_ns, batch, chunk_bytes, seed;
	struct pw_output_config output;
	bool quick, full, classic, receive, list, cold, rebind, sqpoll, qdisc_bypass, no_evidence,
		evidence_only, no_huge, setup, csv, all_samples;
};

#define ROW(name, type, group, field) PW_OPT_ROW(name, type, group, struct bench_options, field)

static const struct pw_opt options[] = {
	{ROW("quick", FLAG, MAIN, quick), .basic = true,
		.help = "a choice of ways, 32 MiB, 5 rounds: less than two minutes; the default"},
	{ROW("full", FLAG, MAIN, full), .basic = true,
		.help = "every way and wire, 4 KiB to 1 GiB, MTU 1500 and 9000, 10 rounds: hours"},
	{ROW("classic", FLAG, MAIN, classic), .basic = true,
		.help = "the textbook's table: one buffer, one pass; copies and mode switches "
			"counted"},
	{ROW("profile", STRING, MAIN, profile), .basic = true, .arg = "NAME|PATH",
		.help = "one question about pagewire, measured against a target: --list names the "
			"profiles; or the path of a profile of your own"},
	{ROW("receive", FLAG, MAIN, receive), .help = "compare the ways to receive instead"},
	{ROW("compare", LIST, MAIN, compare), .arg = "FILE",
		.help = "compare results instead of measuring: name at least two, result.json of "
			"--report or the output of --json"},
	{ROW("resume", STRING, MAIN, resume), .arg = "FILE",
		.help = "a result.json: rows that are whole in it are not measured again"},
	{ROW("list", FLAG, MAIN, list), .basic = true,
		.help = "list the ways and the wires of each, and the profiles"},
	{ROW("wires", STRING, MEASURE, wires), .letter = 'w', .basic = true, .arg = "LIST",
		.help = "of loopback, veth, sink, tap, vhost, null, nic:IF; without --ways all "
			"ways on them"},
	{ROW("ways", STRING, MEASURE, ways), .basic = true, .arg = "LIST",
		.help = "names that --list prints; NAME@WIRE: only on that wire"},
	{ROW("sizes", STRING, MEASURE, sizes), .arg = "LIST",
		.help = "sizes of the files that are made: 4K,64M"},
	{ROW("mtu", STRING, MEASURE, mtus), .arg = "LIST",
		.help = "MTUs of the wires; all but the first with the largest file only"},
	{ROW("rounds", UINT, MEASURE, rounds), .arg = "N", .help = "rounds after the warm-up",
		.min = 1, .max = 1000},
	{ROW("stretch", DURATION, MEASURE, stretch_ns), .arg = "DURATION",
		.help = "how long each run sends: the file is sent again until then, at least "
			"once"},
	{ROW("baseline", STRING, MEASURE, baseline), .arg = "WAY",
		.help = "ratios are to this way on the same wire, round by round"},
	{ROW("cold", FLAG, MEASURE, cold),
		.help = "measure also with the file on a disk (--dir) and dropped from the page "
			"cache"},
	{ROW("into", STRING, MEASURE, into), .arg = "LIST",
		.help = "with --receive, where the file goes: memory (the default), cache (a file "
			"in "
			"--dir), direct (the same by O_DIRECT)"},
	{ROW("dir", STRING, MEASURE, dir), .arg = "DIR",
		.help = "directory for cold files, and for those of --into"},
	{ROW("to", STRING, MEASURE, to), .letter = 't', .arg = "ADDR[:PORT]",
		.help = "nic: address or host name where a remote pagewire recv listens"},
	{ROW("rebind", FLAG, MEASURE, rebind),
		.help = "nic: let dpdk_pci take the interface's device from the kernel for each "
			"of its runs; it is given back with its addresses and routes"},
	{ROW("core", STRING, MEASURE, cores), .arg = "LIST",
		.help = "the sender's CPU and the receiver's; default: the first two allowed"},
	{ROW("rate", STRING, MEASURE, rate), .letter = 'r', .arg = "RATE",
		.help = "packet ways send at most this: 10G or 10Gbit/s, or 2Mpps"},
	{ROW("batch", UINT, MEASURE, batch), .arg = "N",
		.help = "packets in one call of the kernel ways that take several; the bypass has "
			"64",
		.min = 1, .max = 64},
	{ROW("chunk", SIZE, MEASURE, chunk_bytes), .arg = "SIZE",
		.help = "bytes in one call of stream ways"},
	{ROW("sqpoll", FLAG, MEASURE, sqpoll), .help = "io_uring ways: a kernel thread submits"},
	{ROW("qdisc-bypass", FLAG, MEASURE, qdisc_bypass),
		.help = "AF_PACKET ways: without the queueing discipline"},
	{ROW("no-evidence", FLAG, MEASURE, no_evidence),
		.help = "leave out the runs that count system calls, faults and copies"},
	{ROW("evidence-only", FLAG, MEASURE, evidence_only),
		.help = "only these runs: no time is measured"},
	{ROW("seed", UINT, MEASURE, seed), .arg = "N",
		.help = "seed of the orders and of the bootstrap", .max = UINT32_MAX},
	{ROW("include-setup", FLAG, OUTPUT, setup),
		.help = "add columns with the time before the first packet: EAL, mapping, staging"},
	{ROW("report", STRING, OUTPUT, report), .basic = true, .arg = "DIR",
		.help = "write report.html with plots, result.json and samples.csv there"},
	{ROW("csv", FLAG, OUTPUT, csv), .help = "print the measured samples as CSV"},
	{ROW("all-samples", FLAG, OUTPUT, all_samples),
		.help = "with --csv: the warm-up and the evidence runs as well"},
};

static const struct pw_opt_table shared[] = {
	{.opts = &pw_opt_no_huge_row, .n = 1, .offset = offsetof(struct bench_options, no_huge)},
	PW_OPT_OUTPUT_TABLE(struct bench_options, output),
};

static const struct bench_options defaults = {
	.dir = "/var/tmp",
	.baseline = "udp_read_send",
	.batch = 64,
	.chunk_bytes = 65536,
	.stretch_ns = UNSET,
	.seed = 1,
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

/* Options that choose what is measured, and on what. */
static bool chooses_rows(const struct bench_options *o)
{
	return o->wires || o->ways || o->sizes || o->mtus || o->stretch_ns != UNSET || o->to ||
	       o->cold || o->setup || o->resume || o->evidence_only;
}

static int check_mode(
	const struct bench_options *o, const struct pw_operands *ops, struct pw_err *err)
{
	const bool rows = chooses_rows(o);

	if (o->quick + o->full + o->classic + o->receive + (o->profile != NULL) +
			(o->compare.n != 0) >
		1)
		return pw_err_set(err, EINVAL,
			"cannot use --quick, --full, --classic, --receive, --profile and --compare "
			"together; use one of them");
	if (o->profile && (rows || o->rebind || o->csv))
		return pw_err_set(err, EINVAL,
			"cannot use other options with --profile than --rounds, --seed, --core, "
			"--dir, --no-huge, --report and --json: a profile is a fixed set of cells; "
			"leave the others out");
	if (o->classic && (rows || ops->n || o->rounds || o->cores || o->report || o->csv))
		return pw_err_set(err, EINVAL,
			"cannot use other options with --classic than --json; leave them out");
	if (o->compare.n && (rows || o->rounds || o->cores || o->rebind || o->csv))
		return pw_err_set(err, EINVAL,
			"cannot use other options with --compare than --report, --seed and --json: "
			"nothing is measured; leave the others out");
	if (o->compare.n && o->compare.n + (size_t)ops->n < 2)
		return pw_err_set(err, EINVAL,
			"cannot compare one result; name another: --compare FILE FILE");
	return 0;
}

static int check_evidence(const struct bench_options *o, struct pw_err *err)
{
	if (!o->evidence_only || !(o->no_evidence || o->rounds || o->receive || o->resume))
		return 0;
	return pw_err_set(err, EINVAL,
		"cannot use --evidence-only with --no-evidence, --rounds, --receive or --resume: "
		"no round is timed; leave one of them out");
}

/* Options of senders. */
static int check_receive(const struct bench_options *o, struct pw_err *err)
{
	if (o->cold || o->to || o->rebind || o->resume || o->setup || o->sqpoll ||
		o->qdisc_bypass || strcmp(o->baseline, defaults.baseline) != 0)
		return pw_err_set(err, EINVAL,
			"cannot use --cold, --to, --rebind, --resume, --baseline, --sqpoll, "
			"--qdisc-bypass or --include-setup with --receive: the sender is the same "
			"for all; leave them out");
	return 0;
}

/* JSON, which hands the options over, has UTF-8 only. name NULL: not given. */
static int check_name(const char *name, struct pw_err *err)
{
	if (!name || pw_utf8_valid(name))
		return 0;
	return pw_err_set(err, EILSEQ,
		"cannot use the name '%s': it is not UTF-8; rename the file, or name a link to it",
		name);
}

static int check_names(
	const struct bench_options *o, const struct pw_operands *ops, struct pw_err *err)
{
	const char *const names[] = {o->profile, o->resume, o->dir, o->report};
	size_t i;
	int r = 0;

	for (i = 0; i < PW_ARRAY_LEN(names) && r == 0; i++)
		r = check_name(names[i], err);
	for (i = 0; i < o->compare.n && r == 0; i++)
		r = check_name(o->compare.v[i], err);
	for (i = 0; i < (size_t)ops->n && r == 0; i++)
		r = check_name(ops->argv[i], err);
	return r;
}

static int check_amounts(const struct bench_options *o, struct pw_err *err)
{
	if (o->stretch_ns == 0)
		return pw_err_set(err, EINVAL,
			"cannot use --stretch 0: a run takes time; use 1ns, which sends the file "
			"once, or more");
	if (o->chunk_bytes < 1 || o->chunk_bytes > CHUNK_MAX)
		return pw_err_set(err, EINVAL, "cannot use --chunk: it is from 1B to 1GiB");
	return 0;
}

static int check(const struct bench_options *o, const struct pw_operands *ops, struct pw_err *err)
{
	int r = check_mode(o, ops, err);

	r = r ? r : check_names(o, ops, err);
	r = r ? r : check_amounts(o, err);
	r = r ? r : check_evidence(o, err);
	if (r == 0 && o->receive)
		r = check_receive(o, err);
	if (r)
		return r;
	if (o->output.json && o->csv)
		return pw_err_set(
			err, EINVAL, "cannot use --json and --csv together; use one of them");
	if (o->all_samples && !o->csv)
		return pw_err_set(err, EINVAL,
			"cannot use --all-samples without --csv; add it or leave it out");
	if (o->into && !o->receive)
		return pw_err_set(
			err, EINVAL, "cannot use --into without --receive; add it or leave it out");
	if (ops->n > 1 && !o->compare.n)
		return pw_err_set(err, EINVAL, "cannot measure more than one FILE; name one");
	if (ops->n && o->sizes)
		return pw_err_set(err, EINVAL,
			"cannot use --sizes with a FILE, which has its own size; leave it out");
	if (o->cold && access(o->dir, W_OK))
		return pw_err_sys(err, errno, "cannot use --dir %s", o->dir);
	return 0;
}

/* Appends the value of one item of a list to `array`. */
typedef int add_item(json_t *array, const char *what, const char *item, struct pw_err *err);

static int add_name(json_t *array, const char *what, const char *item, struct pw_err *err)
{
	(void)what, (void)err;
	return json_array_append_new(array, pw_json_text(item));
}

static int add_size(json_t *array, const char *what, const char *item, struct pw_err *err)
{
	uint64_t bytes;
	int r = pw_units_parse_size(what, item, &bytes, err);

	return r ? r : json_array_append_new(array, json_integer((json_int_t)bytes));
}

static int add_mtu(json_t *array, const char *what, const char *item, struct pw_err *err)
{
	uint64_t mtu;
	int r = pw_units_parse_u64(what, item, MTU_MIN, MTU_MAX, &mtu, err);

	return r ? r : json_array_append_new(array, json_integer((json_int_t)mtu));
}

/* Sets doc[key] to the items of a list that commas separate; text NULL: not given. */
static int set_list(
	json_t *doc, const char *key, const char *text, add_item *add, struct pw_err *err)
{
	char what[32], *copy = text ? strdup(text) : NULL, *item, *save;
	json_t *array = json_array();
	int r = 0;

	snprintf(what, sizeof(what), "--%s", key);
	for (item = copy ? strtok_r(copy, ",", &save) : NULL; item && r == 0;
		item = strtok_r(NULL, ",", &save))
		r = add(array, what, item, err);
	if (r == 0 && copy && json_array_size(array) == 0)
		r = pw_err_set(err, EINVAL, "cannot read %s '%s': name at least one", what, text);
	if (r == 0 && copy)
		json_object_set(doc, key, array);
	json_decref(array);
	free(copy);
	return r;
}

static int set_cpus(json_t *doc, const char *list, struct pw_err *err)
{
	json_t *array = json_array();
	cpu_set_t set;
	int cpu, r = list ? pw_cpu_list_parse("--core", list, &set, err) : 0;

	for (cpu = 0; list && r == 0 && cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set))
			json_array_append_new(array, json_integer(cpu));
	if (list && r == 0)
		json_object_set(doc, "core", array);
	json_decref(array);
	return r;
}

static int set_lists(json_t *doc, const struct bench_options *o, struct pw_err *err)
{
	struct pw_rate rate;
	int r = o->rate ? pw_units_parse_rate("--rate", o->rate, &rate, err) : 0;

	r = r ? r : set_list(doc, "wires", o->wires, add_name, err);
	r = r ? r : set_list(doc, "ways", o->ways, add_name, err);
	r = r ? r : set_list(doc, "into", o->into, add_name, err);
	r = r ? r : set_list(doc, "sizes", o->sizes, add_size, err);
	r = r ? r : set_list(doc, "mtu", o->mtus, add_mtu, err);
	r = r ? r : set_cpus(doc, o->cores, err);
	return r;
}

/* --compare A B, or --compare A --compare B */
static void set_results(json_t *doc, const struct bench_options *o, const struct pw_operands *ops)
{
	json_t *files = json_array();
	size_t i;

	for (i = 0; i < o->compare.n; i++)
		json_array_append_new(files, pw_json_text(o->compare.v[i]));
	for (i = 0; i < (size_t)ops->n; i++)
		json_array_append_new(files, pw_json_text(ops->argv[i]));
	json_object_set_new(doc, "compare", files);
}

static void set_texts(json_t *doc, const struct bench_options *o, const struct pw_operands *ops)
{
	const struct {
		const char *key, *value;
	} rows[] = {
		{"version", PW_VERSION},
		{"file", ops->n && !o->compare.n ? ops->argv[0] : NULL},
		{"profile", o->profile},
		{"resume", o->resume},
		{"baseline", o->baseline},
		{"dir", o->dir},
		{"to", o->to},
		{"rate", o->rate},
		{"report", o->report},
	};
	char program[PATH_MAX], *command = command_line();
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(rows); i++)
		if (rows[i].value)
			json_object_set_new(doc, rows[i].key, pw_json_text(rows[i].value));
	if (n > 0) {
		program[n] = '\0';
		json_object_set_new(doc, "pagewire", pw_json_text(program));
	}
	if (command)
		json_object_set_new(doc, "command", pw_json_text(command));
	free(command);
}

static void set_flags(json_t *doc, const struct bench_options *o, const struct pw_context *ctx)
{
	const struct {
		const char *key;
		bool value;
	} rows[] = {
		{"quick", o->quick},
		{"full", o->full},
		{"classic", o->classic},
		{"receive", o->receive},
		{"list", o->list},
		{"cold", o->cold},
		{"rebind", o->rebind},
		{"sqpoll", o->sqpoll},
		{"qdisc_bypass", o->qdisc_bypass},
		{"no_evidence", o->no_evidence},
		{"evidence_only", o->evidence_only},
		{"no_huge", o->no_huge},
		{"include_setup", o->setup},
		{"csv", o->csv},
		{"all_samples", o->all_samples},
		{"json", o->output.json},
		{"verbose", ctx->log.level >= PW_LOG_DEBUG},
	};
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(rows); i++)
		if (rows[i].value)
			json_object_set_new(doc, rows[i].key, json_true());
	json_object_set_new(doc, "progress", json_boolean(ctx->is_tty || o->output.progress));
}

static void set_numbers(json_t *doc, const struct bench_options *o)
{
	const struct {
		const char *key;
		uint64_t value; /* 0: not given */
	} rows[] = {
		{"rounds", o->rounds},
		{"stretch_ns", o->stretch_ns == UNSET ? 0 : o->stretch_ns},
		{"batch", o->batch},
		{"chunk_bytes", o->chunk_bytes},
	};
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(rows); i++)
		if (rows[i].value)
			json_object_set_new(
				doc, rows[i].key, json_integer((json_int_t)rows[i].value));
	json_object_set_new(doc, "seed", json_integer((json_int_t)o->seed));
}

/* Python would open a file as a stream that is closed. What is written to a closed stdout still fails. */
static void fill_streams(void)
{
	const int flags[] = {O_RDONLY, O_RDONLY, O_WRONLY};
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", flags[fd]); /* gets the lowest number, fd */
}

/* They wait until the package can answer them: Python would print where it was. */
static void block_signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(how, &set, NULL);
}

/* Runs the package in place of this process. Returns only when that fails. */
static int become(json_t *doc, struct pw_err *err)
{
	char package[PATH_MAX], *text;

	if (pw_script_find("../scripts/bench" PACKAGE_MAIN, "bench" PACKAGE_MAIN, package,
		    sizeof(package)))
		return pw_err_set(err, ENOENT,
			"cannot measure: the bench is not installed, there is no %s; install "
			"pagewire completely, with python3, python3-numpy, python3-rich, "
			"python3-matplotlib and python3-jinja2",
			package);
	package[strlen(package) - strlen(PACKAGE_MAIN)] = '\0';
	text = json_dumps(doc, JSON_COMPACT);
	if (!text)
		return pw_err_sys(err, ENOMEM, "cannot measure");
	fill_streams();
	block_signals(SIG_BLOCK);
	execlp("python3", "python3", "-B", package, text, (char *)NULL);
	if (errno == E2BIG)
		pw_err_set(err, E2BIG,
			"cannot run the bench: its options are longer than the kernel passes on, "
			"128 KiB; name fewer ways, sizes or files");
	else
		pw_err_sys(err, errno,
			"cannot run the bench by python3; install python3, python3-numpy, "
			"python3-rich, python3-matplotlib and python3-jinja2");
	block_signals(SIG_UNBLOCK);
	free(text);
	return -err->code;
}

static int run(const void *config, const struct pw_operands *ops, const struct pw_context *ctx)
{
	const struct bench_options *o = config;
	json_t *doc = json_object();
	struct pw_err err = {0};
	int code;

	if ((!o->list && check(o, ops, &err)) || set_lists(doc, o, &err)) {
		code = pw_cli_usage("bench", &err);
	} else {
		set_texts(doc, o, ops);
		if (o->compare.n)
			set_results(doc, o, ops);
		set_flags(doc, o, ctx);
		set_numbers(doc, o);
		become(doc, &err);
		pw_cli_fail(&err);
		code = PW_EXIT_NOENV;
	}
	json_decref(doc);
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
	.config_size = sizeof(struct bench_options),
	.defaults = &defaults,
	.run = run,
	.examples =
		"  pagewire bench\n"
		"  pagewire bench --classic\n"
		"  pagewire bench --report out --quick\n"
		"  pagewire bench --wires veth --ways udp_gso,dpdk_af_xdp --mtu 3498 --rounds 10\n"
		"  pagewire bench --receive --wires veth\n",
};
