/* SPDX-License-Identifier: BSD-3-Clause */
/* pagewire send FILE... --port PORT --to ADDR:PORT: its options, and the run of the job. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "app/cli/cli.h"
#include "app/cli/opt_shared.h"
#include "app/cli/report_send.h"
#include "app/cmd_send_repair.h"
#include "app/commands.h"
#include "base/bytes.h"
#include "base/clock.h"

struct send_options {
	struct pw_job_options job;
	struct pw_send_repair_options repair;
	struct pw_output_config output;
	bool dry_run;
};

static const struct pw_opt_choice pages[] = {{"auto", PW_PAGES_AUTO},
	{"hugefile", PW_PAGES_HUGEFILE}, {"pagecache", PW_PAGES_PAGECACHE},
	{"stage", PW_PAGES_STAGE}, {"stream", PW_PAGES_STREAM}, {NULL, 0}};
static const struct pw_opt_choice pacings[] = {
	{"auto", PW_PACING_AUTO}, {"sw", PW_PACING_SW}, {"hw", PW_PACING_HW}, {NULL, 0}};
static const struct pw_opt_choice rates[] = {{"auto", PW_RATE_AUTO}, {NULL, 0}};
static const struct pw_opt_choice digests[] = {{"xxh3-128", PW_DIGEST_XXH3_128},
	{"sha-256", PW_DIGEST_SHA256}, {"sha-256-tree", PW_DIGEST_SHA256_TREE},
	{"none", PW_DIGEST_NONE}, {NULL, 0}};
static const struct pw_opt_choice codes[] = {
	{"rfc", PW_RS_RFC}, {"rizzo", PW_RS_RIZZO}, {"ypo", PW_RS_YPO}, {NULL, 0}};
static const struct pw_opt_choice checksums[] = {{"auto", PW_CSUM_AUTO},
	{"offload", PW_CSUM_OFFLOAD}, {"software", PW_CSUM_SOFTWARE}, {"none", PW_CSUM_NONE},
	{NULL, 0}};

#define ROW(name, type, group, field) PW_OPT_ROW(name, type, group, struct send_options, field)

static const struct pw_opt options[] = {
	{ROW("to", STRING, MAIN, job.to), .letter = 't', .basic = true, .arg = "ADDR[:PORT]",
		.help = "destination: IPv4, [IPv6] or a host name; UDP port 4001 unless given"},
	{ROW("gaps", LIST, MAIN, job.gaps), .basic = true, .arg = "FILE",
		.help = "send only what this gap manifest of a receiver lists; repeat it for "
			"several receivers"},
	{ROW("sign", STRING, MAIN, job.sign), .basic = true, .arg = "KEY.pem",
		.help = "sign the file tables with this private Ed25519 key, for receivers with "
			"--trust; the digest is sha-256-tree then, or sha-256"},
	{ROW("repair", STRING, MAIN, repair.where), .basic = true, .arg = "ADDR[:PORT]",
		.implied = PW_SEND_REPAIR_AUTO,
		.help = "listen here for what receivers with --repair miss, and send it again "
			"until "
			"they have all; default: the source address, a free TCP port"},
	{ROW("repair-rounds", UINT, MAIN, repair.max_rounds), .arg = "N",
		.help = "repair rounds at most", .min = 1, .max = 1000000},
	{ROW("repair-silence", DURATION, MAIN, repair.silence_ns), .arg = "DURATION",
		.help = "a receiver that reports nothing for so long is not waited for"},
	{ROW("repair-receivers", UINT, MAIN, repair.n_expected), .arg = "N",
		.help = "how many receivers there are: those that never report are waited for, and "
			"the exit "
			"code is 3",
		.min = 1, .max = PW_REPAIR_MAX_RECEIVERS},
	{ROW("from", STRING, PACKETS, job.from), .arg = "ADDR[:PORT]",
		.help = "source address or host name; default: the interface's address, else a "
			"link-local one"},
	{ROW("to-mac", STRING, PACKETS, job.to_mac), .arg = "MAC",
		.help = "the receiver's MAC; default: derived for multicast, else asked by ARP or "
			"NDP"},
	{ROW("vlan", UINT, PACKETS, job.flow.vlan), .arg = "ID",
		.help = "802.1Q VLAN of every frame", .max = 4094},
	{ROW("ttl", UINT, PACKETS, job.flow.ttl), .arg = "N",
		.help = "TTL or hop limit; default 1 for multicast, else 64", .min = 1},
	{ROW("dscp", UINT, PACKETS, job.flow.dscp), .arg = "N",
		.help = "differentiated services code point", .max = 63},
	{ROW("symbol", UINT, PACKETS, job.symbol_len), .arg = "BYTES",
		.help = "file bytes in a packet; default: what the MTU takes, a multiple of 32",
		.min = 1, .max = 65507},
	{ROW("udp-checksum", CHOICE, PACKETS, job.udp_checksum),
		.help = "who fills the UDP checksum; auto: a NIC that can, else none for IPv4 and "
			"software for IPv6",
		.choices = checksums},
	{ROW("tsi", UINT, PACKETS, job.tsi), .arg = "N",
		.help = "transport session identifier; default: a random one of 16 bits each time",
		.max = UINT32_MAX},
	{ROW("flute-version", UINT, PACKETS, job.set.flute_version), .arg = "N",
		.help = "version in the file table's packets: 1 for receivers that know RFC 3926 "
			"only",
		.min = 1, .max = 2},
	{ROW("stripe", STRING, PACKETS, job.stripe), .arg = "I/N",
		.help = "send the I-th of N shares, I from 0: N hosts send the same files "
			"together; auto: I and N from mpirun, mpiexec or srun"},
	{ROW("fec", STRING, PACKETS, job.fec), .basic = true, .arg = "K+R",
		.help = "send R parity symbols for each K symbols: any K of them restore the rest; "
			"200+10, for example"},
	{ROW("fec-code", CHOICE, PACKETS, job.set.fec.points),
		.help = "with --fec: the code, of RFC 5510, of NORM, or of ypo/flute; default: rfc",
		.choices = codes},
	{ROW("interleave", SIZE, PACKETS, job.set.fec.interleave_bytes), .arg = "SIZE",
		.help = "with --fec: send the blocks of so many bytes in turns; default: what a "
			"loss of 1000 packets in a row needs"},
	{ROW("rate", RATE, SPEED, job.set.rate), .letter = 'r', .basic = true, .arg = "RATE|auto",
		.help = "send at most this: 90G or 90Gbit/s of Ethernet frames, or 2Mpps; auto, "
			"with --repair: what the slowest receiver takes",
		.choices = rates},
	{ROW("ignore-slowest", UINT, SPEED, repair.n_ignored), .arg = "N",
		.help = "with --rate auto: the N slowest receivers do not hold the rate back; they "
			"are repaired afterwards",
		.max = 1000000},
	{ROW("loop", UINT, SPEED, job.set.loops), .basic = true, .arg = "N",
		.help = "passes over the files; 0 = until interrupted", .max = 1000000000},
	{ROW("pacing", CHOICE, SPEED, job.pacing),
		.help = "who holds --rate: the sender, or the port's own limit of each queue, in "
			"whole Mbit/s; auto: the port where it can",
		.choices = pacings},
	{ROW("burst-limit", UINT, SPEED, job.set.burst_limit), .arg = "N",
		.help = "with --rate: packets that may leave back to back, also to make up for "
			"lost time; default: 2 ms of the rate",
		.min = 1, .max = 1000000},
	{ROW("fdt-interval", DURATION, SPEED, job.set.fdt_interval_ns), .arg = "DURATION",
		.help = "time between two transmissions of the file table"},
	{ROW("lead", DURATION, SPEED, job.set.lead_ns), .arg = "DURATION",
		.help = "time between the first file table and the first file byte"},
	{ROW("pages", CHOICE, FILES, job.pages), .basic = true,
		.help = "where the payload is; auto chooses by port and file", .choices = pages},
	{ROW("stream-memory", SIZE, FILES, job.stream_bytes), .arg = "SIZE",
		.help = "memory for streamed files and their parity, at most"},
	{ROW("digest", CHOICE, FILES, job.set.digest),
		.help = "digest that the receiver checks; costs one read of each file",
		.choices = digests},
	{ROW("md5", FLAG, FILES, job.set.md5),
		.help = "send Content-MD5 as well, for receivers that know no other digest"},
	{ROW("link-grace", DURATION, PORT, job.set.link_grace_ns), .arg = "DURATION",
		.help = "how long the link, or the peer, may be gone: the rest is sent when it is "
			"back"},
	{ROW("dry-run", FLAG, OUTPUT, dry_run), .letter = 'n', .basic = true,
		.help = "print the plan and send nothing"},
};

static const struct pw_opt_table shared[] = {
	PW_OPT_PORT_TABLES(struct send_options, job.port),
	PW_OPT_OUTPUT_TABLE(struct send_options, output),
};

static const struct send_options defaults = {.job = PW_JOB_OPTIONS_DEFAULT,
	.repair = {.max_rounds = 100, .silence_ns = 10 * PW_NS_PER_S}};

struct live {
	struct pw_progress progress;
	struct pw_send_repair_run *repair;
};

static void tick(void *ctx, const struct pw_send_status *st)
{
	struct live *live = ctx;
	struct pw_progress *progress = &live->progress;
	uint64_t now = pw_clock_ns();
	char rate[PW_SEND_REPAIR_RATE_MAX];

	pw_progress_phase(progress, now,
		st->phase == PW_SEND_READING     ? "reading"
		: st->phase == PW_SEND_LISTENING ? "repairing"
						 : "sending",
		st->bytes_done);
	if (!pw_progress_due(progress, now))
		return;
	progress->note = pw_send_repair_rate(live->repair, rate, sizeof(rate));
	pw_progress_draw(progress, now, st->bytes_done, st->bytes_total, st->packets, -1.0);
}

static void report(struct pw_job *job, const struct send_options *o,
	struct pw_send_repair_run *repair, const struct pw_context *ctx, int code)
{
	static const struct pw_tx_counters none;
	const struct pw_tx_counters *c = job->result.data_ns ? pw_job_counters(job) : &none;

	if (o->output.json) {
		pw_send_report_json(
			job, c, o->repair.where ? pw_send_repair_json(repair) : NULL, code);
		return;
	}
	pw_send_report_human(job, c);
	if (o->repair.where)
		pw_send_repair_human(repair);
	if (ctx->log.level >= PW_LOG_DEBUG)
		pw_send_gaps_human(job);
}

/* The end of a job that ran without an error. A signal is the regular end of an endless carousel that has sent
 * everything once; it ends any other job too early. */
