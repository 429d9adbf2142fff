/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The payload mbufs of one transmit queue. They have no buffer; txburst.c points them at the pages of a window.
 * When one returns to the pool, the window's count of packets in flight goes down.
 *
 *   take -> point at the page, *n_out += 1 -> driver -> its free: rte_mempool_put() -> *n_out -= 1
 *
 * The pool's own put does that: no callback of an external buffer is needed, and no field is reset, because
 * pw_txq sets all that it needs for each packet. One thread takes and frees, the queue's; there is neither
 * lock nor cache. Source: rte_mempool.h, struct rte_mempool_ops.
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
	struct rte_mbuf_ext_shared_info shinfo; /* for drivers that see an external buffer */
};

/* n mbufs. NULL with rte_errno set. The caller frees it by rte_mempool_free(). */
struct rte_mempool *pw_payload_pool_create(
	const struct pw_port *port, const char *name, uint32_t n);

#endif
