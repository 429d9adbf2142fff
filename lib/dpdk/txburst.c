/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The transmitter. From a run of symbols to packets whose payload is the file's pages:
 *
 *   reap     the driver frees mbufs of earlier bursts: their pool counts the window down
 *   fill     header mbuf <- template + FEC Payload ID;  payload mbuf -> the page; no byte is read
 *   burst    rte_eth_tx_burst(); what the ring did not take is offered first next time
 *   account  counters, once a burst
 *
 * One thread owns the queue, its pools' caches and every window's n_out. A window may be unmapped
 * once n_out is 0: each payload mbuf in the ring or in q->pending counts as one.
 *
 * No system call, no lock, no log, no clock, no allocation but the mempools' bulk calls: a test
 * holds this object's undefined symbols against a list.
 */
#include "dpdk/txburst.h"

#include "base/probe.h"
#include "dpdk/txfill.h"

/* A symbol that crosses extents: one more segment for each boundary. False when the pool is empty;
 * the caller then frees the header with the segments that are already chained. */
static bool chain_split(struct pw_txq *q, struct rte_mbuf *first, struct pw_window *win,
	uint64_t offset, uint16_t len)
{
	struct rte_mbuf *tail = first, *m;
	const struct pw_extent *extent = find_extent(win, offset);

	first->nb_segs = 1;
	while (len > 0) {
		uint64_t skip = offset - extent->offset;
		uint16_t part = (uint16_t)pw_min_u64(len, extent->len_bytes - skip);

		if (rte_mempool_get(q->payload_pool, (void **)&m))
			return false;
		attach(m, q->pay_flags, &win->n_out, extent->va + skip, extent->iova + skip, part);
		win->n_out++;
		tail->next = m;
		tail = m;
		first->nb_segs++;
		offset += part;
		len = (uint16_t)(len - part);
		extent++;
	}
	q->c.split_packets += first->nb_segs > 2;
	return true;
}

/* n full symbols, all inside one extent. This is the loop that decides the sender's speed. */
static void fill_extent(struct pw_txq *q, const struct pw_tx_burst *b,
	const struct pw_extent *extent, struct rte_mbuf **hdrs, struct rte_mbuf **pays, uint16_t n)
{
	const struct pw_frame_tmpl *t = &b->obj->tmpl;
	const uint64_t skip = b->offset - extent->offset;
	const uint16_t len = t->payload_len;
	const uint8_t *va = extent->va + skip;
	rte_iova_t iova = extent->iova + skip;
	const struct pw_first first =
		first_of(q->rearm_hdr, q->ol_flags, t); /* stores to mbufs might alias q and t */
	const uint16_t hdr_len = t->len;
	const uint64_t pay_flags = q->pay_flags;
	uint32_t *n_out = &b->obj->win->n_out;
	uint32_t fec_id = b->payload_id;
	uint16_t i;

	*n_out += n;
	for (i = 0; i < n; i++, fec_id++, va += len, iova += len) {
		struct rte_mbuf *h = hdrs[i], *p = pays[i];

		init_first(h, &first);
		h->data_len = hdr_len;
		h->next = p;
		copy_header((uint8_t *)h->buf_addr + RTE_PKTMBUF_HEADROOM, t, hdr_len, fec_id);
		attach(p, pay_flags, n_out, va, iova, len);
	}
}

/* The object's short last symbol, or one that crosses extents. */
static bool fill_one(struct pw_txq *q, const struct pw_tx_burst *b, uint16_t i, uint16_t n_symbol)
{
	const uint64_t offset = b->offset + (uint64_t)i * b->obj->blocks.symbol_len;
	const struct pw_frame_tmpl *t = tmpl_for(b->obj, n_symbol);
	const struct pw_first first = first_of(q->rearm_hdr, q->ol_flags, t);
	struct rte_mbuf *h;

	if (rte_mempool_get(q->hdr_pool, (void **)&h))
		return false;
	init_first(h, &first);
	h->data_len = t->len;
	copy_header(rte_pktmbuf_mtod(h, uint8_t *), t, t->len, b->payload_id + i);
	if (!chain_split(q, h, b->obj->win, offset, n_symbol)) {
		rte_pktmbuf_free(h);
		return false;
	}
	q->pending[i] = h;
	return true;
}

uint16_t pw_txq_fill_chain(struct pw_txq *q, const struct pw_tx_burst *b)
{
	const struct pw_extent *extent = find_extent(b->obj->win, b->offset);
	const uint64_t in_extent = extent->len_bytes - (b->offset - extent->offset);
	const uint32_t len = b->obj->blocks.symbol_len;
	uint16_t n = b->n;
	struct rte_mbuf *pays[PW_BURST];

	if (in_extent < (uint64_t)n * len)
		n = (uint16_t)(in_extent /
			       len); /* the next one crosses, or is the short last symbol */
	if (n == 0)
		return fill_one(q, b, 0, symbol_bytes(b, 0));
	if (rte_mempool_get_bulk(q->hdr_pool, (void **)q->pending, n))
		return 0;
	if (rte_mempool_get_bulk(q->payload_pool, (void **)pays, n)) {
		rte_mempool_put_bulk(q->hdr_pool, (void **)q->pending, n);
		return 0;
	}
	fill_extent(q, b, extent, q->pending, pays, n);
	return n;
}

bool pw_txq_flush(struct pw_txq *q)
{
	uint16_t n;

	if (q->n_pending == 0)
		return true;
	n = rte_eth_tx_burst(q->port_id, q->queue_id, q->pending + q->first_pending, q->n_pending);
	PW_PROBE3(tx_burst, q->queue_id, q->n_pending, n);
	q->c.full_polls += n == 0;
	q->first_pending = (uint16_t)(q->first_pending + n);
	q->n_pending = (uint16_t)(q->n_pending - n);
	return q->n_pending == 0;
}

uint16_t pw_txq_send(struct pw_txq *q, const struct pw_tx_burst *b)
{
	uint64_t bytes = 0;
	uint16_t n;

	if (!pw_txq_flush(q))
		return 0;
	n = b->frames ? pw_txq_fill_frames(q, b, &bytes) : q->fill(q, b);
	if (n == 0) { /* every mbuf is with the driver */
		q->c.full_polls++;
		rte_eth_tx_burst(q->port_id, q->queue_id, NULL, 0); /* lets most drivers reap */
		return 0;
	}
	if (q->sw_csum)
		pw_txq_checksum(q, b, n);
	PW_PROBE3(tx_symbols, b->obj->toi, b->payload_id, n);
	q->first_pending = 0;
	q->n_pending = n;
	q->pending_hdr_len = b->obj->tmpl.len;
	if (!b->frames)
		bytes = (uint64_t)(n - 1) * b->obj->blocks.symbol_len +
			symbol_bytes(b, (uint16_t)(n - 1));
	q->c.packets += n;
	q->c.payload_bytes += bytes;
	q->c.wire_bytes += bytes + (uint64_t)n * b->obj->tmpl.len;
	pw_txq_flush(q);
	return n;
}