static int end_code(const struct pw_job *job, const struct send_options *o,
	const struct pw_send_repair_run *repair)
{
	if (o->repair.where)
		return pw_send_repair_is_whole(repair) ? PW_EXIT_OK : PW_EXIT_INCOMPLETE;
	if (job->result.interrupted && (o->job.set.loops || job->result.passes == 0))
		return PW_EXIT_INCOMPLETE;
	return PW_EXIT_OK;
}

static int run_job(struct pw_job *job, const struct send_options *o,
	struct pw_send_repair_run *repair, const struct pw_context *ctx)
{
	struct live live = {.repair = repair};
	struct pw_err err = {0};
	int code = PW_EXIT_OK;

	if (pw_job_open(job, &err) ||
		(o->repair.where && pw_send_repair_start(repair, &o->repair, job, &err)))
		return pw_cli_fail_open(&err);
	if (!o->output.json)
		pw_send_report_plan(job);
	pw_progress_init(&live.progress, ctx->is_tty, o->output.progress);
	job->tick = tick;
	job->tick_ctx = &live;
	if (pw_job_run(job, &err))
		code = PW_EXIT_RUNTIME;
	pw_progress_end(&live.progress);
	if (o->repair.where)
		pw_send_repair_end(repair);
	if (code)
		pw_cli_fail(&err);
	else
		code = end_code(job, o, repair);
	report(job, o, repair, ctx, code);
	return code;
}

