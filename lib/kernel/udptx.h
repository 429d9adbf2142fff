/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/kernel: what the datagram ways share. A connected UDP socket, the counters, and
 * what a failed call means. Each way's own struct begins with a struct pw_udptx, so a path's address
 * is also its address.
 *
 *   udp_read_send     | read 64 KiB of the file | then sendmsg {header, slice} a packet
 *   udp_mmap_sendmsg  | sendmsg {header, page}                a packet
 *   udp_sendmmsg      | {header, page} {header, page} ...     64 packets a call, each its own skb
 *   udp_gso           | {header, page, header, page ...}      the kernel cuts it: UDP_SEGMENT
 *   udp_zerocopy      | the same, MSG_ZEROCOPY                the skb points at headers and pages
 *   uring_udp_zc      | {header, page} {header, page} ...     SENDMSG_ZC, a batch a submission
 *
 * Addresses and ports, IP and UDP headers are the socket's business, and checksums are computed as
 * the kernel does by default: by the device where it can, else in software. (pagewire's own frames
 * over IPv4 have none unless the port computes it.)
 */
#ifndef PW_KERNEL_UDPTX_H
#define PW_KERNEL_UDPTX_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/udpmsg.h"
#include "kernel/way.h"

struct pw_udptx {
	struct pw_tx_counters c;
	int fd;                    /* -1: none */
	uint8_t family;            /* 4 or 6 */
	uint32_t batch;            /* datagrams in a call: 1..PW_BURST */
	uint32_t longest;          /* IP packet of any object that was attached */
	uint64_t refused_since_ns; /* 0: never */
	uint64_t refused_last_ns;
	const struct pw_log *log;
	char peer[64];
	char fault[PW_ERR_MAX]; /* "" = none */
};

/* Opens and connects; sends then sleep PW_SEND_SLEEP_NS at most. On failure t is to be closed, too. */
int pw_udptx_open(struct pw_udptx *t, const struct pw_way_config *cfg, struct pw_err *err);
void pw_udptx_close(struct pw_udptx *t);

/* -EOPNOTSUPP where the kernel has no UDP_SEGMENT. */
int pw_udptx_need_gso(const struct pw_udptx *t, struct pw_err *err);

/* After a call that sends failed with code: true when another try may succeed (it may have slept
 * for a moment); false when the path is broken for good, and t->fault says how. */
bool pw_udptx_survives(struct pw_udptx *t, int code);
/* Breaks the path for good. Returns false. */
bool pw_udptx_break(struct pw_udptx *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Sends b's symbols by m, one sendmsg() each time that it is full; returns how many. */
uint16_t pw_udptx_send_msgs(struct pw_udptx *t, struct pw_udpmsg *m,
	const struct pw_udpmsg_room *room, const struct pw_tx_burst *b);

void pw_udptx_account(struct pw_udptx *t, const struct pw_tx_burst *b, uint16_t n);

/* pw_tx_ops' calls for ways that have nothing to add. Their pages are not read after send() has
 * returned, so nothing is outstanding. */
int pw_udptx_attach(void *path, struct pw_tx_object *obj, struct pw_err *err);
int pw_udptx_detach(void *path, struct pw_tx_object *obj);
uint16_t pw_udptx_send_copy(
	void *path, const struct pw_frame_tmpl *tmpl, const void *payload, size_t len);
void pw_udptx_reap(void *path);
bool pw_udptx_alive(void *path);
const char *pw_udptx_fault(void *path);
uint32_t pw_udptx_outstanding(void *path);
const struct pw_tx_counters *pw_udptx_counters(void *path);

#endif
