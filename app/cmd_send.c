/* SPDX-License-Identifier: BSD-3-Clause */
/* pagewire send FILE... --port PORT --to ADDR:PORT */
#include <string.h>

#include "app/cli/cli.h"
#include "app/cli/report_send.h"
#include "app/commands.h"
#include "base/clock.h"

#define O(field)   offsetof(struct pw_send_options, job.field)
#define OWN(field) offsetof(struct pw_send_options, field)

static const struct pw_opt options[] = {
	{"port", 'p', PW_OPT_STRING, O(port), "PORT", "port to send on, see PORTS", 0, 0, NULL},
	{"to", 't', PW_OPT_STRING, O(to), "ADDR[:PORT]",
		"destination, IPv4 or [IPv6]; UDP port 4001 unless given", 0, 0, NULL},
	{"from", 0, PW_OPT_STRING, O(from), "ADDR[:PORT]",
		"source; default: the interface's address, else a link-local one", 0, 0, NULL},
	{"to-mac", 0, PW_OPT_STRING, O(to_mac), "MAC",
		"the receiver's MAC; default: derived for multicast, else asked by ARP or NDP", 0,
		0, NULL},
	{"vlan", 0, PW_OPT_U64, O(vlan), "ID", "802.1Q VLAN of every frame", 0, 4094, NULL},
	{"ttl", 0, PW_OPT_U64, O(ttl), "N", "TTL or hop limit; default 1 for multicast, else 64", 1,
		255, NULL},
	{"dscp", 0, PW_OPT_U64, O(dscp), "N", "differentiated services code point", 0, 63, NULL},
	{"mtu", 0, PW_OPT_U64, O(mtu), "BYTES", "IP MTU of the path", 576, 65535, NULL},
	{"symbol", 0, PW_OPT_U64, O(symbol), "BYTES",
		"file bytes in a packet; default: what the MTU takes, a multiple of 32", 1, 65507,
		NULL},
	{"pages", 0, PW_OPT_CHOICE, O(pages), NULL,
		"where the payload lies; auto chooses by port and file", 0, 0,
		"auto|hugefile|pagecache|stage|stream"},
	{"stream-memory", 0, PW_OPT_SIZE, O(stream_bytes), "SIZE",
		"a streamed file goes through at most so much memory", 0, 0, NULL},
	{"rate", 'r', PW_OPT_RATE, O(rate), "RATE",
		"at most this much, in bit/s of Ethernet frames or in packets/s", 0, 0, NULL},
	{"pacing", 0, PW_OPT_CHOICE, O(pacing), NULL,
		"who holds --rate: the sender, or the port's own limit of each queue, in whole "
		"Mbit/s; auto: the port where it can",
		0, 0, "auto|sw|hw"},
	{"burst-limit", 0, PW_OPT_U64, O(burst_limit), "N",
		"with --rate: packets that may leave back to back, also to make up for time that "
		"was lost; default: 2 ms of the rate",
		1, 1000000, NULL},
	{"loop", 0, PW_OPT_U64, O(loops), "N", "passes over the files; 0 = until interrupted", 0,
		1000000000, NULL},
	{"tsi", 0, PW_OPT_U64, O(tsi), "N",
		"transport session identifier; default: another one each time, of 16 bits", 0,
		UINT32_MAX, NULL},
	{"digest", 0, PW_OPT_CHOICE, O(digest), NULL,
		"digest that the receiver checks; costs one read of each file before it goes", 0, 0,
		"xxh3-128|sha-256|none"},
	{"md5", 0, PW_OPT_FLAG, O(md5), NULL,
		"send Content-MD5 too, for receivers that know nothing else", 0, 0, NULL},
	{"udp-checksum", 0, PW_OPT_CHOICE, O(udp_checksum), NULL,
		"who fills it; auto: a NIC that can, else none for IPv4 and software for IPv6", 0,
		0, "auto|offload|software|none"},
	{"fdt-interval", 0, PW_OPT_DURATION, O(fdt_interval_ns), "DURATION",
		"time between two sendings of the file table", 0, 0, NULL},
	{"lead", 0, PW_OPT_DURATION, O(lead_ns), "DURATION",
		"time between the first file table and the first file byte", 0, 0, NULL},
	{"wait", 0, PW_OPT_DURATION, O(wait_ns), "DURATION",
		"how long to wait for socket, peer and link", 0, 0, NULL},
	{"link-grace", 0, PW_OPT_DURATION, O(link_grace_ns), "DURATION",
		"how long the link, or the peer, may be gone: the rest is sent when it is back", 0,
		0, NULL},
	{"gaps", 0, PW_OPT_STRING, O(gaps), "FILE",
		"send only what this gap manifest of a receiver lists", 0, 0, NULL},
	{"core", 0, PW_OPT_STRING, O(core), "LIST",
		"CPUs that the sending thread may use; default: those of the port's NUMA node", 0,
		0, NULL},
	{"memory", 0, PW_OPT_SIZE, O(memory_bytes), "SIZE",
		"EAL memory; default: what pools and staged files need", 0, 0, NULL},
	{"no-huge", 0, PW_OPT_FLAG, O(no_huge), NULL, "EAL memory on ordinary pages", 0, 0, NULL},
	{"iova", 0, PW_OPT_CHOICE, O(iova), NULL, "addresses that a device sees", 0, 0,
		"auto|va|pa"},
	{"queue-size", 0, PW_OPT_U64, O(queue_size), "N", "descriptors of the transmit queue", 32,
		32768, NULL},
	{"queues", 0, PW_OPT_U64, O(queues), "N",
		"transmit queues, each with a thread; lane i sends from the source port + i, so "
		"that a NIC's RSS can spread them",
		1, 64, NULL},
	{"telemetry", 0, PW_OPT_FLAG, O(telemetry), NULL,
		"answer dpdk-telemetry.py: /pagewire/stats, /pagewire/transfers", 0, 0, NULL},
	{"shared-mem", 0, PW_OPT_FLAG, O(shared_mem), NULL,
		"let dpdk-dumpcap and other secondary processes map EAL's memory", 0, 0, NULL},
	{"file-prefix", 0, PW_OPT_STRING, O(file_prefix), "NAME",
		"name for --telemetry and --shared-mem below /run/dpdk; default: rte, or pagewire "
		"with --shared-mem",
		0, 0, NULL},
	{"dry-run", 'n', PW_OPT_FLAG, OWN(dry_run), NULL, "print the plan and send nothing", 0, 0,
		NULL},
	{"progress", 0, PW_OPT_FLAG, OWN(progress), NULL,
		"report progress even when standard error is no terminal", 0, 0, NULL},
	{"json", 0, PW_OPT_FLAG, OWN(json), NULL, "print the result as JSON", 0, 0, NULL},
};

