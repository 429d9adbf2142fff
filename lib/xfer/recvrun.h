/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A run: packets that start as the last one that was parsed did, each with the next whole symbol of one
 * block. What one is and what it counts, for a receiver of one lane (recv.c) and of several
 * (recvlane.c).
 */
#ifndef PW_XFER_RECVRUN_H
#define PW_XFER_RECVRUN_H

#include "base/bytes.h"
#include "xfer/recvint.h"

/* Returns how many whole symbols of one block views[n] starts with, n <= 64; *index: of the first. */
static inline unsigned int pw_run_find(const struct pw_alc_memo *memo, const struct pw_blocks *b,
	const struct pw_rx_view *views, unsigned int n, uint64_t *index)
{
	const uint32_t len = memo->len + PW_FEC_ID_LEN + b->symbol_len;
	uint32_t first_id = 0;
	unsigned int i;

	for (i = 0; i < n && views[i].len == len; i++) {
		const uint8_t *pkt = views[i].data;
		uint32_t id;

		if (!pw_alc_is_same(memo, pkt, len))
			break;
		id = pw_be32_load(pkt + memo->len);
		if (i == 0)
			first_id = id;
		else if (id != first_id + i)
			break;
	}
	if (i == 0 || !pw_blocks_index(b, first_id >> 16, first_id & UINT16_MAX, index))
		return 0;
	n = (unsigned int)pw_min_u64(
		i, pw_blocks_block_len(b, first_id >> 16) - (first_id & UINT16_MAX));
	return n - (pw_blocks_symbol_bytes(b, *index + n - 1) != b->symbol_len);
}

/* Symbols up to this one have passed by: for the loss. Before the symbol's bit is set. */
static inline void pw_run_reach(struct pw_recv *r, struct pw_part *p, uint64_t index)
{
	if (index < p->n_reached)
		return;
	r->st.symbols_expected += p->resumed ? pw_part_count_clear(p, p->n_reached, index + 1)
					     : index + 1 - p->n_reached;
	p->n_reached = index + 1;
}

static inline void pw_run_account(struct pw_recv *r, struct pw_object *o, uint64_t n, uint64_t len)
{
	o->part->n_missing -= n;
	o->have_bytes += len;
	r->st.bytes_have += len;
	r->st.symbols_seen += n;
	r->c.payload_bytes += len;
}

/* o has got symbols. The part of one that has them all may be gone when this returns. */
static inline void pw_run_went_on(struct pw_recv *r, struct pw_object *o)
{
	if (o->state == PW_RECV_KNOWN)
		pw_recv_set_state(r, o, PW_RECV_PARTIAL);
	if (o->part->n_missing == 0 && o->part->n_writing == 0) {
		r->last = NULL;
		pw_recv_submit(r, o, PW_FINISH_PART);
	}
}

#endif
