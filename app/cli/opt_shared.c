/* SPDX-License-Identifier: BSD-3-Clause */
/* The option rows that several commands share: those of a DPDK port and of the output. */
#include "app/cli/opt_shared.h"

static const struct pw_opt_choice iova_modes[] = {
	{"auto", PW_IOVA_AUTO}, {"va", PW_IOVA_VA}, {"pa", PW_IOVA_PA}, {NULL, 0}};

#define ROW(name, type, group, field) PW_OPT_ROW(name, type, group, struct pw_port_config, field)

const struct pw_opt pw_opt_port_rows[PW_OPT_N_PORT] = {
	{ROW("port", STRING, MAIN, port), .letter = 'p', .basic = true, .arg = "PORT",
		.help = "port to send or receive on, see PORTS"},
	{ROW("mtu", UINT, PACKETS, mtu), .basic = true, .arg = "BYTES",
		.help = "IP MTU of the path; on a receiver, the largest IP packet on --port",
		.min = 576, .max = 65535},
	{ROW("queues", UINT, PORT, n_queues), .arg = "N",
		.help = "queues of --port, each with a thread; lane i sends from the source port + "
			"i, so that a NIC's RSS can spread them; over virtio the receiver needs as "
			"many as the sender",
		.min = 1, .max = 64},
	{ROW("queue-size", UINT, PORT, queue_size), .arg = "N", .help = "descriptors of each queue",
		.min = 32, .max = 32768},
	{ROW("core", STRING, PORT, cores), .arg = "LIST",
		.help = "CPUs that the polling threads may use; default: those of the port's NUMA "
			"node"},
	{ROW("memory", SIZE, PORT, memory_bytes), .arg = "SIZE",
		.help = "EAL memory; default: what packet buffers and staged files need"},
	{ROW("iova", CHOICE, PORT, iova), .choices = iova_modes,
		.help = "addresses that a device sees"},
	{ROW("wait", DURATION, PORT, wait_ns), .arg = "DURATION",
		.help = "how long to wait for socket, peer and link"},
	{ROW("telemetry", FLAG, PORT, telemetry),
		.help = "answer dpdk-telemetry.py: /pagewire/stats, /pagewire/transfers"},
	{ROW("shared-mem", FLAG, PORT, shared_mem),
		.help = "let dpdk-dumpcap and other secondary processes map EAL's memory"},
	{ROW("file-prefix", STRING, PORT, file_prefix), .arg = "NAME",
		.help = "name for --telemetry and --shared-mem below /run/dpdk; default: rte, or "
			"pagewire with --shared-mem"},
};

const struct pw_opt pw_opt_no_huge_row = {
	.name = "no-huge",
	.basic = true,
	.group = PW_OPT_PORT,
	.type = PW_OPT_FLAG,
	.size = sizeof(bool),
	.help = "EAL memory on ordinary pages; ports of real NICs need huge pages",
};

const struct pw_opt pw_opt_output_rows[PW_OPT_N_OUTPUT] = {
	{PW_OPT_ROW("json", FLAG, OUTPUT, struct pw_output_config, json), .basic = true,
		.help = "print the result as JSON"},
	{PW_OPT_ROW("progress", FLAG, OUTPUT, struct pw_output_config, progress),
		.help = "report progress even when standard error is not a terminal"},
};
