/* SPDX-License-Identifier: BSD-3-Clause */
/* pagewire send FILE... --port PORT --to ADDR:PORT */
#include <string.h>

#include "app/commands.h"
#include "app/send_job.h"
#include "base/clock.h"

#define O(field) offsetof(struct pw_send_options, field)

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
	{"pages", 0, PW_OPT_CHOICE, O(pages_choice), NULL,
		"where the payload lies; auto chooses by port and file", 0, 0,
		"auto|hugefile|pagecache|stage"},
	{"rate", 'r', PW_OPT_RATE, O(rate), "RATE",
		"at most this much, in bit/s of Ethernet frames or in packets/s", 0, 0, NULL},
	{"loop", 0, PW_OPT_U64, O(loops), "N", "passes over the files; 0 = until interrupted", 0,
		1000000000, NULL},
	{"tsi", 0, PW_OPT_U64, O(tsi), "N", "transport session identifier", 0, UINT32_MAX, NULL},
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
	{"dry-run", 'n', PW_OPT_FLAG, O(dry_run), NULL, "print the plan and send nothing", 0, 0,
		NULL},
	{"progress", 0, PW_OPT_FLAG, O(progress), NULL,
		"report progress even when standard error is no terminal", 0, 0, NULL},
	{"json", 0, PW_OPT_FLAG, O(json), NULL, "print the result as JSON", 0, 0, NULL},
};

static const struct pw_send_options defaults = {
	.vlan = UINT64_MAX,
	.mtu = 1500,
	.tsi = 1,
	.loops = 1,
	.fdt_interval_ns = PW_NS_PER_S,
	.lead_ns = 50000000,
	.wait_ns = 30 * PW_NS_PER_S,
};

static int run(const void *config, const struct pw_operands *ops, const struct pw_context *ctx)
{
	struct pw_send_job job = {.opt = config, .ctx = ctx};
	struct pw_tx_counters none = {0};
	struct pw_err err = {0};
	bool usage;
	int r, code;

	pw_stop_install();
	r = pw_send_job_plan(&job, ops, &usage, &err);
	if (r) {
		pw_send_job_finish(&job);
		return usage ? pw_cli_usage("send", &err) : pw_cli_fail(&err);
	}
	if (job.opt->dry_run) {
		pw_send_report_start(&job);
		pw_send_job_finish(&job);
		return PW_EXIT_OK;
	}
	r = pw_send_job_open(&job, ops, &err);
	if (r == 0) {
		pw_send_report_start(&job);
		r = pw_send_job_run(&job, &err);
	}
	code = r ? pw_cli_fail(&err) : PW_EXIT_OK;
	if (job.tx)
		pw_send_report_end(
			&job, job.result.data_ns ? pw_dpdk_tx_ops.counters(job.tx) : &none, code);
	pw_send_job_finish(&job);
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
