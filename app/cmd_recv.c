/* SPDX-License-Identifier: BSD-3-Clause */
/* pagewire recv --port PORT | --listen ADDR:PORT, --out DIR */
#include <errno.h>

#include "app/cmd_recv.h"
#include "app/commands.h"
#include "base/bytes.h"
#include "base/clock.h"

#define O(field) offsetof(struct pw_recv_options, field)

static const struct pw_opt options[] = {
	{"port", 'p', PW_OPT_STRING, O(port), "PORT", "port to receive on, see PORTS", 0, 0, NULL},
	{"listen", 'l', PW_OPT_STRING, O(listen), "ADDR[:PORT]",
		"without --port: a kernel UDP socket there, which joins a multicast group; with "
		"it: take only this destination, and answer ARP and NDP for it; UDP port 4001 "
		"unless given",
		0, 0, NULL},
	{"out", 'o', PW_OPT_STRING, O(out), "DIR", "directory for the files; it must exist", 0, 0,
		NULL},
	{"interface", 'i', PW_OPT_STRING, O(interface), "IF",
		"interface on which the socket joins the group; default: the route's", 0, 0, NULL},
	{"expect", 0, PW_OPT_U64, O(expect), "N",
		"end when this many files have ended; default: when the sender's session does", 0,
		0, NULL},
	{"timeout", 0, PW_OPT_DURATION, O(timeout_ns), "DURATION",
		"end after this much silence, before the first packet too; 0 = wait forever", 0, 0,
		NULL},
	{"tsi", 0, PW_OPT_U64, O(tsi), "N", "take only sessions with this identifier; default: all",
		0, UINT32_MAX, NULL},
	{"source", 0, PW_OPT_STRING, O(source), "ADDR",
		"take only sessions from this address; a multicast group is joined for it alone "
		"(IGMPv3, MLDv2)",
		0, 0, NULL},
	{"require-digest", 0, PW_OPT_FLAG, O(require_digest), NULL,
		"a file whose sender named no digest is a failure (exit code 3)", 0, 0, NULL},
	{"durable", 0, PW_OPT_CHOICE, O(durable), NULL,
		"report a file as ok once the disk has it (yes), or once it is verified (no, to "
		"measure)",
		0, 0, "yes|no"},
	{"force", 'f', PW_OPT_FLAG, O(force), NULL, "replace files that exist", 0, 0, NULL},
	{"resume", 0, PW_OPT_FLAG, O(resume), NULL,
		"continue the partial files that the gap manifest lists", 0, 0, NULL},
	{"gaps", 0, PW_OPT_STRING, O(gaps), "FILE",
		"path of the gap manifest; default: " PW_GAPS_FILE " in --out", 0, 0, NULL},
	{"discard", 0, PW_OPT_FLAG, O(discard), NULL,
		"count the symbols and write nothing, to measure", 0, 0, NULL},
	{"write", 0, PW_OPT_CHOICE, O(write), NULL,
		"how files on a disk are written; direct: past the page cache; auto: so from 64 "
		"MiB "
		"on, where the file system can",
		0, 0, "auto|mapped|direct"},
	{"write-memory", 0, PW_OPT_SIZE, O(write_memory), "SIZE",
		"memory for all files that are written past the page cache; 8 to 256 MiB", 0, 0,
		NULL},
	{"max-size", 0, PW_OPT_SIZE, O(max_size), "SIZE",
		"refuse larger files; default: the free space of --out", 0, 0, NULL},
	{"max-files", 0, PW_OPT_U64, O(max_files), "N", "take no more files and directories", 1,
		UINT32_MAX, NULL},
	{"rcvbuf", 0, PW_OPT_SIZE, O(rcvbuf), "SIZE", "buffer of the kernel's socket", 0, 0, NULL},
	{"mtu", 0, PW_OPT_U64, O(mtu), "BYTES", "largest IP packet on --port", 576, 65535, NULL},
	{"core", 0, PW_OPT_STRING, O(core), "LIST",
		"CPUs that the polling threads may use; default: those of the port's NUMA node", 0,
		0, NULL},
	{"memory", 0, PW_OPT_SIZE, O(memory), "SIZE",
		"EAL memory; default: what the packet buffers need", 0, 0, NULL},
	{"no-huge", 0, PW_OPT_FLAG, O(no_huge), NULL, "EAL memory on ordinary pages", 0, 0, NULL},
	{"iova", 0, PW_OPT_CHOICE, O(iova), NULL, "addresses that a device sees", 0, 0,
		"auto|va|pa"},
	{"telemetry", 0, PW_OPT_FLAG, O(telemetry), NULL,
		"answer dpdk-telemetry.py: /pagewire/stats, /pagewire/transfers", 0, 0, NULL},
	{"shared-mem", 0, PW_OPT_FLAG, O(shared_mem), NULL,
		"let dpdk-dumpcap and other secondary processes map EAL's memory", 0, 0, NULL},
	{"file-prefix", 0, PW_OPT_STRING, O(file_prefix), "NAME",
		"name for --telemetry and --shared-mem below /run/dpdk; default: rte, or pagewire "
		"with --shared-mem",
		0, 0, NULL},
	{"queue-size", 0, PW_OPT_U64, O(queue_size), "N", "descriptors of each receive queue", 32,
		32768, NULL},
	{"queues", 0, PW_OPT_U64, O(queues), "N",
		"receive queues of --port, each with a thread; a sender's --queues over virtio "
		"needs as many",
		1, 64, NULL},
	{"wait", 0, PW_OPT_DURATION, O(wait_ns), "DURATION",
		"how long to wait for a vhost socket to appear", 0, 0, NULL},
	{"link-grace", 0, PW_OPT_DURATION, O(link_grace_ns), "DURATION",
		"how long the link of --port, or its peer, may be gone before that is the end", 0,
		0, NULL},
	{"progress", 0, PW_OPT_FLAG, O(progress), NULL,
		"report progress even when standard error is no terminal", 0, 0, NULL},
	{"json", 0, PW_OPT_FLAG, O(json), NULL, "print the result as JSON", 0, 0, NULL},
};

