/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pacing by the port: a limit of each transmit queue, in whole Mbit/s, which is what DPDK counts in.
 *
 *   port started   pw_hwrate_ask()    does the driver limit at all? Before anyone waits for a link
 *   its link up    pw_hwrate_set()    no limit is above the link's speed
 *   the end        pw_hwrate_lift()   where 0 means none to the driver; others forget it on close
 */
#ifndef PW_DPDK_HWRATE_H
#define PW_DPDK_HWRATE_H

#include "dpdk/port.h"

/* Both with cfg->queue_mbps, else they do nothing. What the port cannot do is refused with
 * cfg->require_hw_pacing (-EINVAL, -EIO); without, the log tells, and p->queue_mbps stays 0. */
int pw_hwrate_ask(struct pw_port *p, const struct pw_dpdk_config *cfg, struct pw_err *err);
int pw_hwrate_set(struct pw_port *p, const struct pw_dpdk_config *cfg, struct pw_err *err);
/* Before the port is stopped. */
void pw_hwrate_lift(struct pw_port *p);

#endif
