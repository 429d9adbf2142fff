/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The payload mbufs of one transmit queue: mbufs without a buffer of their own, which are pointed at
 * the pages of a window, and whose way back into the pool counts the window down.
 *
 *   take -> point at the page, *n_out += 1 -> driver -> its free: rte_mempool_put() -> *n_out -= 1
 *
 * The pool's own put does that, so a packet's free passes no external buffer's callback and resets
 * nothing: pw_txq fills what it needs anew each time. One thread takes and frees, the queue's; there
 * is neither lock nor cache. Source: rte_mempool.h, struct rte_mempool_ops.
 */
#ifndef PW_DPDK_PAYLOAD_POOL_H
#define PW_DPDK_PAYLOAD_POOL_H

#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <stdint.h>

struct pw_port;

/* A payload mbuf's private area */
struct pw_payload_priv {
	uint32_t *n_out; /* of the window that it points into; set before it is given back */
	struct rte_mbuf_ext_shared_info shinfo; /* for drivers that ask whose the buffer is */
};

/* n mbufs, as pw_port_pool() makes them; NULL with rte_errno. rte_mempool_free() ends it. */
struct rte_mempool *pw_payload_pool_create(
	const struct pw_port *port, const char *name, uint32_t n);

#endif