static const struct pw_recv_options defaults = {
	.timeout_ns = 30 * PW_NS_PER_S,
	.tsi = UINT64_MAX,
	.max_files = 1000000,
	.write_memory = PW_OUTDIR_MEMORY,
	.rcvbuf = 64u << 20,
	.mtu = 1500,
	.wait_ns = 30 * PW_NS_PER_S,
	.link_grace_ns = PW_NS_PER_S / 2,
};

static int check(struct pw_recv_run *run, struct pw_err *err)
{
	const struct pw_recv_options *o = run->opt;

	if (!o->port && !o->listen)
		return pw_err_set(err, EINVAL,
			"cannot receive: --port and --listen are missing; give one of them");
	if (!o->out && !o->discard)
		return pw_err_set(err, EINVAL,
			"cannot receive: --out is missing; give --out DIR, or --discard to "
			"measure");
	if (o->discard && (o->out || o->resume || o->gaps))
		return pw_err_set(err, EINVAL,
			"cannot use --discard with --out, --resume or --gaps: it writes nothing; "
			"leave out "
			"one or the other");
	if (o->write_memory < PW_OUTDIR_MEMORY_LO || o->write_memory > PW_OUTDIR_MEMORY_HI)
		return pw_err_set(err, EINVAL,
			"cannot use this --write-memory: it must be from %lluMiB to %lluMiB; give "
			"a size "
			"in this range",
			PW_OUTDIR_MEMORY_LO >> 20, PW_OUTDIR_MEMORY_HI >> 20);
	if (o->port && o->interface)
		return pw_err_set(err, EINVAL,
			"cannot use --interface with --port: it is for a kernel socket; leave it "
			"out");
	if (!o->port && run->ops->n_eal)
		return pw_err_set(err, EINVAL,
			"cannot use EAL arguments without a port; give --port PORT, or leave out "
			"all after "
			"--");
	if (!o->port && (o->telemetry || o->shared_mem || o->file_prefix))
		return pw_err_set(err, EINVAL,
			"cannot use --telemetry, --shared-mem or --file-prefix without a port; "
			"give "
			"--port PORT, or leave them out");
	if (!o->port && o->queues > 1)
		return pw_err_set(err, EINVAL,
			"cannot use --queues without a port: a socket has one queue; give --port "
			"PORT, or leave it out");
	if (o->listen && pw_addr_parse("--listen", o->listen, PW_ALC_PORT, &run->listen, err))
		return -EINVAL;
	if (o->source && pw_addr_parse("--source", o->source, 0, &run->source, err))
		return -EINVAL;
	if (pw_addr_is_multicast(&run->source))
		return pw_err_set(err, EINVAL,
			"cannot use --source %s: it is a multicast group; give the address of the "
			"sender's "
			"host",
			o->source);
	return o->port ? pw_recv_pmd_check(o->port, err) : 0;
}

static int create(struct pw_recv_run *run, struct pw_err *err)
{
	const struct pw_recv_options *o = run->opt;
	const struct pw_recv_config cfg = {
		.out_dir = o->out,
		.gaps_path = o->gaps,
		.discard = o->discard,
		.force = o->force,
		.resume = o->resume,
		.tsi_given = o->tsi != UINT64_MAX,
		.tsi = o->tsi != UINT64_MAX ? o->tsi : 0,
		.max_file_bytes = o->max_size,
		.source = run->source,
		.require_digest = o->require_digest,
		.not_durable = o->durable != 0,
		.write = (enum pw_outdir_write)o->write,
		.write_memory_bytes = o->write_memory,
		.max_files = o->max_files,
		.expect_files = o->expect,
		.n_lanes = run->n_queues,
	};

	return pw_recv_create(&run->recv, &cfg, &run->ctx->log, err);
}

