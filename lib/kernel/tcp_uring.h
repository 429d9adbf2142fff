/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/kernel: the file's bytes in order through an io_uring.
 *
 *   one chain:   SEND chunk 0 -> SEND chunk 1 -> ... -> SEND chunk 7      one io_uring_enter()
 *
 * A stream must not be overtaken by itself, so the chunks of a call are linked (IOSQE_IO_LINK): one
 * starts when the one before it has gone out whole (MSG_WAITALL). A short or failed send cancels
 * those behind it; the next chain starts where it stopped. The next chain is made when the last one
 * is done: nothing can be linked to what was submitted before.
 */
#ifndef PW_KERNEL_TCP_URING_H
#define PW_KERNEL_TCP_URING_H

#include <stdbool.h>
#include <stdint.h>

#include "host/uring.h"
#include "kernel/tcpsock.h"

#define PW_TCP_URING_DEPTH 8 /* what an SQPOLL thread that serves several rings takes at once */

struct pw_tcp_uring {
	struct pw_tcp tcp;
	struct io_uring ring;
	bool ring_open;
	/* Prepares the send of len bytes at va, which lie in tcp.extents[tcp.run]. */
	void (*prep)(
		struct pw_tcp_uring *u, struct io_uring_sqe *sqe, const uint8_t *va, uint32_t len);
	uint32_t asked[PW_TCP_URING_DEPTH]; /* bytes of each link of the chain */
	uint32_t depth;                     /* links in a chain, at most */
	uint32_t chain;                     /* number of the chain, modulo 2^32 */
	uint32_t n_flying;                  /* links whose completion is due */
	uint32_t empty_chain, empty_link;   /* this link and those behind it moved nothing */
	bool cut;          /* a link was short or failed: none behind it may move data */
	int code;          /* what stopped the chain, a positive errno, or 0 */
	uint64_t expect;   /* offset of the first byte not yet returned by send */
	uint64_t moved;    /* bytes sent and not yet returned by send */
	uint64_t n_notifs; /* SEND_ZC: notifications due */
};

/* Opens ring and connection. u is zeroed but for prep; on failure it is to be closed, too. */
int pw_tcp_uring_open(struct pw_tcp_uring *u, const struct pw_way_config *cfg,
	const struct pw_uring_want *want, struct pw_err *err);
/* Ends a chain in flight, a second at most. */
void pw_tcp_uring_close(struct pw_tcp_uring *u);

/* Members of pw_stream_ops. */
int64_t pw_tcp_uring_send(void *path, uint64_t offset, uint64_t len, struct pw_err *err);
int pw_tcp_uring_drain(void *path, struct pw_err *err);

#endif