/* What is signed names each file by a digest that nobody can forge. */
static int check_sign(struct pw_job_options *o, struct pw_err *err)
{
	if (!o->sign)
		return 0;
	if (o->set.digest == PW_DIGEST_NONE)
		return pw_err_set(err, EINVAL,
			"cannot use --digest none with --sign: the signature would not cover the "
			"files; leave out --digest");
	if (o->set.digest == PW_DIGEST_XXH3_128) /* fast, but not for this purpose */
		o->set.digest = PW_DIGEST_SHA256_TREE;
	return 0;
}

/* A port that copies into a peer's memory waits for it; an interface of the kernel passes on what comes. */
static void warn_rate(const struct pw_job *job, const struct send_options *o)
{
	if (job->opt->set.rate.unit == PW_RATE_NONE && pw_portspec_is_interface(&job->spec))
		pw_warn(job->log,
			"no --rate: packets leave as fast as %s takes them, and receivers on "
			"kernel "
			"sockets drop what they cannot take; %s",
			job->opt->port.port,
			o->repair.where ? "add --rate auto"
					: "give a --rate, or --repair --rate auto");
}

/* Each window holds a descriptor; see pw_job_open(). */
static void raise_nofile(void)
{
	struct rlimit nofile;

	if (getrlimit(RLIMIT_NOFILE, &nofile))
		return;
	nofile.rlim_cur = nofile.rlim_max;
	setrlimit(RLIMIT_NOFILE, &nofile);
}

