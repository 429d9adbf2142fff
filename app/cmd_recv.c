/* SPDX-License-Identifier: BSD-3-Clause */
/* pagewire recv --port PORT | --listen ADDR:PORT, --out DIR: its options, and the run of the receiver. */
#include <errno.h>
#include <string.h>

#include "app/cli/opt_shared.h"
#include "app/cmd_recv.h"
#include "app/commands.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "kernel/hostname.h"

static const struct pw_opt_choice durable[] = {{"yes", false}, {"no", true}, {NULL, 0}};
static const struct pw_opt_choice writes[] = {{"auto", PW_OUTDIR_AUTO},
	{"mapped", PW_OUTDIR_MAPPED}, {"direct", PW_OUTDIR_DIRECT}, {NULL, 0}};

#define ROW(name, type, group, field) PW_OPT_ROW(name, type, group, struct pw_recv_options, field)

static const struct pw_opt options[] = {
	{ROW("listen", STRING, MAIN, listen), .letter = 'l', .basic = true, .arg = "ADDR[:PORT]",
		.help = "without --port: a kernel UDP socket at this address or host name, which "
			"joins a multicast group; with it: take only this destination, and answer "
			"ARP and NDP for it; UDP port 4001 unless given"},
	{ROW("out", STRING, MAIN, set.out_dir), .letter = 'o', .basic = true, .arg = "DIR",
		.help = "directory for the files; it must exist"},
	{ROW("interface", STRING, MAIN, udp.interface), .letter = 'i', .basic = true, .arg = "IF",
		.help = "interface on which the socket joins the group; default: the route's"},
	{ROW("resume", FLAG, MAIN, set.resume), .basic = true,
		.help = "continue the partial files that the gap manifest lists"},
	{ROW("trust", STRING, MAIN, trust), .basic = true, .arg = "PUB.pem|DIR",
		.help = "take only files whose table is signed by one of these public Ed25519 "
			"keys: a PEM file, or the *.pem of a directory"},
	{ROW("clock-skew", DURATION, MAIN, set.clock_skew_ns), .arg = "DURATION",
		.help = "with --trust: how far the clocks of sender and receiver may differ"},
	{ROW("repair", STRING, MAIN, repair), .basic = true, .arg = PW_RECV_REPAIR_SENDER "|URL",
		.implied = PW_RECV_REPAIR_SENDER,
		.help = "tell a sender that was given --repair what is missing, and when all is "
			"here; with a URL (http:// or https://), when no more packets come, fetch "
			"what "
			"is missing from this directory of a web server that has the same files"},
	{ROW("gaps", STRING, MAIN, set.gaps_path), .arg = "FILE",
		.help = "where the gap manifest is; default: " PW_GAPS_FILE " in --out"},
	{ROW("expect", UINT, MAIN, set.expect_files), .arg = "N",
		.help = "end when this many files have ended; default: when the sender's session "
			"does"},
	{ROW("timeout", DURATION, MAIN, loop.timeout_ns), .basic = true, .arg = "DURATION",
		.help = "end after this much silence, also before the first packet; 0 = wait "
			"forever"},
	{ROW("tsi", UINT, PACKETS, set.tsi), .arg = "N",
		.help = "take only sessions with this identifier; default: all", .max = UINT32_MAX},
	{ROW("source", STRING, PACKETS, source), .arg = "ADDR",
		.help = "take only sessions from this address or host name; a multicast group is "
			"joined for it alone (IGMPv3, MLDv2)"},
	{ROW("rcvbuf", SIZE, PACKETS, udp.rcvbuf_bytes), .arg = "SIZE",
		.help = "buffer of the kernel's socket"},
	{ROW("force", FLAG, FILES, set.force), .letter = 'f', .basic = true,
		.help = "replace files that exist"},
	{ROW("require-digest", FLAG, FILES, set.require_digest),
		.help = "a file whose sender named no digest is a failure (exit code 3)"},
	{ROW("durable", CHOICE, FILES, set.not_durable),
		.help = "report a file as ok when it is on the disk (yes), or when it is verified "
			"(no, to measure)",
		.choices = durable},
	{ROW("discard", FLAG, FILES, set.discard),
		.help = "count the symbols and write nothing, to measure"},
	{ROW("write", CHOICE, FILES, set.write),
		.help = "how files on a disk are written; direct: without the page cache; auto: "
			"direct from 64 MiB on, where the file system can",
		.choices = writes},
	{ROW("write-memory", SIZE, FILES, set.write_memory_bytes), .arg = "SIZE",
		.help = "memory for all files that are written without the page cache; 8 to 256 "
			"MiB"},
	{ROW("max-size", SIZE, FILES, set.max_file_bytes), .arg = "SIZE",
		.help = "refuse larger files; default: the free space of --out"},
	{ROW("max-files", UINT, FILES, set.max_files), .arg = "N",
		.help = "take at most this many files and directories", .min = 1,
		.max = UINT32_MAX},
	{ROW("link-grace", DURATION, PORT, loop.link_grace_ns), .arg = "DURATION",
		.help = "how long the link of --port, or its peer, may be gone before the "
			"receiver ends"},
};

