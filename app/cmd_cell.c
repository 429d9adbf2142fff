/* SPDX-License-Identifier: BSD-3-Clause */
/* pagewire cell ROLE: one process of one cell of `pagewire bench`, which starts it. Not for users: the help of
 * pagewire does not list it. */
#include "app/cmd_cell.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app/cli/cli.h"
#include "app/cli/opt_shared.h"
#include "app/cmd_recv.h"
#include "app/commands.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/thread.h"
#include "cell/textbook.h"

#define LEAD_NS  50000000ull  /* the peer's queues come up a moment after the link */
#define GRACE_NS 300000000ull /* for what notices the deadline by itself, and says more */
#define UNSET    UINT64_MAX

struct cell_options {
	struct pw_cell cell;
	struct pw_cell_fec fec;
	const char *way, *receiver, *listen, *from_mac, *pages;
	uint64_t deadline_ns, parent;
	uint32_t cpu, ready_fd;
	unsigned int meter;
};

static const struct pw_opt_choice meters[] = {{"timing", 1u << PW_METER_HARDWARE},
	{"calls", PW_METER_CALLS}, {"copies", 1u << PW_METER_COPIES}, {NULL, 0}};

#define ROW(name, type, group, field) PW_OPT_ROW(name, type, group, struct cell_options, field)

static const struct pw_opt options[] = {
	{ROW("file", STRING, MAIN, cell.file), .letter = 'f', .basic = true, .arg = "PATH",
		.help = "the file that is sent; a sink compares what came with it"},
	{ROW("way", STRING, MAIN, way), .basic = true, .arg = "NAME",
		.help = "source: a way of the kernel; textbook: read_write, mmap_write, sendfile"},
	{ROW("receiver", STRING, MAIN, receiver), .basic = true, .arg = "NAME",
		.help = "sink: a way to receive of the kernel"},
	{ROW("port", STRING, MAIN, cell.port), .letter = 'p', .basic = true, .arg = "PORT",
		.help = "DPDK port instead of a way of the kernel"},
	{ROW("to", STRING, MAIN, cell.to), .letter = 't', .basic = true, .arg = "ADDR[:PORT]",
		.help = "source: the receiver's address"},
	{ROW("from", STRING, MAIN, cell.from), .basic = true, .arg = "ADDR[:PORT]",
		.help = "source: the sender's address"},
	{ROW("to-mac", STRING, PACKETS, cell.to_mac), .arg = "MAC",
		.help = "source: the receiver's MAC, or the router's"},
	{ROW("from-mac", STRING, PACKETS, from_mac), .arg = "MAC",
		.help = "source: the interface's MAC, for ways that write frames"},
	{ROW("listen", STRING, MAIN, listen), .letter = 'l', .basic = true, .arg = "ADDR[:PORT]",
		.help = "sink: where the packets go to"},
	{ROW("interface", STRING, MAIN, cell.interface), .letter = 'i', .basic = true, .arg = "IF",
		.help = "where frames leave or arrive"},
	{ROW("mtu", UINT, PACKETS, cell.mtu), .arg = "BYTES", .help = "IP MTU of the wire",
		.min = 576, .max = 65535},
	{ROW("passes", UINT, SPEED, cell.passes), .arg = "N",
		.help = "source: how often the file is sent", .min = 1, .max = UINT32_MAX},
	{ROW("batch", UINT, SPEED, cell.batch), .arg = "N",
		.help = "source: packets in one call of ways that take several", .min = 1,
		.max = PW_BURST},
	{ROW("chunk", SIZE, SPEED, cell.chunk_bytes), .arg = "SIZE",
		.help = "source: bytes in one call of stream ways"},
	{ROW("rate", RATE, SPEED, cell.rate), .letter = 'r', .arg = "RATE",
		.help = "source: packet ways send at most this"},
	{ROW("remote", FLAG, SPEED, cell.remote),
		.help = "source: to a pagewire recv: the file table has an XXH3-128 digest"},
	{ROW("pages", STRING, FILES, pages), .arg = "PROVIDER",
		.help = "source: where a port's payload is: hugefile, pagecache, stage, stream"},
	{ROW("no-populate", FLAG, FILES, cell.no_populate),
		.help = "source: the way pays for the page faults of the file"},
	{ROW("into", STRING, FILES, cell.into), .basic = true, .arg = "DIR",
		.help = "sink: write a file there, once, verified and durable; memory (the "
			"default): into a buffer, pass after pass"},
	{ROW("direct", FLAG, FILES, cell.direct),
		.help = "sink: with --into: without the page cache"},
	{ROW("tls", FLAG, MEASURE, cell.tls), .help = "sink: decrypts what ktls_sendfile sends"},
	{ROW("sqpoll", FLAG, SPEED, cell.sqpoll),
		.help = "source: io_uring ways: a kernel thread submits"},
	{ROW("qdisc-bypass", FLAG, SPEED, cell.qdisc_bypass),
		.help = "source: AF_PACKET ways: without the queueing discipline"},
	{ROW("source-symbols", UINT, SPEED, fec.k), .arg = "K", .help = "fec: of a block", .min = 1,
		.max = 255},
	{ROW("parity-symbols", UINT, SPEED, fec.r), .arg = "R", .help = "fec: of a block", .min = 1,
		.max = 255},
	{ROW("symbol-bytes", UINT, SPEED, fec.symbol_bytes), .arg = "BYTES", .min = 1, .max = 65535,
		.help = "fec: length of a symbol"},
	{ROW("lost", UINT, SPEED, fec.n_lost), .arg = "N", .max = 255,
		.help = "fec: source symbols that are restored in each block; 0: parity is "
			"computed"},
	{ROW("memory", SIZE, SPEED, fec.memory_bytes), .arg = "SIZE",
		.help = "fec: of all blocks together"},
	{ROW("cpu", UINT, MEASURE, cpu), .arg = "N",
		.help = "CPU of the process, or of the polling thread", .max = CPU_SETSIZE - 1},
	{ROW("meter", CHOICE, MEASURE, meter), .basic = true, .choices = meters,
		.help = "what is measured: all that does not slow down, or system calls and "
			"faults, or copies"},
	{ROW("deadline", DURATION, MEASURE, deadline_ns), .basic = true, .arg = "DURATION",
		.help = "the process ends by then"},
	{ROW("born", UINT, MEASURE, cell.born_ns), .arg = "NS",
		.help = "CLOCK_MONOTONIC before the process was started: set-up counts from there"},
	{ROW("parent", UINT, MEASURE, parent), .arg = "PID",
		.help = "the process that starts this one: this one ends with it"},
	{ROW("ready", UINT, MEASURE, ready_fd), .arg = "FD",
		.help = "sink: a byte is written there when packets can come", .max = INT32_MAX},
};