static void report_end(const struct pw_recv_run *run, int code)
{
	const enum pw_log_level level = code ? PW_LOG_WARN : PW_LOG_INFO;
	const struct pw_log *log = &run->ctx->log;
	char silence[32];

	pw_units_duration(silence, sizeof(silence), run->opt->timeout_ns);
	if (run->end == PW_RECV_END_TIMEOUT)
		pw_log(log, level, "nothing came for %s: ending with what is here (--timeout)",
			silence);
	else if (run->end == PW_RECV_END_CLOSED)
		pw_log(log, level, "the sender has closed its session: ending with what is here");
	else if (run->end == PW_RECV_END_PEER_GONE)
		pw_log(log, level, "the peer of %s is gone: ending with what is here",
			run->opt->port);
}

static void tick(void *ctx, const struct pw_recv_status *st, uint64_t now)
{
	struct pw_recv_run *run = ctx;
	struct pw_recv_counters c;
	double loss = -1.0;

	if (run->path.tick)
		run->path.tick(run, st, now);
	if (!pw_progress_due(&run->progress, now))
		return;
	if (st->symbols_expected)
		loss = 1.0 - (double)st->symbols_seen / (double)st->symbols_expected;
	pw_recv_counters(run->recv, &c);
	pw_progress_draw(
		&run->progress, now, "recv", st->bytes_have, st->bytes_total, c.packets, loss);
}

static void receive(struct pw_recv_run *run, struct pw_err *err)
{
	const struct pw_recv_loop_config cfg = {
		.recv = run->recv,
		.ops = run->path.ops,
		.path = run->path.path,
		.path_text = run->opt->port ? run->opt->port : run->opt->listen,
		.sleeps = run->path.sleeps,
		.n_queues = run->n_queues,
		.timeout_ns = run->opt->timeout_ns,
		.link_grace_ns = run->opt->link_grace_ns,
		.waits_for_more = run->opt->expect != 0,
		.stopped = pw_stop_requested,
		.tick = tick,
		.ctx = run,
	};

	pw_progress_init(&run->progress, run->ctx->is_tty, run->opt->progress);
	run->end = PW_RECV_END_PATH;
	if (pw_recv_loop_start(&run->loop, &cfg, err) == 0) {
		run->end = pw_recv_loop_run(run->loop, 0, err);
		pw_recv_loop_stop(run->loop, &run->t);
		run->loop = NULL;
	}
	pw_progress_end(&run->progress);
}

/* Finishes the receiver, prints the result and returns the exit code. */
static int finish(struct pw_recv_run *run, struct pw_err *err)
{
	struct pw_err why = {0};
	int result = pw_recv_finish(run->recv, &why);
	int code = result < 0 ? pw_cli_fail(&why) : result ? PW_EXIT_MISMATCH : PW_EXIT_OK;

	if (run->end == PW_RECV_END_PATH)
		code = pw_cli_fail(err);
	report_end(run, code);
	pw_recv_hints(run);
	pw_recv_report(run, code);
	return code;
}

static int run(const void *config, const struct pw_operands *ops, const struct pw_context *ctx)
{
	struct pw_recv_run r = {.opt = config, .ops = ops, .ctx = ctx};
	struct pw_err err = {0};
	int code;

	r.n_queues = r.opt->queues ? (uint32_t)r.opt->queues : 1;

	code = check(&r, &err);
	if (code)
		return code == -ENOTSUP ? pw_cli_fail_open(&err) : pw_cli_usage("recv", &err);
	pw_stop_install();
	if (r.opt->port)
		pw_recv_pmd_prefer(r.opt->port);
	/* The receiver comes first: EAL binds this thread to a CPU, which the finisher would inherit. */
	if (create(&r, &err))
		return pw_cli_fail_open(&err);
	if (pw_recv_path_open(&r, &err)) {
		code = pw_cli_fail_open(&err);
		if (err.code == ECANCELED)
			code = PW_EXIT_MISMATCH; /* a signal: the same code as after the path is open */
		goto destroy_recv;
	}
	receive(&r, &err);
	code = finish(&r, &err);
	r.path.close(&r.path);
destroy_recv:
	pw_recv_destroy(r.recv);
	return code;
}

const struct pw_command pw_cmd_recv = {
	.name = "recv",
	.summary = "receive files from a port or a kernel socket and verify them",
	.opts = options,
	.n_opts = PW_ARRAY_LEN(options),
	.config_size = sizeof(struct pw_recv_options),
	.defaults = &defaults,
	.takes_eal = true,
	.run = run,
	.examples = "  pagewire recv --port virtio-user:/run/w.sock --out in\n"
		    "  pagewire recv --listen 239.77.0.1 --interface eth1 --out in\n"
		    "  pagewire recv --listen 239.77.0.1 --out in --resume\n",
};
