/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receiver on a DPDK port; implements struct pw_rx_ops. It starts EAL: create threads that must not share
 * the polling thread's CPU before.
 */
#ifndef PW_DPDK_RX_H
#define PW_DPDK_RX_H

#include "base/err.h"
#include "base/log.h"
#include "dpdk/config.h"
#include "path/path.h"

struct pw_dpdk_rx; /* opaque */

extern const struct pw_rx_ops pw_dpdk_rx_ops;

/* If cfg->listen is a unicast address, the port answers ARP and NDP requests for it. */
int pw_dpdk_rx_open(struct pw_dpdk_rx **rx, const struct pw_dpdk_config *cfg,
	const struct pw_log *log, struct pw_err *err);
const char *pw_dpdk_rx_driver(const struct pw_dpdk_rx *rx); /* "net_virtio_user" */
void pw_dpdk_rx_close(struct pw_dpdk_rx *rx);               /* also ends EAL; accepts NULL */

#endif
