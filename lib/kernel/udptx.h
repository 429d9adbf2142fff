/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/kernel: what the datagram ways share: a connected UDP socket, and the meaning of a
 * failed call. A way's own struct begins with a struct pw_udptx.
 *
 *   udp_read_send     | read 64 KiB of the file | then sendmsg {header, slice} for each packet
 *   udp_mmap_sendmsg  | sendmsg {header, page}                for each packet
 *   udp_sendmmsg      | {header, page} {header, page} ...     64 packets in a call, an skb each
 *   udp_gso           | {header, page, header, page ...}      the kernel cuts the train: UDP_SEGMENT
 *   udp_zerocopy      | the same, MSG_ZEROCOPY                the skb points to headers and pages
 *   uring_udp_zc      | {header, page} {header, page} ...     SENDMSG_ZC, a batch in a submission
 *   uring_sendmsg_zc  | trains, from registered memory        SENDMSG_ZC, a batch in a submission
 *
 * The socket has addresses and ports, and the kernel writes IP and UDP headers. Checksums are computed
 * as the kernel does by default: by the device where it can, else in software. (pagewire's own frames
 * over IPv4 have no checksum unless the port computes it.)
 */
#ifndef PW_KERNEL_UDPTX_H
#define PW_KERNEL_UDPTX_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/sock.h"
#include "kernel/udpmsg.h"

struct pw_udptx {
	struct pw_sock s;
	uint8_t family;            /* 4 or 6 */
	uint32_t longest;          /* IP packet of all objects that were attached */
	uint64_t refused_since_ns; /* 0: never */
	uint64_t refused_last_ns;
};

/* pw_way's socket: opens and connects; sends then sleep PW_SEND_SLEEP_NS at most. -EOPNOTSUPP for a way
 * with .gso where the kernel has no UDP_SEGMENT. */
int pw_udptx_socket(void *path, struct pw_err *err);

/* After a call that sends has failed with code: true when another try may succeed (it may have slept
 * for a moment); false when the path is broken for good, with a fault. */
bool pw_udptx_survives(struct pw_udptx *t, int code);

/* Members of pw_tx_ops that the ways share. */
int pw_udptx_attach(void *path, struct pw_tx_object *obj, struct pw_err *err);
uint16_t pw_udptx_send_copy(
	void *path, const struct pw_frame_tmpl *tmpl, const void *payload, size_t len);
#define PW_UDPTX_OPS                                                               \
	.attach = pw_udptx_attach, .alive = pw_sock_alive, .fault = pw_sock_fault, \
	.counters = pw_sock_counters

#endif