static const struct pw_opt_table shared[] = {
	PW_OPT_PORT_TABLES(struct pw_recv_options, port),
	PW_OPT_OUTPUT_TABLE(struct pw_recv_options, output),
};

static const struct pw_recv_options defaults = {
	.port = PW_PORT_CONFIG_DEFAULT,
	.set = {.tsi = UINT64_MAX,
		.max_files = 1000000,
		.write_memory_bytes = PW_OUTDIR_MEMORY,
		.clock_skew_ns = 60 * PW_NS_PER_S},
	.udp = {.rcvbuf_bytes = 64u << 20},
	.loop = {.timeout_ns = 30 * PW_NS_PER_S, .link_grace_ns = PW_NS_PER_S / 2},
};

/* What only a port has, and what only a socket has. */
static int check_port(const struct pw_recv_options *o, struct pw_err *err)
{
	const struct pw_port_config *port = &o->port;

	if (port->port && o->udp.interface)
		return pw_err_set(err, EINVAL,
			"cannot use --interface with --port: it is for a kernel socket; leave it "
			"out");
	if (port->port)
		return 0;
	if (port->eal_argc)
		return pw_err_set(err, EINVAL,
			"cannot use EAL arguments without a port; use --port PORT, or leave out "
			"what follows --");
	if (port->telemetry || port->shared_mem || port->file_prefix)
		return pw_err_set(err, EINVAL,
			"cannot use --telemetry, --shared-mem or --file-prefix without a port: "
			"they "
			"are DPDK's; use --port PORT, or leave them out");
	if (port->n_queues > 1)
		return pw_err_set(err, EINVAL,
			"cannot use --queues without a port: a socket is one queue; use --port "
			"PORT, or leave it out");
	return 0;
}

/* Addresses of the options. A host name is resolved to the IP version of the other address. */
static int read_addresses(struct pw_recv_options *o, struct pw_err *err)
{
	struct pw_addr *listen = &o->udp.listen, *source = &o->udp.source;
	int r = 0;

	if (o->listen)
		r = pw_addr_resolve("--listen", o->listen, PW_ALC_PORT,
			o->source ? pw_addr_family(o->source) : 0, listen, err);
	if (!r && o->source)
		r = pw_addr_resolve("--source", o->source, 0, listen->family, source, err);
	if (r)
		return -EINVAL;
	if (pw_addr_is_multicast(source))
		return pw_err_set(err, EINVAL,
			"cannot use --source '%s': a group is not a sender's address; give the "
			"sender's own",
			o->source);
	if (source->family && listen->family && source->family != listen->family)
		return pw_err_set(err, EINVAL,
			"cannot use --source '%s': its IP version is not that of --listen '%s'",
			o->source, o->listen);
	o->set.source = *source;
	return 0;
}

/* Else only a web server repairs. */
static bool has_packets(const struct pw_recv_options *o)
{
	return o->port.port || o->listen;
}

/* Else --repair asks the sender. */
static bool has_server(const struct pw_recv_options *o)
{
	return o->repair && pw_fetch_is_url(o->repair);
}

