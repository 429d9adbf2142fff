/* SPDX-License-Identifier: BSD-3-Clause */
#include "xfer/recv.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "page/digest.h"
#include "page/guard.h"
#include "page/ntcopy.h"
#include "xfer/direct.h"
#include "xfer/recvrun.h"

/* Packets in one run; a word of the bitmap takes 64. */
#define RUN_MAX 32

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

/* A symbol to its place; while none is missing in front of it, into the digest too, from the packet:
 * that is in the cache, the file's page is not. */
static inline void write_symbol(
	struct pw_part *p, uint64_t index, const uint8_t *payload, uint32_t len)
{
	const uint64_t offset = index * p->blocks.symbol_len;

	if (offset < p->map.lo || offset + len > p->map.hi) {
		if (!p->map.direct)
			return;
		pw_direct_put(p, offset, payload, len);
	} else if (p->is_large) {
		pw_ntcopy(p->map.base + offset, payload, len);
	} else {
		memcpy(p->map.base + offset, payload, len);
	}
	if (p->digest && p->digested_bytes == offset) {
		pw_digest_update(p->digest, payload, len);
		p->digested_bytes += len;
	}
}

static inline void place(struct pw_recv *r, struct pw_object *o, uint64_t index,
	const uint8_t *payload, uint32_t len)
{
	struct pw_part *p = o->part;

	if (pw_bits_any(p->claims ? p->claims : p->bits, index, 1)) {
		r->c.duplicates++;
		return;
	}
	pw_run_reach(r, p, index);
	pw_bits_set(p->bits, index, 1);
	if (p->claims)
		pw_bits_set(p->claims, index, 1);
	pw_run_account(r, o, 1, len);
	write_symbol(p, index, payload, len);
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
	pw_run_went_on(r, o);
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
	pw_alc_remember(&r->memo, view->data);
	take_symbol(r, o, &hdr, payload, len);
}

/* Takes a run of symbols, none of which is there yet, at once. Returns how many packets that were; 0:
 * the first one is for take_packet(), as is what ends an object. */
static unsigned int take_run(struct pw_recv *r, const struct pw_rx_view *views, unsigned int n)
{
	struct pw_object *o = r->last;
	struct pw_part *p = o->part;
	const struct pw_blocks *b = &p->blocks;
	const uint32_t head = r->memo.len + PW_FEC_ID_LEN;
	uint64_t index;
	unsigned int i;

	n = pw_run_find(&r->memo, b, views, n, &index);
	if (n == 0 || pw_bits_any(p->bits, index, n))
		return 0;
	pw_run_reach(r, p, index + n - 1);
	pw_bits_set(p->bits, index, n);
	pw_run_account(r, o, n, (uint64_t)n * b->symbol_len);
	r->c.packets += n;
	r->c.alc_verdicts[PW_ALC_OK] += n;
	for (i = 0; i < n; i++)
		write_symbol(p, index + i, views[i].data + head, b->symbol_len);
	pw_run_went_on(r, o);
	return n;
}

size_t pw_recv_take(struct pw_recv *r, const struct pw_rx_view *views, size_t n)
{
	unsigned int run;
	size_t i;

	for (i = 0; i < n && !r->stopped; i += run) {
		run = (unsigned int)pw_min_u64(n - i, RUN_MAX);
		run = r->last && !r->last->part->claims ? take_run(r, &views[i], run) : 0;
		if (run == 0) {
			take_packet(r, &views[i]);
			run = 1;
		}
	}
	return i;
}

void pw_recv_burst(struct pw_recv *r, const struct pw_rx_view *views, size_t n)
{
	pw_recv_take(r, views, n);
	/* what came before its turn */
	if (r->last && r->last->part->digest && r->last->part->map.base)
		pw_part_digest_more(r->last->part);
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
	pw_recv_lock(r);
	if (!r->finished) {
		pw_recv_collect(r);
		pw_recv_check_direct(r);
	}
	*st = r->st;
	st->n_files = r->objs.n;
	r->st.n_files = r->objs.n;
	st->done = is_done(r);
	st->fatal = r->fatal.code != 0;
	pw_recv_unlock(r);
	if (r->lanes)
		pw_recv_counters(r);
}

const struct pw_recv_counters *pw_recv_counters(const struct pw_recv *r)
{
	if (!r->lanes)
		return &r->c;
	pw_recv_lock(r);
	r->lanes->seen = r->c;
	pw_recv_unlock(r);
	return &r->lanes->seen;
}

size_t pw_recv_n_files(const struct pw_recv *r)
{
	size_t n;

	pw_recv_lock(r);
	n = r->objs.n;
	pw_recv_unlock(r);
	return n;
}

void pw_recv_file(const struct pw_recv *r, size_t i, struct pw_recv_file_info *info)
{
	const struct pw_object *o;

	pw_recv_lock(r);
	o = pw_objtab_at(&r->objs, i);
	*info = (struct pw_recv_file_info){
		.toi = o->toi,
		.name = o->name,
		.state = o->state,
		.len_bytes = o->len_bytes,
		.have_bytes = o->have_bytes,
		.digest = o->digest,
		.reason = o->reason,
	};
	pw_recv_unlock(r);
}

const char *pw_recv_gaps_written(const struct pw_recv *r)
{
	return r->gaps_written ? r->gaps_path : NULL;
}