static const struct pw_opt_table shared[] = {
	{.opts = &pw_opt_no_huge_row,
		.n = 1,
		.offset = offsetof(struct cell_options, cell.no_huge)},
};

static const struct cell_options defaults = {
	.cell = {.mtu = 1500, .passes = 1, .batch = 64, .chunk_bytes = 65536, .born_ns = UNSET},
	.fec = {.k = 200, .r = 10, .symbol_bytes = 1440, .memory_bytes = 128 << 20},
	.meter = 1u << PW_METER_HARDWARE,
	.deadline_ns = 60 * PW_NS_PER_S,
	.cpu = UINT32_MAX,
	.ready_fd = UINT32_MAX,
};

const char *const pw_cell_roles[PW_CELL_N_ROLES] = {
	[PW_CELL_SOURCE] = "source",
	[PW_CELL_SINK] = "sink",
	[PW_CELL_TEXTBOOK] = "textbook",
	[PW_CELL_FEC] = "fec",
	[PW_CELL_WAYS] = "ways",
	[PW_CELL_VERSION] = "version",
};

static const char *const textbook[] = {
	[PW_TEXTBOOK_READ_WRITE] = "read_write",
	[PW_TEXTBOOK_MMAP_WRITE] = "mmap_write",
	[PW_TEXTBOOK_SENDFILE] = "sendfile",
};