/* The job is planned. */
static int start_job(struct pw_job *job, const struct send_options *o,
	struct pw_send_repair_run *repair, const struct pw_context *ctx)
{
	warn_rate(job, o);
	if (!o->dry_run)
		return run_job(job, o, repair, ctx);
	pw_send_report_plan(job);
	return PW_EXIT_OK;
}

static int run(const void *config, const struct pw_operands *ops, const struct pw_context *ctx)
{
	const struct send_options *o = config;
	struct pw_job_options job_options = o->job;
	struct pw_job job = {.opt = &job_options, .log = &ctx->log, .stopped = pw_stop_requested};
	struct pw_send_repair_run repair = {0};
	struct pw_err err = {0};
	bool usage;
	int code = PW_EXIT_OK;

	if (pw_send_repair_check(&o->repair, &o->job, &err))
		return pw_cli_usage("send", &err);
	pw_stop_install();
	raise_nofile();
	job_options.port.eal_argv = ops->eal_argv;
	job_options.port.eal_argc = ops->n_eal;
	if (o->dry_run && !job_options.port.port)
		job_options.port.port = "null";
	if (check_sign(&job_options, &err))
		code = pw_cli_usage("send", &err);
	else if (pw_job_plan(&job, ops->argv, ops->n, &usage, &err))
		code = usage ? pw_cli_usage("send", &err) : pw_cli_fail(&err);
	else
		code = start_job(&job, o, &repair, ctx);
	pw_job_finish(&job);
	pw_send_repair_finish(&repair);
	return code;
}

const struct pw_command pw_cmd_send = {
	.name = "send",
	.summary = "send files from mapped pages through a poll-mode driver",
	.operands = "FILE...",
	.opts = options,
	.n_opts = PW_ARRAY_LEN(options),
	.shared = shared,
	.n_shared = PW_ARRAY_LEN(shared),
	.config_size = sizeof(struct send_options),
	.defaults = &defaults,
	.takes_eal = true,
	.run = run,
	.examples =
		"  pagewire send a.img --port vhost:/run/w.sock --to 239.77.0.1\n"
		"  pagewire send dir --port 0000:3b:00.0 --to 10.0.0.2:4001 --mtu 9000 --rate 90G\n"
		"  pagewire send a.img --port 0000:3b:00.0 --to 239.77.0.1 --gaps "
		"pagewire-gaps.json\n"
		"  pagewire send a.img --port af_packet:eth1 --to 239.77.0.1 --repair\n",
};
