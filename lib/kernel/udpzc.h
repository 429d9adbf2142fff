/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/kernel: messages that the kernel reads after the call that sends them: headers here,
 * pages in the file's window. A ring of slots, numbered on and on, modulo 2^32:
 *
 *   slots   | free | out | done | out | out | free |
 *                    tail                     head       a slot is free again when all before it are
 *
 * The headers lie in a mapping of their own: who unmaps it takes no page away from the kernel, which
 * has pinned it, whereas freed memory could be written to again before the device has read it.
 */
#ifndef PW_KERNEL_UDPZC_H
#define PW_KERNEL_UDPZC_H

#include "kernel/udptx.h"

#define PW_UDPZC_SLOTS     256u /* a power of two */
#define PW_UDPZC_DATAGRAMS 8    /* of two pieces and more: so many fit */
#define PW_UDPZC_PIECES    17   /* MAX_SKB_FRAGS: an skb refers to no more */
#define PW_UDPZC_IOVS      (PW_UDPMSG_IOVS + PW_UDPZC_PIECES)

struct pw_udpzc_slot {
	struct pw_udpmsg m;
	struct pw_window *win;
	bool done;
	/* of uring_udp_zc */
	uint64_t attempt;
	bool sent;     /* its completion has come */
	bool notified; /* its notification has come, or none will */
	bool counted;  /* it has come, */
	bool copied;   /* and says so */
	struct iovec iov[PW_UDPZC_IOVS];
};

struct pw_udpzc {
	struct pw_udptx t;
	struct pw_udpmsg_room room;
	uint32_t head;  /* number of the slot that is filled next */
	uint32_t tail;  /* of the oldest that is out */
	uint32_t n_out; /* datagrams */
	struct pw_udpzc_slot *slots;
	uint8_t *headers;
};

/* Opens the socket. On failure z is to be closed, too. */
int pw_udpzc_open(struct pw_udpzc *z, const struct pw_way_config *cfg, struct pw_err *err);
void pw_udpzc_close(struct pw_udpzc *z);

static inline struct pw_udpzc_slot *pw_udpzc_slot(const struct pw_udpzc *z, uint32_t number)
{
	return &z->slots[number % PW_UDPZC_SLOTS];
}

static inline bool pw_udpzc_has_room(const struct pw_udpzc *z)
{
	return z->head - z->tail < PW_UDPZC_SLOTS;
}

/* The head slot's message is the kernel's from here on. */
void pw_udpzc_take(struct pw_udpzc *z, struct pw_window *win);
/* The kernel has let go of a message. Numbers that are not out are ignored. */
void pw_udpzc_done(struct pw_udpzc *z, uint32_t number);

/* Members of pw_tx_ops; the path is a struct pw_udpzc. */
int pw_udpzc_detach(void *path, struct pw_tx_object *obj);
uint32_t pw_udpzc_outstanding(void *path);

#endif
