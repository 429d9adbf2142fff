/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens a UDP socket for receiving: bound, joined to its group, with a large buffer. */
#ifndef PW_KERNEL_UDPSOCK_H
#define PW_KERNEL_UDPSOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "wire/addr.h"

#define PW_UDPSOCK_RCVBUF (64u << 20) /* that is requested by default */

struct pw_udprx_config {
	struct pw_addr listen; /* address and port; a multicast address is joined */
	/* Receive only from this host, from any port; a group is joined for this source only (RFC 4607).
	 * family 0: from every host. */
	struct pw_addr source;
	/* For multicast and IPv6 link-local, when `listen` has no zone. NULL: the kernel chooses. */
	const char *interface;
	uint64_t
		rcvbuf_bytes; /* requested with SO_RCVBUFFORCE, then SO_RCVBUF; 0: PW_UDPSOCK_RCVBUF */
	bool no_gro;          /* each datagram comes separately */
};

/* Returns the descriptor, or -errno. Warns in the log when the kernel grants a smaller buffer. */
int pw_udpsock_open(
	const struct pw_udprx_config *cfg, const struct pw_log *log, struct pw_err *err);

/* The size of the buffer that the kernel has granted; 0: unknown. */
uint64_t pw_udpsock_buffer(int fd);

/* Datagrams that the socket has dropped since it was opened, modulo 2^32. */
uint32_t pw_udpsock_drops(int fd);

#endif
