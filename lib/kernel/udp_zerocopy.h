/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/kernel: the messages of the zero-copy datagram ways. The kernel reads a message after
 * the call that sends it: its headers, which are here, and pages of the file's window. So each message
 * has a slot of a ring until the kernel has released it. Slots are numbered upwards, modulo 2^32:
 *
 *   slots   | free | out | done | out | out | free |
 *                    tail                     head       slots become free in order, from the tail
 *
 * The headers have a mapping of their own. Unmapping it takes no page away from the kernel, which has
 * pinned it; memory from malloc() could be reused before the device has read it.
 */
#ifndef PW_KERNEL_UDP_ZEROCOPY_H
#define PW_KERNEL_UDP_ZEROCOPY_H

#include "kernel/udptx.h"

#define PW_UDPZC_SLOTS     256u /* a power of two */
#define PW_UDPZC_DATAGRAMS 8    /* a datagram has two pieces or more, so no more fit */
#define PW_UDPZC_PIECES    17   /* MAX_SKB_FRAGS: what an skb can refer to */
#define PW_UDPZC_IOVS      (PW_UDPMSG_IOVS + PW_UDPZC_PIECES)
#define PW_UDPZC_HEADERS   ((size_t)PW_UDPZC_SLOTS * PW_UDPZC_DATAGRAMS * PW_ALC_HDR_MAX) /* bytes */
#define PW_UDPZC_CLOSE_NS  1000000000ull /* close waits for completions, at most */

struct pw_udpzc_slot {
	struct pw_udpmsg m;
	struct pw_window *win;
	bool done;
	/* of the ways through an io_uring */
	uint64_t attempt;
	bool sent;     /* the completion has come */
	bool notified; /* the notification has come, or none will */
	bool counted;  /* the notification has come */
	bool copied;   /* and reports a copy */
	struct iovec iov[PW_UDPZC_IOVS];
};

struct pw_udpzc {
	struct pw_udptx t;
	struct pw_udpmsg_room room;
	uint32_t head;  /* the slot to fill next */
	uint32_t tail;  /* the oldest slot that is out */
	uint32_t n_out; /* datagrams */
	struct pw_udpzc_slot *slots;
	uint8_t *headers;
};

/* pw_way's init: allocates the slots. */
int pw_udpzc_init(void *path, struct pw_err *err);
/* Before the first message: another place for their headers[PW_UDPZC_HEADERS]. */
void pw_udpzc_place_headers(struct pw_udpzc *z, uint8_t *headers);
void pw_udpzc_finish(struct pw_udpzc *z); /* accepts a zeroed one */

static inline struct pw_udpzc_slot *pw_udpzc_slot(const struct pw_udpzc *z, uint32_t number)
{
	return &z->slots[number % PW_UDPZC_SLOTS];
}

static inline bool pw_udpzc_has_room(const struct pw_udpzc *z)
{
	return z->head - z->tail < PW_UDPZC_SLOTS;
}

/* Hands the head slot's message to the kernel. */
void pw_udpzc_take(struct pw_udpzc *z, struct pw_window *win);
/* The kernel has released a message. Numbers that are not out are ignored. */
void pw_udpzc_done(struct pw_udpzc *z, uint32_t number);

uint32_t pw_udpzc_outstanding(void *path); /* member of pw_tx_ops */

#endif
