/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From frames of a capture to packets: one mbuf for each frame, and its buffer is the capture's page. No header
 * mbuf, no copy, and no byte of the frame is read. Part of txburst.c's pw_txq_send(), with the same rules.
 *
 *   in one extent       payload mbuf -> the page
 *   edited              header mbuf <- edited headers;  payload mbuf -> the page behind them, if there is more;
 *                       a port without chains gets a copy
 *   crosses extents     a chain, one segment for each extent; a port without chains gets a copy
 *   padded              a copy: frame and zeros
 */
#include "dpdk/txburst.h"
#include "dpdk/txfill.h"
#include "path/frames.h"

/* A copy has a headroom in front. */
static_assert(PW_FRAME_LEN_MAX + RTE_PKTMBUF_HEADROOM <= UINT16_MAX, "a copy's mbuf has room");

/* The first mbuf of a frame that is not copied. A payload mbuf that nobody has keeps next NULL, and tx_offload is
 * never set in it: its second cache line is not touched. */
static inline void init_frame(struct rte_mbuf *m, uint64_t rearm, uint32_t len)
{
	memcpy(&m->rearm_data, &rearm, sizeof(rearm));
	m->pkt_len = len;
}

/* Puts the edited headers in front of what follows in the page; NULL: nothing does. */
static inline void fill_header(
	struct rte_mbuf *m, uint64_t rearm, const struct pw_tx_frame *f, struct rte_mbuf *page)
{
	init_frame(m, rearm, f->wire_len);
	m->tx_offload = 0;
	m->nb_segs = page ? 2 : 1;
	m->next = page;
	m->ol_flags = 0;
	m->data_len = f->header_len;
	memcpy((uint8_t *)m->buf_addr + RTE_PKTMBUF_HEADROOM, f->header, f->header_len);
}

/* A copy of frame and padding, counted. The frame's bytes may lie in several extents. */
static bool fill_copy(struct pw_txq *q, const struct pw_tx_frame *f, const struct pw_extent *extent,
	struct rte_mbuf **out)
{
	uint64_t offset = f->offset;
	uint32_t left = f->len;
	struct rte_mbuf *m;
	uint8_t *to;

	if (rte_mempool_get(q->copy_pool, (void **)&m))
		return false;
	rte_pktmbuf_reset(m);
	to = rte_pktmbuf_mtod(m, uint8_t *);
	if (f->header_len)
		memcpy(to, f->header, f->header_len);
	to += f->header_len;
	while (left > 0) {
		const uint64_t skip = offset - extent->offset;
		const uint32_t part = (uint32_t)pw_min_u64(left, extent->len_bytes - skip);

		memcpy(to, extent->va + skip, part);
		to += part;
		offset += part;
		left -= part;
		extent++;
	}
	memset(to, 0, f->wire_len - f->header_len - f->len);
	m->data_len = (uint16_t)f->wire_len;
	m->pkt_len = m->data_len;
	q->c.cpu_copied_bytes += m->data_len;
	*out = m;
	return true;
}

/* A chain, a segment for each extent that the frame touches, behind the edited headers. */
static bool fill_split(struct pw_txq *q, struct pw_window *win, const struct pw_tx_frame *f,
	const struct pw_extent *extent, struct rte_mbuf **out)
{
	struct rte_mbuf *first = NULL, *tail = NULL, *m;
	uint64_t offset = f->offset;
	uint32_t left = f->len;

	if (f->header_len) {
		if (rte_mempool_get(q->hdr_pool, (void **)&first))
			return false;
		fill_header(first, q->rearm_hdr, f, NULL);
		tail = first;
	}
	while (left > 0) {
		const uint64_t skip = offset - extent->offset;
		const uint16_t part = (uint16_t)pw_min_u64(left, extent->len_bytes - skip);

		if (rte_mempool_get(q->payload_pool, (void **)&m)) {
			rte_pktmbuf_free(first);
			return false;
		}
		init_frame(m, q->rearm_frame, f->wire_len);
		attach(m, q->pay_flags, &win->n_out, extent->va + skip, extent->iova + skip, part);
		win->n_out++;
		if (first) {
			tail->next = m;
			first->nb_segs++;
		} else {
			first = m;
		}
		tail = m;
		offset += part;
		left -= part;
		extent++;
	}
	q->c.split_packets++;
	q->c.header_bytes += f->header_len;
	*out = first;
	return true;
}

