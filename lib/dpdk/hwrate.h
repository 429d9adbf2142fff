/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pacing by the port: a rate limit for each transmit queue, in whole Mbit/s, DPDK's unit.
 *
 *   port started   pw_hwrate_check()  can the driver limit queues? Before the wait for a link
 *   its link up    pw_hwrate_set()    a limit must not exceed the link's speed
 *   the end        pw_hwrate_clear()  where the driver takes 0 as no limit; others forget it on close
 */
#ifndef PW_DPDK_HWRATE_H
#define PW_DPDK_HWRATE_H

#include "dpdk/port.h"

/* Both do nothing without cfg->queue_mbps. If the port cannot do it, they fail with cfg->require_hw_pacing
 * (-EINVAL, -EIO); without, they log it, and p->queue_mbps stays 0. */
int pw_hwrate_check(struct pw_port *p, const struct pw_dpdk_config *cfg, struct pw_err *err);
int pw_hwrate_set(struct pw_port *p, const struct pw_dpdk_config *cfg, struct pw_err *err);
/* Before the port is stopped. */
void pw_hwrate_clear(struct pw_port *p);

#endif
