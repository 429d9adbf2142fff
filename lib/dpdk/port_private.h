/* SPDX-License-Identifier: BSD-3-Clause */
/* The steps of a port's opening, for port.c: portprobe.c finds the device, portqueues.c configures it. */
#ifndef PW_DPDK_PORT_PRIVATE_H
#define PW_DPDK_PORT_PRIVATE_H

#include "dpdk/port.h"

#define PW_PORT_POLL_US      10000 /* while waiting for a socket or a link */
#define PW_PORT_ETH_OVERHEAD (RTE_ETHER_HDR_LEN + 4 /* 802.1Q */)

/* Has the user interrupted the opening? */
bool pw_port_cancelled(const struct pw_dpdk_config *cfg);

/* portprobe.c */

/* Waits for the peer's socket or removes a stale one, probes the device, and sets p->id and p->devargs. */
int pw_port_probe(struct pw_port *p, const struct pw_dpdk_config *cfg, bool transmit,
	struct pw_eal *eal, struct pw_err *err);
/* After the port failed to connect to its socket: waits a moment and returns true when another attempt can
 * help. start_ns: when the first attempt began. */
bool pw_port_may_retry(
	const struct pw_port *p, const struct pw_dpdk_config *cfg, uint64_t start_ns);
/* After a failure: -EPERM if the process lacks a capability that the driver needs, else 0. */
int pw_port_check_caps(const struct pw_port *p, const char *action, struct pw_err *err);
/* Why DPDK cannot do `action` ("probe"): no peer, a missing capability (-EPERM), or its own error r. log: the
 * driver's last line, or "". */
int pw_port_open_error(const struct pw_port *p, const struct pw_dpdk_config *cfg,
	const char *action, int r, const char *log, struct pw_err *err);

/* portqueues.c */

/* Checks MTU and queues against the device, and configures it. */
int pw_port_configure(struct pw_port *p, const struct pw_dpdk_config *cfg, bool transmit,
	struct pw_eal *eal, struct pw_err *err);
int pw_port_setup_queues(struct pw_port *p, const struct pw_dpdk_config *cfg,
	struct rte_mempool *rx_pool, struct pw_err *err);

#endif