/* How many of the first frames lie whole in this extent, neither edited nor padded. */
static uint16_t n_in_extent(const struct pw_tx_burst *b, const struct pw_extent *extent)
{
	const uint64_t end = extent->offset + extent->len_bytes;
	uint16_t n = 0;

	while (n < b->n && b->frames[n].wire_len == b->frames[n].len &&
		b->frames[n].offset >= extent->offset &&
		b->frames[n].offset + b->frames[n].len <= end)
		n++;
	return n;
}

/* The loop that decides the speed of a replay. */
static uint64_t fill_extent(struct pw_txq *q, const struct pw_tx_burst *b,
	const struct pw_extent *extent, struct rte_mbuf **pkts, uint16_t n)
{
	const uint64_t rearm = q->rearm_frame, flags = q->pay_flags; /* stores might alias q */
	const uint8_t *va = extent->va - extent->offset;
	const rte_iova_t iova = extent->iova - extent->offset;
	const struct pw_tx_frame *f = b->frames;
	uint32_t *n_out = &b->obj->win->n_out;
	uint64_t bytes = 0;
	uint16_t i;

	*n_out += n;
	for (i = 0; i < n; i++, f++) {
		init_frame(pkts[i], rearm, f->len);
		attach(pkts[i], flags, n_out, va + f->offset, iova + f->offset, f->len);
		bytes += f->len;
	}
	return bytes;
}

/* The first frames, edited or not, whose bytes behind the headers lie whole in one extent and are not padded. */
struct mixed {
	uint16_t n, n_headers, n_pages;
};

static struct mixed find_mixed(const struct pw_tx_burst *b, const struct pw_extent *extent)
{
	const uint64_t end = extent->offset + extent->len_bytes;
	struct mixed r = {0};

	for (; r.n < b->n; r.n++) {
		const struct pw_tx_frame *f = &b->frames[r.n];

		if (f->wire_len != (uint32_t)f->header_len + f->len || f->offset < extent->offset ||
			f->offset + f->len > end)
			break;
		r.n_headers = (uint16_t)(r.n_headers + (f->header_len > 0));
		r.n_pages = (uint16_t)(r.n_pages + (f->len > 0));
	}
	return r;
}

/* Returns r.n, or 0: no mbuf is left. */
static uint16_t fill_mixed(struct pw_txq *q, const struct pw_tx_burst *b,
	const struct pw_extent *extent, struct mixed r, uint64_t *bytes)
{
	struct rte_mbuf *headers[PW_BURST], *pages[PW_BURST];
	struct rte_mbuf **header = headers, **next_page = pages;
	const struct pw_tx_frame *f = b->frames;
	uint32_t *n_out = &b->obj->win->n_out;
	uint16_t i;

	if (rte_mempool_get_bulk(q->hdr_pool, (void **)headers, r.n_headers))
		return 0;
	if (r.n_pages && rte_mempool_get_bulk(q->payload_pool, (void **)pages, r.n_pages)) {
		rte_mempool_put_bulk(q->hdr_pool, (void **)headers, r.n_headers);
		return 0;
	}
	*n_out += r.n_pages;
	for (i = 0; i < r.n; i++, f++) {
		const uint64_t skip = f->offset - extent->offset;
		struct rte_mbuf *page = NULL;

		if (f->len) {
			page = *next_page++;
			init_frame(page, q->rearm_frame, f->wire_len);
			attach(page, q->pay_flags, n_out, extent->va + skip, extent->iova + skip,
				f->len);
		}
		q->pending[i] = page;
		if (f->header_len) {
			q->pending[i] = *header++;
			fill_header(q->pending[i], q->rearm_hdr, f, page);
			q->c.header_bytes += f->header_len;
		}
		*bytes += f->wire_len;
	}
	return r.n;
}

uint16_t pw_txq_fill_frames(struct pw_txq *q, const struct pw_tx_burst *b, uint64_t *bytes)
{
	const struct pw_tx_frame *f = b->frames;
	const struct pw_extent *extent = find_extent(b->obj->win, f->offset);
	const uint16_t n = n_in_extent(b, extent);

	if (n > 0) {
		if (rte_mempool_get_bulk(q->payload_pool, (void **)q->pending, n))
			return 0;
		*bytes = fill_extent(q, b, extent, q->pending, n);
		return n;
	}
	if (q->chains) {
		const struct mixed r = find_mixed(b, extent);

		if (r.n > 0)
			return fill_mixed(q, b, extent, r, bytes);
	}
	*bytes = f->wire_len;
	if (q->chains && f->wire_len == (uint32_t)f->header_len + f->len)
		return fill_split(q, b->obj->win, f, extent, q->pending);
	return fill_copy(q, f, extent, q->pending);
}
