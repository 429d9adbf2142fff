/* SPDX-License-Identifier: BSD-3-Clause */
/* Receives through a UDP socket of the kernel, without DPDK: recvmmsg(2) with UDP_GRO. Implements struct
 * pw_rx_ops; one thread uses it. */
#ifndef PW_KERNEL_UDPRX_H
#define PW_KERNEL_UDPRX_H

#include "base/err.h"
#include "base/log.h"
#include "kernel/udpsock.h"
#include "path/path.h"

struct pw_udprx; /* opaque */

extern const struct pw_rx_ops pw_udprx_ops;

int pw_udprx_open(struct pw_udprx **rx, const struct pw_udprx_config *cfg, const struct pw_log *log,
	struct pw_err *err);
void pw_udprx_close(struct pw_udprx *rx); /* accepts NULL */

#endif
