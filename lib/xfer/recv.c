/* SPDX-License-Identifier: BSD-3-Clause */
#include "xfer/recv.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "page/guard.h"
#include "xfer/recvint.h"

/* So many packets' bytes fit the first or second level cache, whatever the MTU. */
#define DIGEST_PACKETS 16

const char *pw_recv_file_state_name(enum pw_recv_file_state s)
{
	static const char *const names[] = {
		[PW_RECV_KNOWN] = "known",
		[PW_RECV_PARTIAL] = "partial",
		[PW_RECV_VERIFYING] = "verifying",
		[PW_RECV_COMPLETE] = "complete",
		[PW_RECV_UNVERIFIED] = "unverified",
		[PW_RECV_MISMATCH] = "mismatch",
		[PW_RECV_REFUSED] = "refused",
	};

	return (unsigned int)s < sizeof(names) / sizeof(names[0]) ? names[s] : "?";
}

static void take_fdt(
	struct pw_recv *r, const struct pw_alc_hdr *hdr, const uint8_t *payload, size_t len)
{
	struct pw_fdtrx_slot *slot;
	struct pw_err err;
	struct pw_fdt fdt;

	if (len == 0)
		return;
	r->c.fdt_packets++;
	switch (pw_fdtrx_take(&r->fdt, hdr, payload, len, &slot)) {
	case PW_FDTRX_WAIT:
		return;
	case PW_FDTRX_BAD:
		r->c.fdt_bad++;
		return;
	case PW_FDTRX_WHOLE:
		break;
	}
	if (pw_fdt_parse(slot->xml, slot->blocks.transfer_len, &fdt, &err) < 0) {
		r->c.fdt_bad++;
		pw_debug(r->log, "FDT instance %u: %s", slot->instance, err.msg);
		pw_fdtrx_done(&r->fdt, slot, false);
		return;
	}
	if (!pw_recv_learn(r, &fdt))
		r->c.fdt_bad++;
	pw_fdt_finish(&fdt);
	pw_fdtrx_done(&r->fdt, slot, true);
}

/* Symbols up to this one have passed by: for the loss. Before the symbol's bit is set. */
static inline void reach(struct pw_recv *r, struct pw_part *p, uint64_t index)
{
	if (index < p->n_reached)
		return;
	r->st.symbols_expected += p->resumed ? pw_part_count_clear(p, p->n_reached, index + 1)
					     : index + 1 - p->n_reached;
	p->n_reached = index + 1;
}

static inline void place(struct pw_recv *r, struct pw_object *o, uint64_t index,
	const uint8_t *payload, uint32_t len)
{
	struct pw_part *p = o->part;
	const uint64_t at = index * p->blocks.symbol_len;

	if (pw_part_has(p, index)) {
		r->c.duplicates++;
		return;
	}
	reach(r, p, index);
	pw_part_set(p, index);
	p->n_missing--;
	o->have_bytes += len;
	r->st.bytes_have += len;
	r->st.symbols_seen++;
	r->c.payload_bytes += len;
	if (at >= p->map.lo && at + len <= p->map.hi)
		memcpy(p->map.base + at, payload, len);
}

/* RFC 5775 section 2.3: a packet may carry several consecutive symbols of one block. */
static bool place_several(struct pw_recv *r, struct pw_object *o, const struct pw_alc_hdr *hdr,
	uint64_t index, const uint8_t *payload, size_t len)
{
	const struct pw_blocks *b = &o->part->blocks;
	uint64_t in_block = pw_blocks_block_len(b, hdr->sbn) - hdr->esi;
	uint64_t n = pw_min_u64(in_block, (len - 1) / b->symbol_len + 1);
	uint64_t last = index + n - 1, i;

	if (len != (n - 1) * b->symbol_len + pw_blocks_symbol_bytes(b, last))
		return false;
	for (i = index; i <= last; i++) {
		place(r, o, i, payload, pw_blocks_symbol_bytes(b, i));
		payload += b->symbol_len;
	}
	return true;
}

static inline void take_symbol(struct pw_recv *r, struct pw_object *o, const struct pw_alc_hdr *hdr,
	const uint8_t *payload, size_t len)
{
	const struct pw_part *p = o->part;
	uint64_t index;

	if (!pw_blocks_index(&p->blocks, hdr->sbn, hdr->esi, &index)) {
		r->c.out_of_object++;
		return;
	}
	if (len == pw_blocks_symbol_bytes(&p->blocks, index)) {
		place(r, o, index, payload, (uint32_t)len);
	} else if (!place_several(r, o, hdr, index, payload, len)) {
		r->c.out_of_object++;
		return;
	}
	if (o->state == PW_RECV_KNOWN)
		pw_recv_set_state(r, o, PW_RECV_PARTIAL);
	if (p->n_missing == 0) {
		r->last = NULL;
		pw_recv_submit(r, o, PW_FINISH_PART);
	}
}