/* The index of name in names[n], or -1. */
static int find(const char *const *names, size_t n, const char *name)
{
	size_t i;

	for (i = 0; name && i < n; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -1;
}

static int check_file(struct pw_cell *cell, struct pw_err *err)
{
	struct stat st;

	if (!cell->file)
		return pw_err_set(err, EINVAL, "cannot run without a file; use --file PATH");
	if (stat(cell->file, &st))
		return pw_err_sys(err, errno, "cannot use --file %s", cell->file);
	cell->file_bytes = (uint64_t)st.st_size;
	return 0;
}

/* One of --NAME and --port; each belongs to one role. */
static int check_path(const struct pw_cell *cell, const char *option, const char *name, bool known,
	struct pw_err *err)
{
	if (!name == !cell->port)
		return pw_err_set(err, EINVAL, "cannot run: use %s NAME or --port PORT", option);
	if (name && !known)
		return pw_err_set(err, EINVAL,
			"cannot use %s %s: there is no such way; `pagewire cell ways` lists them",
			option, name);
	if (cell->port && pw_recv_pmd_check(cell->port, err) == -EINVAL)
		return -EINVAL;
	return 0;
}

static int check_source(struct cell_options *o, struct pw_err *err)
{
	struct pw_cell *cell = &o->cell;
	struct pw_flow *f = &cell->flow;
	int r;

	cell->way = o->way ? pw_way_find(o->way) : NULL;
	r = check_path(cell, "--way", o->way, cell->way != NULL, err);
	if (r == 0 && !cell->to)
		r = pw_err_set(err, EINVAL, "cannot send: use --to ADDR:PORT");
	if (r == 0)
		r = pw_addr_parse("--to", cell->to, PW_ALC_PORT, &f->dst, err);
	if (r == 0 && cell->from)
		r = pw_addr_parse("--from", cell->from, f->dst.port, &f->src, err);
	if (r == 0 && cell->to_mac)
		r = pw_mac_parse("--to-mac", cell->to_mac, f->dst_mac, err);
	if (r == 0 && o->from_mac)
		r = pw_mac_parse("--from-mac", o->from_mac, f->src_mac, err);
	if (r == 0 && o->pages && !pw_pages_parse(o->pages, &cell->pages))
		r = pw_err_set(
			err, EINVAL, "cannot use --pages %s: there is no such provider", o->pages);
	if (r == 0 && (cell->chunk_bytes < 1 || cell->chunk_bytes > 1u << 30))
		r = pw_err_set(err, EINVAL, "cannot use --chunk: it is from 1B to 1GiB");
	if (r == 0 && cell->way && cell->way->kind == PW_WAY_FRAME && !cell->interface)
		r = pw_err_set(err, EINVAL, "cannot send frames by %s: use --interface IF", o->way);
	f->vlan = PW_VLAN_NONE;
	f->ttl = 64;
	if (cell->remote || (cell->port && strcmp(cell->port, "null") != 0))
		cell->lead_ns = LEAD_NS;
	return r;
}

static int check_sink(struct cell_options *o, struct pw_err *err)
{
	struct pw_cell *cell = &o->cell;
	int r;

	cell->receiver = o->receiver ? pw_rx_way_find(o->receiver) : NULL;
	if (cell->into && strcmp(cell->into, "memory") == 0)
		cell->into = NULL;
	r = check_path(cell, "--receiver", o->receiver, cell->receiver != NULL, err);
	if (r)
		return r;
	if (cell->receiver && !o->listen)
		return pw_err_set(err, EINVAL, "cannot receive: use --listen ADDR:PORT");
	if (cell->receiver && cell->receiver->kind == PW_WAY_FRAME && !cell->interface)
		return pw_err_set(err, EINVAL, "cannot receive frames by %s: use --interface IF",
			o->receiver);
	if (cell->into && cell->receiver && cell->receiver->kind == PW_WAY_STREAM)
		return pw_err_set(err, EINVAL,
			"cannot use --into with --receiver %s: a stream has no file table; leave "
			"it out",
			o->receiver);
	if (cell->direct && !cell->into)
		return pw_err_set(err, EINVAL, "cannot use --direct without --into DIR");
	cell->flow.vlan = PW_VLAN_NONE;
	return o->listen ? pw_addr_parse("--listen", o->listen, PW_ALC_PORT, &cell->flow.dst, err)
			 : 0;
}

static int check_textbook(const struct cell_options *o, struct pw_err *err)
{
	if (find(textbook, PW_ARRAY_LEN(textbook), o->way) < 0)
		return pw_err_set(err, EINVAL,
			"cannot run the textbook: use --way read_write, mmap_write or sendfile");
	if (o->cell.file_bytes != PW_TEXTBOOK_BYTES)
		return pw_err_set(err, EINVAL, "cannot use --file %s: it must have %d bytes",
			o->cell.file, PW_TEXTBOOK_BYTES);
	return 0;
}

static int check(struct cell_options *o, enum pw_cell_role role, struct pw_err *err)
{
	int r = check_file(&o->cell, err);

	if (r)
		return r;
	return role == PW_CELL_SOURCE ? check_source(o, err)
	       : role == PW_CELL_SINK ? check_sink(o, err)
				      : check_textbook(o, err);
}

/* Prints the result at the deadline, unless the run has printed it before. */
struct watch {
	enum pw_cell_role role;
	const char *way;
	const struct pw_cell *cell;
	sem_t done;          /* posted when the run has printed */
	atomic_flag printed; /* by the first of the two */
};

static int print_end(struct watch *w, const struct pw_cell_end *end)
{
	if (atomic_flag_test_and_set(&w->printed))
		for (;;)
			pause(); /* the watching thread prints, and ends the process */
	return pw_cell_report(w->role, w->way, w->cell, end);
}

static void *watch_main(void *arg)
{
	struct watch *w = arg;
	const uint64_t until = w->cell->deadline_ns + GRACE_NS;
	const struct timespec at = {
		.tv_sec = (time_t)(until / PW_NS_PER_S), .tv_nsec = (long)(until % PW_NS_PER_S)};
	struct pw_cell_end end = {0};
	int code;

	do
		code = sem_clockwait(&w->done, CLOCK_MONOTONIC, &at);
	while (code < 0 && errno == EINTR);
	if (code == 0)
		return NULL;
	end.result = pw_err_set(
		&end.err, ETIMEDOUT, "the %s did not end in time", pw_cell_roles[w->role]);
	if (atomic_flag_test_and_set(&w->printed))
		return NULL; /* the run prints, and ends the process */
	code = pw_cell_report(w->role, w->way, w->cell, &end);
	fflush(stdout);
	_exit(code);
}

/* Dies with the bench; a signal from the terminal is the bench's to answer. parent: the bench, which may
 * have ended before this; 0: not known. */
static void become_child(uint64_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (parent && (uint64_t)getppid() != parent)
		_exit(PW_EXIT_INCOMPLETE);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
}

/* A port binds its own thread; its driver's threads must run on other CPUs. */
static void pin(const struct pw_cell *cell, uint32_t cpu)
{
	cpu_set_t set;

	if (cpu == UINT32_MAX || cell->port)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static int run_role(enum pw_cell_role role, const char *way, const struct pw_cell *cell)
{
	struct watch w = {.role = role, .way = way, .cell = cell, .printed = ATOMIC_FLAG_INIT};
	struct pw_cell_end end = {0};
	struct pw_err err;
	pthread_t thread;
	int r;

	sem_init(&w.done, 0, 0);
	r = pw_thread_start(&thread, watch_main, &w);
	if (r) {
		pw_err_sys(&err, r, "cannot start the thread that keeps --deadline");
		return pw_cli_fail(&err);
	}
	if (role == PW_CELL_SOURCE)
		pw_cell_source(cell, &end);
	else if (role == PW_CELL_SINK)
		pw_cell_sink(cell, &end);
	else
		pw_cell_textbook(cell,
			(enum pw_textbook_way)find(textbook, PW_ARRAY_LEN(textbook), way), &end);
	r = print_end(&w, &end);
	sem_post(&w.done);
	pthread_join(thread, NULL);
	return r;
}

static int run_fec(const struct cell_options *o)
{
	struct pw_cell_fec_end end;
	struct pw_err err;

	pin(&o->cell, o->cpu);
	if (pw_cell_fec(&o->fec, &end, &err))
		return err.code == EINVAL ? pw_cli_usage("cell", &err) : pw_cli_fail(&err);
	pw_cell_print_fec(&end);
	return PW_EXIT_OK;
}

static int run(const void *config, const struct pw_operands *ops, const struct pw_context *ctx)
{
	const uint64_t now = pw_clock_ns();
	struct cell_options o = *(const struct cell_options *)config;
	struct pw_cell *cell = &o.cell;
	struct pw_err err = {0};
	char core[16];
	int role = ops->n == 1 ? find(pw_cell_roles, PW_CELL_N_ROLES, ops->argv[0]) : -1;

	become_child(o.parent);
	if (role < 0)
		pw_err_set(&err, EINVAL,
			"cannot run: use one ROLE: source, sink, textbook, fec, ways or version");
	else if (role == PW_CELL_WAYS)
		pw_cell_print_ways();
	else if (role == PW_CELL_VERSION)
		pw_cell_print_version();
	else if (role == PW_CELL_FEC)
		return run_fec(&o);
	if (role < 0 || (role < PW_CELL_WAYS && check(&o, (enum pw_cell_role)role, &err)))
		return pw_cli_usage("cell", &err);
	if (role >= PW_CELL_WAYS)
		return PW_EXIT_OK;
	snprintf(core, sizeof(core), "%u", o.cpu);
	cell->cores = o.cpu == UINT32_MAX ? NULL : core;
	cell->meter = o.meter;
	cell->deadline_ns = now + o.deadline_ns;
	cell->born_ns = cell->born_ns == UNSET ? now : cell->born_ns;
	cell->ready_fd = o.ready_fd == UINT32_MAX ? -1 : (int)o.ready_fd;
	cell->ended_fd = STDIN_FILENO;
	cell->log = &ctx->log;
	cell->verbose = ctx->log.level >= PW_LOG_DEBUG;
	pin(cell, o.cpu);
	return run_role((enum pw_cell_role)role,
		cell->port   ? cell->port
		: o.receiver ? o.receiver
			     : o.way,
		cell);
}

const struct pw_command pw_cmd_cell = {
	.name = "cell",
	.summary = "one process of a cell of pagewire bench",
	.operands = "source|sink|textbook|fec|ways|version",
	.opts = options,
	.n_opts = PW_ARRAY_LEN(options),
	.shared = shared,
	.n_shared = PW_ARRAY_LEN(shared),
	.config_size = sizeof(struct cell_options),
	.defaults = &defaults,
	.run = run,
	.examples = "  pagewire cell sink --receiver udp --listen 127.0.0.1:4001 --file F\n"
		    "  pagewire cell source --way udp_gso --to 127.0.0.1:4001 --file F\n",
};
