/* SPDX-License-Identifier: BSD-3-Clause */
/* The receive queue that rxburst.c works on. The thread that polls it owns it; other threads read its
 * counters. */
#ifndef PW_DPDK_RXBURST_H
#define PW_DPDK_RXBURST_H

#include <rte_mbuf.h>
#include <stdint.h>

#include "path/path.h"

#define PW_RX_BURST  (2 * PW_BURST)
#define PW_RX_JOINED 65600u /* the longest frame: Ethernet, 802.1Q and 65535 bytes of IP */

struct pw_dpdk_rx;

struct pw_rxq {
	_Alignas(RTE_CACHE_LINE_SIZE) uint16_t port_id;
	uint16_t queue_id;
	uint16_t n; /* mbufs held since the last burst */
	struct rte_mempool *pool;
	struct pw_addr listen;     /* accept only this destination; family 0 = any */
	struct pw_host_key source; /* accept only this sender; zero = any */
	uint32_t mtu;              /* the user's: IP bytes */
	uint8_t mac[6];            /* ours, for ARP and NDP answers */
	uint8_t *joined; /* PW_RX_BURST * PW_RX_JOINED bytes, for frames of several buffers */
	struct pw_rx_counters c;
	struct pw_frame_memo memo; /* how the last frame for us started */
	struct pw_host_key from;   /* who sent it */
	struct rte_mbuf *mbufs[PW_RX_BURST];
	struct pw_dpdk_rx *dev;
};

/* views[n], n <= PW_RX_BURST. Returns how many were filled; if any, they point into mbufs until the caller's
 * pw_rxq_release(). */
int pw_rxq_burst(struct pw_rxq *q, struct pw_rx_view *views, uint16_t n);
void pw_rxq_release(struct pw_rxq *q);

#endif
