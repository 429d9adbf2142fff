/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receive through a kernel UDP socket: recvmmsg(2) with UDP_GRO, multicast join, no DPDK. One
 * struct, one thread. implements struct pw_rx_ops.
 */
#ifndef PW_KERNEL_UDPRX_H
#define PW_KERNEL_UDPRX_H

#include "base/err.h"
#include "base/log.h"
#include "path/path.h"

struct pw_udprx_config {
	struct pw_addr listen; /* address and port; a multicast address is joined */
	/* Take only what comes from this host, whatever its port; a group is joined for this source only
	 * (RFC 4607). family 0 = any. */
	struct pw_addr source;
	/* For multicast and IPv6 link-local, where `listen` has no zone; NULL = the kernel's choice. */
	const char *interface;
	uint64_t rcvbuf_bytes; /* asked for with SO_RCVBUFFORCE, then SO_RCVBUF; 0 = 64 MiB */
};

struct pw_udprx; /* opaque */

extern const struct pw_rx_ops pw_udprx_ops;

int pw_udprx_open(struct pw_udprx **rx, const struct pw_udprx_config *cfg, const struct pw_log *log,
	struct pw_err *err);
void pw_udprx_close(struct pw_udprx *rx); /* accepts NULL */

#endif