static const struct pw_send_options defaults = {.job = PW_JOB_DEFAULTS};

static void tick(void *ctx, const struct pw_send_status *st)
{
	struct pw_progress *progress = ctx;
	uint64_t now = pw_clock_ns();
	bool reading = st->phase == PW_SEND_READING;

	if (pw_progress_due(progress, now))
		pw_progress_draw(progress, now, reading ? "reading" : "sending", st->bytes_done,
			reading ? 0 : st->bytes_total, st->packets, -1.0);
}

static int run_job(
	struct pw_job *job, const struct pw_send_options *o, const struct pw_context *ctx)
{
	static const struct pw_tx_counters none;
	const struct pw_tx_counters *c;
	struct pw_progress progress;
	struct pw_err err = {0};
	int code = PW_EXIT_OK;

	if (pw_job_open(job, &err))
		return pw_cli_fail_open(&err);
	if (!o->json)
		pw_send_report_plan(job);
	pw_progress_init(&progress, ctx->is_tty, o->progress);
	job->tick = tick;
	job->tick_ctx = &progress;
	if (pw_job_run(job, &err))
		code = PW_EXIT_RUNTIME;
	pw_progress_end(&progress);
	/* A signal is how a carousel without end is ended, once it has sent everything. Any other job
	 * is cut short by it. */
	if (!code && job->result.interrupted && (o->job.loops || job->result.passes == 0))
		code = PW_EXIT_MISMATCH;
	if (code == PW_EXIT_RUNTIME)
		pw_cli_fail(&err);
	c = job->result.data_ns ? pw_job_counters(job) : &none;
	if (o->json)
		pw_send_report_json(job, c, code);
	else
		pw_send_report_human(job, c);
	if (!o->json && ctx->log.level >= PW_LOG_DEBUG)
		pw_send_gaps_human(job);
	return code;
}

static int run(const void *config, const struct pw_operands *ops, const struct pw_context *ctx)
{
	const struct pw_send_options *o = config;
	struct pw_job_options job_options = o->job;
	struct pw_job job = {.opt = &job_options, .log = &ctx->log, .stopped = pw_stop_requested};
	struct pw_err err = {0};
	bool usage;
	int code = PW_EXIT_OK;

	pw_stop_install();
	job_options.eal_argv = ops->eal_argv;
	job_options.eal_argc = ops->n_eal;
	if (o->dry_run && !job_options.port)
		job_options.port = "null";
	if (pw_job_plan(&job, ops->argv, ops->n, &usage, &err))
		code = usage ? pw_cli_usage("send", &err) : pw_cli_fail(&err);
	else if (o->dry_run)
		pw_send_report_plan(&job);
	else
		code = run_job(&job, o, ctx);
	pw_job_finish(&job);
	return code;
}

const struct pw_command pw_cmd_send = {
	.name = "send",
	.summary = "send files from mapped pages through a poll-mode driver",
	.operands = "FILE...",
	.opts = options,
	.n_opts = sizeof(options) / sizeof(options[0]),
	.config_size = sizeof(struct pw_send_options),
	.defaults = &defaults,
	.takes_eal = true,
	.run = run,
	.examples = "  pagewire send a.img --port vhost:/run/w.sock --to 239.77.0.1\n"
		    "  pagewire send dir --port 0000:3b:00.0 --to 10.0.0.2:4001 --mtu 9000 --rate "
		    "90Gbit/s\n"
		    "  pagewire send a.img --port 0000:3b:00.0 --to 239.77.0.1 --gaps "
		    "pagewire-gaps.json\n",
};