static int check(struct pw_recv_options *o, struct pw_err *err)
{
	struct pw_recv_config *set = &o->set;
	int r;

	if (!has_packets(o) && !(has_server(o) && set->resume))
		return pw_err_set(err, EINVAL,
			"cannot receive: neither a port nor an address is named; use --port PORT "
			"or --listen ADDR:PORT; to repair without packets, --resume --repair URL");
	if (!set->out_dir && !set->discard)
		return pw_err_set(err, EINVAL,
			"cannot receive: no directory for the files is named; use --out DIR, or "
			"--discard to measure");
	if (set->discard && (set->out_dir || set->resume || set->gaps_path))
		return pw_err_set(err, EINVAL,
			"cannot use --discard with --out, --resume or --gaps: it writes nothing; "
			"leave them out, or --discard");
	if (o->repair && !has_server(o) && strcmp(o->repair, PW_RECV_REPAIR_SENDER) != 0)
		return pw_err_set(err, EINVAL,
			"cannot use --repair '%s': it is no URL of a web server; write --repair to "
			"ask the sender, or --repair http://SERVER/DIR/",
			o->repair);
	if (o->repair && set->discard)
		return pw_err_set(err, EINVAL,
			"cannot use --repair with --discard: it writes nothing; leave one out");
	if (set->write_memory_bytes < PW_OUTDIR_MEMORY_LO ||
		set->write_memory_bytes > PW_OUTDIR_MEMORY_HI)
		return pw_err_set(err, EINVAL,
			"cannot use --write-memory: it is from %lluMiB to %lluMiB; give a size "
			"between them",
			PW_OUTDIR_MEMORY_LO >> 20, PW_OUTDIR_MEMORY_HI >> 20);
	r = has_server(o) ? pw_fetch_check_url("--repair", o->repair, err) : 0;
	if (!r)
		r = check_port(o, err);
	if (!r)
		r = read_addresses(o, err);
	if (r)
		return r;
	set->tsi_given = set->tsi != UINT64_MAX;
	set->tsi = set->tsi_given ? set->tsi : 0;
	set->n_lanes = o->port.n_queues ? o->port.n_queues : 1;
	return o->port.port ? pw_recv_pmd_check(o->port.port, err) : 0;
}

static void report_end(const struct pw_recv_run *run, int code)
{
	const enum pw_log_level level = code ? PW_LOG_WARN : PW_LOG_INFO;
	const struct pw_log *log = &run->ctx->log;
	char silence[32];

	pw_units_duration(silence, sizeof(silence), run->opt->loop.timeout_ns);
	if (run->end == PW_RECV_END_TIMEOUT)
		pw_log(log, level, "nothing came for %s: ending with what is here (--timeout)",
			silence);
	else if (run->end == PW_RECV_END_CLOSED)
		pw_log(log, level, "the sender has closed its session: ending with what is here");
	else if (run->end == PW_RECV_END_PEER_GONE)
		pw_log(log, level, "the peer of %s is gone: ending with what is here",
			run->opt->port.port);
}

static void tick(void *ctx, const struct pw_recv_status *st, uint64_t now)
{
	struct pw_recv_run *run = ctx;
	struct pw_recv_counters c;
	double loss = -1.0;

	if (run->path.tick)
		run->path.tick(run, st, now);
	if (run->repair)
		pw_recv_repair_tick(run, st, now);
	if (!pw_progress_due(&run->progress, now))
		return;
	if (st->symbols_expected)
		loss = 1.0 - (double)st->symbols_seen / (double)st->symbols_expected;
	pw_recv_counters(run->recv, &c);
	pw_progress_draw(&run->progress, now, st->bytes_have, st->bytes_total, c.packets, loss);
}

