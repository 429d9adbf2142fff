/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the CPU reads or copies payload: packets for ports that take no chains, and UDP checksums that
 * the port does not compute. The bytes are counted as cpu_copied_bytes and cpu_read_bytes.
 */
#include "dpdk/txburst.h"
#include "dpdk/txfill.h"

/* One buffer for each packet, with copies of header and payload. A symbol's bytes are contiguous for the
 * CPU even where they cross extents: only the IOVAs are not. */
uint16_t pw_txq_fill_linear(struct pw_txq *q, const struct pw_tx_burst *b)
{
	const struct pw_extent *extent = find_extent(b->obj->win, b->offset);
	uint32_t fec_id = b->payload_id;
	uint64_t offset = b->offset;
	uint16_t i;

	if (rte_mempool_get_bulk(q->copy_pool, (void **)q->pending, b->n))
		return 0;
	for (i = 0; i < b->n; i++, fec_id++) {
		struct rte_mbuf *m = q->pending[i];
		const uint16_t len = symbol_bytes(b, i);
		const struct pw_frame_tmpl *t = tmpl_for(b->obj, len);
		const struct pw_first first = first_of(q->rearm_hdr, q->ol_flags, t);

		while (offset >= extent->offset + extent->len_bytes)
			extent++;
		init_first(m, &first);
		m->data_len = (uint16_t)(t->len + len);
		copy_header(rte_pktmbuf_mtod(m, uint8_t *), t, t->len, fec_id);
		memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, t->len),
			extent->va + (offset - extent->offset), len);
		q->c.cpu_copied_bytes += len;
		offset += len;
	}
	return b->n;
}

void pw_txq_checksum(struct pw_txq *q, const struct pw_tx_burst *b, uint16_t n)
{
	const struct pw_extent *extent = find_extent(b->obj->win, b->offset);
	uint64_t offset = b->offset;
	uint16_t i;

	for (i = 0; i < n; i++) {
		uint8_t *hdr = rte_pktmbuf_mtod(q->pending[i], uint8_t *);
		const uint16_t len = symbol_bytes(b, i);
		const struct pw_frame_tmpl *t = tmpl_for(b->obj, len);

		while (offset >= extent->offset + extent->len_bytes)
			extent++;
		pw_be16_store(hdr + t->alc_off - 2,
			pw_frame_udp_csum(t, hdr, extent->va + (offset - extent->offset), len));
		offset += len;
		q->c.cpu_read_bytes += len;
	}
}
