/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The transmit queue that txburst.c works on. One thread owns it; nothing here is shared with another
 * lcore.
 */
#ifndef PW_DPDK_TXBURST_H
#define PW_DPDK_TXBURST_H

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <stdbool.h>
#include <stdint.h>

#include "dpdk/payload_pool.h"
#include "path/path.h"

struct pw_dpdk_tx;

struct pw_txq {
	uint16_t port_id;
	uint16_t queue_id;
	uint16_t n_pending;       /* built, not yet taken by the driver */
	uint16_t first_pending;   /* index of the first of them */
	uint16_t pending_hdr_len; /* bytes before the file's in each pending packet */
	uint64_t ol_flags;        /* of every packet's first mbuf */
	uint64_t rearm_hdr;   /* header mbuf: data_off, refcnt 1, nb_segs 2 (chains) or 1, port */
	uint64_t rearm_frame; /* a frame's mbuf: data_off 0, refcnt 1, nb_segs 1, port */
	struct rte_mempool *hdr_pool;     /* headers; unused with linear packets */
	struct rte_mempool *payload_pool; /* payload mbufs: payload_pool.h */
	uint64_t pay_flags;            /* RTE_MBUF_F_EXTERNAL, or 0: pw_driver_traits.plain_free */
	struct rte_mempool *copy_pool; /* whole packets: linear ports, FDT */
	uint16_t (*fill)(struct pw_txq *q, const struct pw_tx_burst *b); /* chains or linear */
	bool sw_csum; /* the CPU computes UDP checksums */
	bool chains;  /* the port takes them */
	struct rte_mbuf *pending[PW_BURST];
	struct pw_tx_counters c;
	struct pw_dpdk_tx *dev;
};

/* Build and burst; see struct pw_tx_ops. */
uint16_t pw_txq_send(struct pw_txq *q, const struct pw_tx_burst *b);

/* Offers what is pending to the driver; true when nothing is left. */
bool pw_txq_flush(struct pw_txq *q);

uint16_t pw_txq_fill_chain(struct pw_txq *q, const struct pw_tx_burst *b);
uint16_t pw_txq_fill_linear(struct pw_txq *q, const struct pw_tx_burst *b);
/* The first frames of b that are alike, one or more; *bytes: their sum. 0: no mbuf is left. */
uint16_t pw_txq_fill_frames(struct pw_txq *q, const struct pw_tx_burst *b, uint64_t *bytes);

/* Fills the UDP checksums of the n packets in q->pending, built for b. */
void pw_txq_checksum(struct pw_txq *q, const struct pw_tx_burst *b, uint16_t n);

#endif