static void receive(struct pw_recv_run *run, struct pw_err *err)
{
	const struct pw_recv_options *o = run->opt;
	struct pw_recv_loop_config cfg = o->loop;

	cfg.recv = run->recv;
	cfg.ops = run->path.ops;
	cfg.path = run->path.path;
	cfg.path_text = o->port.port ? o->port.port : o->listen;
	cfg.sleeps = run->path.sleeps;
	cfg.n_queues = o->set.n_lanes;
	cfg.waits_for_more = o->set.expect_files != 0;
	cfg.stopped = pw_stop_requested;
	cfg.tick = tick;
	cfg.ctx = run;
	pw_progress_phase(&run->progress, pw_clock_ns(), "receiving", 0);
	run->end = PW_RECV_END_PATH;
	if (pw_recv_loop_start(&run->loop, &cfg, err) == 0) {
		run->end = pw_recv_loop_run(run->loop, 0, err);
		pw_recv_loop_stop(run->loop, &run->t);
		run->loop = NULL;
	}
	pw_progress_end(&run->progress);
}

/* Finishes the receiver, prints the result, returns the exit code. */
static int finish(struct pw_recv_run *run, struct pw_err *err)
{
	struct pw_err why = {0};
	int result = pw_recv_finish(run->recv, &why);
	int code = result < 0 ? pw_cli_fail(&why) : result ? PW_EXIT_INCOMPLETE : PW_EXIT_OK;

	if (result == 0 && !run->t.done_ns) /* the last file was verified after the loop's end */
		run->t.done_ns = pw_clock_ns();
	if (run->end == PW_RECV_END_PATH)
		code = pw_cli_fail(err);
	report_end(run, code);
	pw_recv_hints(run);
	pw_recv_report(run, code);
	return code;
}

static int run(const void *config, const struct pw_operands *ops, const struct pw_context *ctx)
{
	struct pw_recv_options opt = *(const struct pw_recv_options *)config;
	struct pw_recv_run r = {.opt = &opt, .ctx = ctx};
	struct pw_keys *keys = NULL;
	struct pw_err err = {0};
	int code;

	opt.port.eal_argv = ops->eal_argv;
	opt.port.eal_argc = ops->n_eal;
	code = check(&opt, &err);
	if (code)
		return code == -ENOTSUP ? pw_cli_fail_open(&err) : pw_cli_usage("recv", &err);
	pw_stop_install();
	if (opt.port.port)
		pw_recv_pmd_prefer(opt.port.port);
	if (opt.trust && pw_keys_open(&keys, opt.trust, &err))
		return pw_cli_fail(&err);
	opt.set.trust = keys;
	/* EAL pins this thread: create the receiver's other threads before. */
	if (pw_recv_create(&r.recv, &opt.set, &ctx->log, &err)) {
		code = pw_cli_fail_open(&err);
		goto close_keys;
	}
	pw_progress_init(&r.progress, ctx->is_tty, opt.output.progress);
	r.end = PW_RECV_END_DONE;
	if (has_packets(&opt)) {
		if ((opt.repair && !has_server(&opt) && pw_recv_repair_start(&r, &err)) ||
			pw_recv_path_open(&r, &err)) {
			code = pw_cli_fail_open(&err);
			goto destroy_recv;
		}
		receive(&r, &err);
	}
	pw_recv_repair_end(&r);
	pw_recv_fetch(&r);
	code = finish(&r, &err);
	if (r.path.close)
		r.path.close(&r.path);
destroy_recv:
	pw_recv_repair_end(&r);
	pw_recv_destroy(r.recv);
close_keys:
	pw_keys_close(keys);
	return code;
}

const struct pw_command pw_cmd_recv = {
	.name = "recv",
	.summary = "receive files from a port or a kernel socket and verify them",
	.opts = options,
	.n_opts = PW_ARRAY_LEN(options),
	.shared = shared,
	.n_shared = PW_ARRAY_LEN(shared),
	.config_size = sizeof(struct pw_recv_options),
	.defaults = &defaults,
	.takes_eal = true,
	.run = run,
	.examples = "  pagewire recv --port virtio-user:/run/w.sock --out in\n"
		    "  pagewire recv --listen 239.77.0.1 --interface eth1 --out in\n"
		    "  pagewire recv --listen 239.77.0.1 --out in --resume\n"
		    "  pagewire recv --listen 239.77.0.1 --out in --repair\n"
		    "  pagewire recv --listen 239.77.0.1 --out in --repair "
		    "http://files.example.com/dir/\n"
		    "  pagewire recv --out in --resume --repair http://files.example.com/dir/\n",
};
