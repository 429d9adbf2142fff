/* SPDX-License-Identifier: BSD-3-Clause */
#include "api/jobsock.h"

#include <errno.h>

#include "base/bytes.h"
#include "kernel/way.h"

#define WAY "udp_gso" /* the fastest of the bench's datagram ways on the kernel's devices */

int pw_job_sock_plan(const struct pw_job_options *o, struct pw_err *err)
{
	const struct {
		const char *name;
		bool given;
	} others[] = {
		{"--queues", pw_job_n_queues(o) > 1},
		{"--to-mac", o->to_mac},
		{"--vlan", o->flow.vlan != PW_VLAN_NONE},
		{"--udp-checksum", o->udp_checksum != PW_CSUM_AUTO},
		{"--pacing hw", o->pacing == PW_PACING_HW},
		{"--pages stage", o->pages == PW_PAGES_STAGE},
		{"--pages stream", o->pages == PW_PAGES_STREAM},
		{"--fec", o->fec},
		{"--telemetry", o->port.telemetry},
		{"--shared-mem", o->port.shared_mem},
		{"EAL arguments", o->port.eal_argc > 0},
	};
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(others); i++)
		if (others[i].given)
			return pw_err_set(err, EINVAL,
				"cannot use %s with --port %s: a UDP socket of the kernel has no "
				"DPDK port behind it; leave it out, or use af_packet:IF",
				others[i].name, o->port.port);
	return 0;
}

int pw_job_sock_open(void **path, const struct pw_job_options *o, const struct pw_portspec *spec,
	const struct pw_flow *flow, const struct pw_log *log, struct pw_err *err)
{
	const struct pw_way_config cfg = {
		.flow = *flow,
		.interface = spec->target,
		.mtu = o->port.mtu,
		.frame_bytes = o->port.mtu + PW_ETH_LEN,
		.batch = PW_BURST,
		.log = log,
	};

	return pw_way_open(pw_way_find(WAY), path, &cfg, err);
}

const struct pw_tx_ops *pw_job_sock_ops(void)
{
	return pw_way_find(WAY)->packets;
}
