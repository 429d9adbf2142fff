/* SPDX-License-Identifier: BSD-3-Clause */
/* How a packet is filled: the steps that chains (txburst.c), linear packets (txcopy.c) and frames
 * (txframes.c) share. */
#ifndef PW_DPDK_TXFILL_H
#define PW_DPDK_TXFILL_H

#include <assert.h>
#include <rte_mbuf.h>
#include <string.h>

#include "base/bytes.h"
#include "dpdk/payload_pool.h"
#include "path/path.h"

static_assert(PW_FRAME_HDR_MAX == 2 * 64, "copy_header() copies two cache lines at most");
static_assert(offsetof(struct rte_mbuf, rearm_data) % 8 == 0, "the rearm word is stored at once");

/* Whole cache lines: constant sizes become vector stores. SBN and ESI are a header's last bytes. */
static inline void copy_header(
	uint8_t *hdr, const struct pw_frame_tmpl *t, uint16_t len, uint32_t fec_id)
{
	memcpy(hdr, t->bytes, 64);
	if (len > 64)
		memcpy(hdr + 64, t->bytes + 64, 64);
	pw_be32_store(hdr + len - 4, fec_id);
}

/* What the first mbufs of a burst have in common */
struct pw_first {
	uint64_t rearm, ol_flags, tx_offload;
	uint32_t pkt_len;
};

static inline struct pw_first first_of(
	uint64_t rearm, uint64_t ol_flags, const struct pw_frame_tmpl *t)
{
	return (struct pw_first){
		.rearm = rearm,
		.ol_flags = ol_flags,
		.tx_offload = t->l2_len | (uint64_t)t->l3_len << RTE_MBUF_L2_LEN_BITS,
		.pkt_len = (uint32_t)t->len + t->payload_len,
	};
}

static inline void init_first(struct rte_mbuf *m, const struct pw_first *f)
{
	memcpy(&m->rearm_data, &f->rearm, sizeof(f->rearm));
	m->ol_flags = f->ol_flags;
	m->tx_offload = f->tx_offload;
	m->pkt_len = f->pkt_len;
}

/* Points m at bytes of the window. Only m is written, never the file; nothing in m is read, so the
 * state that its last use left does not matter. The caller counts n_out. */
static inline void attach(struct rte_mbuf *m, uint64_t flags, uint32_t *n_out, const uint8_t *va,
	rte_iova_t iova, uint16_t len)
{
	struct pw_payload_priv *priv = rte_mbuf_to_priv(m);

	priv->n_out = n_out;
	m->buf_addr = (void *)(uintptr_t)va;
	rte_mbuf_iova_set(m, iova);
	m->data_off = 0;
	m->ol_flags = flags;
	m->data_len = len;
	m->buf_len = len;
}

static inline const struct pw_extent *find_extent(const struct pw_window *win, uint64_t offset)
{
	uint32_t lo = 0, hi = win->n_extents;

	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (win->extents[mid].offset <= offset)
			lo = mid;
		else
			hi = mid;
	}
	return &win->extents[lo];
}

static inline uint16_t symbol_bytes(const struct pw_tx_burst *b, uint16_t i)
{
	uint64_t rest = b->obj->blocks.transfer_len - b->offset;

	return (uint16_t)pw_min_u64(
		b->obj->blocks.symbol_len, rest - (uint64_t)i * b->obj->blocks.symbol_len);
}

/* The template of the symbol of `len` bytes */
static inline const struct pw_frame_tmpl *tmpl_for(const struct pw_tx_object *obj, uint16_t len)
{
	return len == obj->tmpl.payload_len ? &obj->tmpl : &obj->tmpl_last;
}

#endif