/* The object that toi's symbols go to, or NULL when they go nowhere. */
static struct pw_object *switch_object(struct pw_recv *r, uint64_t toi)
{
	struct pw_object *o = pw_objtab_find(&r->objs, toi);

	if (!o) {
		r->c.unknown_toi++;
		return NULL;
	}
	if (o->state >= PW_RECV_VERIFYING || o->len_bytes == 0) {
		r->c.finished_toi++;
		return NULL;
	}
	if (!pw_recv_ready(r, o))
		return NULL;
	r->last = o;
	return o;
}

/* Whether the packet is of our session; the first one decides which that is. */
static bool is_ours(struct pw_recv *r, const struct pw_alc_hdr *hdr)
{
	if (!r->locked) {
		r->locked = true;
		r->tsi = hdr->tsi;
	}
	if (hdr->tsi != r->tsi) {
		r->c.strangers++;
		return false;
	}
	r->st.session_seen = true;
	return true;
}

static void take_packet(struct pw_recv *r, const struct pw_rx_view *view)
{
	struct pw_object *o = r->last;
	struct pw_alc_hdr hdr;
	enum pw_alc_verdict verdict;
	const uint8_t *payload;
	size_t len;

	r->c.packets++;
	verdict = pw_alc_parse(view->data, view->len, &hdr, &payload, &len);
	if (verdict != PW_ALC_OK) {
		r->c.malformed++;
		r->c.alc_verdicts[verdict]++;
		return;
	}
	r->c.alc_verdicts[PW_ALC_OK]++;
	if (!is_ours(r, &hdr))
		return;
	if (hdr.close_session)
		r->st.session_closed = true;
	if (hdr.toi == PW_FDT_TOI) {
		take_fdt(r, &hdr, payload, len);
		return;
	}
	if (len == 0)
		return;
	if (!o || o->toi != hdr.toi) {
		o = switch_object(r, hdr.toi);
		if (!o)
			return;
	}
	take_symbol(r, o, &hdr, payload, len);
}

static inline void digest(const struct pw_object *o)
{
	if (o && o->part->digest && o->part->map.base)
		pw_part_digest_more(o->part);
}

void pw_recv_burst(struct pw_recv *r, const struct pw_rx_view *views, size_t n)
{
	size_t i;

	for (i = 0; i < n && !r->stopped; i++) {
		if (i + 1 < n)
			__builtin_prefetch(views[i + 1].data);
		take_packet(r, &views[i]);
		if (i % DIGEST_PACKETS == DIGEST_PACKETS - 1 || i == n - 1)
			digest(r->last);
	}
	if (pw_guard_any_lost())
		pw_recv_check_lost(r);
}

static bool is_done(const struct pw_recv *r)
{
	const struct pw_recv_status *st = &r->st;

	if (r->cfg.expect_files)
		return st->n_ended >= r->cfg.expect_files;
	if (r->n_session_files)
		return st->n_ended >= r->n_session_files;
	return r->fdt_complete && st->n_ended == st->n_files;
}

void pw_recv_status(struct pw_recv *r, struct pw_recv_status *st)
{
	if (!r->finished)
		pw_recv_collect(r);
	*st = r->st;
	st->n_files = r->objs.n;
	r->st.n_files = r->objs.n;
	st->done = is_done(r);
	st->fatal = r->fatal.code != 0;
}

const struct pw_recv_counters *pw_recv_counters(const struct pw_recv *r)
{
	return &r->c;
}

size_t pw_recv_n_files(const struct pw_recv *r)
{
	return r->objs.n;
}

void pw_recv_file(const struct pw_recv *r, size_t i, struct pw_recv_file_info *info)
{
	const struct pw_object *o = pw_objtab_at(&r->objs, i);

	*info = (struct pw_recv_file_info){
		.name = o->name,
		.state = o->state,
		.len_bytes = o->len_bytes,
		.have_bytes = o->have_bytes,
		.digest = o->digest,
		.reason = o->reason,
	};
}

const char *pw_recv_gaps_written(const struct pw_recv *r)
{
	return r->gaps_written ? r->gaps_path : NULL;
}
