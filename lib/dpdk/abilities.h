/* SPDX-License-Identifier: BSD-3-Clause */
/* What a port's driver says that it can do, and what pagewire makes of it: rte_eth_dev_info without DPDK's types. */
#ifndef PW_DPDK_ABILITIES_H
#define PW_DPDK_ABILITIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "dpdk/config.h"

/* Segments of the longest chain that txburst.c and txframes.c make: a header, and a payload that crosses from one
 * run of pages to the next. */
#define PW_TX_SEGS_MAX 3

struct pw_port_abilities {
	char driver[64];     /* as DPDK names it */
	uint16_t segs_max;   /* of a packet; UINT16_MAX: the driver names no limit */
	bool chains;         /* packets are sent as chains; else each is copied into a buffer */
	bool plain;          /* pages are in plain mbufs; else they are external buffers */
	bool iova_va;        /* the device uses the program's own addresses */
	bool udp_csum;       /* it computes UDP checksums */
	bool fast_free;      /* it has RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE */
	bool limits_queues;  /* see hwrate.h */
	bool shapes;         /* its traffic management (rte_tm.h) has shapers */
	bool sends_at_times; /* it has RTE_ETH_TX_OFFLOAD_SEND_ON_TIMESTAMP */
};

/* Opens the port of cfg without starting it, in a child process, so that EAL does not start in this one. -EIO: the
 * child ended without an answer; else what pw_eal_start() and pw_port_open() return. */
int pw_port_abilities_read(struct pw_port_abilities *a, const struct pw_dpdk_config *cfg,
	const struct pw_log *log, struct pw_err *err);

#endif
