/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receiver's fast path: from a burst of packets to symbols in the file. Read it first.
 *
 *   burst  -> run: packets with the same header as the last one, each with the next whole symbol
 *               claim   fetch_or on the words of the bitmap: this lane places the symbols whose bits were clear
 *               place   copy to the file; also into the digest, if the digest has come to this symbol
 *          -> packet: anything else. Parse it, find its part under the lock, or queue it
 *          -> account: subtract the placed bytes from the part's missing bytes; at 0 submit the file
 *
 * A lane keeps a pointer to the part that took its last symbols. pw_part_shut() increments n_shut; a lane
 * that sees another count at the start of a burst drops its pointer. A thread that frees a part first
 * waits until every lane has left the burst in which it may have seen the part open (pw_recv_quiesce).
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "file/digest.h"
#include "file/uncached_copy.h"
#include "recv/lane_private.h"

#define RUN_MAX 64 /* packets in one run: bits in one word */

#define QUEUE_SLACK 4096u /* symbols: two rings of usual length */

/* Bytes that a lane digests from memory at a time: packets wait meanwhile. */
#define DIGEST_STEP (128u << 10)

void pw_part_shut(struct pw_recv *r, struct pw_part *p)
{
	if (atomic_exchange(&p->shut, true))
		return;
	atomic_fetch_add(&r->n_shut, 1);
}

/* Waits until the first n lanes have left the burst that they were in. */
static void await(struct pw_recv *r, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		const uint64_t epoch = atomic_load(&r->lanes[i].epoch);

		while (epoch & 1 && atomic_load(&r->lanes[i].epoch) == epoch)
			usleep(20);
	}
}

void pw_recv_quiesce(struct pw_recv *r)
{
	await(r, r->n_lanes + PW_LANES_OWN);
}

void pw_recv_await_copies(struct pw_recv *r)
{
	await(r, r->n_lanes + PW_LANE_DECODER);
}

/* Subtracts the placed bytes from the part's missing bytes. The lane that makes them 0 submits the file. */
static void account(struct pw_recv *r, struct pw_recv_lane *l)
{
	struct pw_part *p = l->part;
	const uint64_t placed = l->placed_bytes, again = l->again_bytes;

	if (!(placed | again))
		return;
	l->placed_bytes = l->again_bytes = 0;
	l->new_bytes += placed + again;
	pw_lane_bump(&l->c.payload_bytes, placed);
	pw_lane_bump(&l->c.again_bytes, again);
	if (p->blocks.transfer_len >= PW_PART_LARGE_BYTES)
		pw_uncached_fence();
	if (atomic_fetch_sub(&p->missing_bytes, placed) != placed || r->memory)
		return;
	pthread_mutex_lock(&r->lock);
	pw_recv_complete(r, p->obj);
	pthread_mutex_unlock(&r->lock);
}

static void forget_part(struct pw_recv *r, struct pw_recv_lane *l)
{
	account(r, l);
	l->part = NULL;
}

/* Claims n <= 64 symbols from index on. Bit i of the result: this lane has to place symbol index + i. */
static uint64_t claim(struct pw_part *p, uint64_t index, unsigned int n)
{
	const uint64_t run = UINT64_MAX >> (64 - n), shift = index % 64;
	_Atomic uint64_t *word = &p->claims[index / 64];
	uint64_t old = atomic_fetch_or(word, run << shift) >> shift;

	if (shift + n > 64)
		old |= atomic_fetch_or(word + 1, run >> (64 - shift)) << (64 - shift);
	return run & ~old;
}

static bool is_first_pass(const struct pw_part *p)
{
	return (int64_t)atomic_load_explicit(&p->passed, memory_order_relaxed) <= 0;
}

static void begin_pass(struct pw_part *p, uint64_t reached, uint64_t to)
{
	atomic_fetch_add_explicit(&p->passed, reached, memory_order_relaxed);
	atomic_store_explicit(&p->reached, to, memory_order_relaxed);
}

/* The same as reach() for a file whose blocks are sent in turns, so that symbols go back in the file many times in a
 * pass. Within a block they do not: block 0 tells when a pass begins. true: this one does. */
static bool reach_first_block(struct pw_part *p, uint64_t from, uint64_t to, bool all_new)
{
	const uint64_t len = pw_blocks_block_len(&p->blocks, 0),
		       reached = atomic_load_explicit(&p->reached_first, memory_order_relaxed);
	const bool begins = from < reached / 2 && !all_new && !p->resumed;

	if (from < len && (begins || to > reached))
		atomic_store_explicit(&p->reached_first, pw_min_u64(to, len), memory_order_relaxed);
	return from < len && begins;
}

/* Records how far the sender has come, for the loss. Symbols [from, to) come now; all_new: for the first
 * time. A sender that repeats symbols from the front is in its next pass. Packets of several queues come
 * out of order by as much as their rings hold: slack. */
static void reach(struct pw_part *p, uint64_t from, uint64_t to, bool all_new, uint64_t slack)
{
	const uint64_t reached = atomic_load_explicit(&p->reached, memory_order_relaxed);
	const bool has_turns = p->blocks.fec_id == PW_FEC_ID_RS && p->blocks.a_large > 1;

	if (has_turns && reach_first_block(p, from, to, all_new)) {
		begin_pass(p, reached, to);
		return;
	}

	if (to > reached) {
		/* Packets of the previous pass from another queue may come after the first of this pass. */
		if (from < reached + p->blocks.n_symbols / 2 || is_first_pass(p))
			atomic_store_explicit(&p->reached, to, memory_order_relaxed);
		return;
	}
	if (!p->resumed && !all_new && !has_turns && from < reached / 2 && reached - from > slack)
		begin_pass(p, reached, to);
}

/* As reach(), for a resumed part, of which the sender sends only the missing symbols. Call it before the
 * claim. */
static void reach_resumed(struct pw_part *p, uint64_t to)
{
	const uint64_t reached = atomic_load_explicit(&p->reached, memory_order_relaxed);

	if (to <= reached)
		return;
	atomic_fetch_add_explicit(
		&p->passed, pw_part_count_clear(p, reached, to), memory_order_relaxed);
	atomic_store_explicit(&p->reached, to, memory_order_relaxed);
}

/* true: the digest has come exactly to this byte, and the caller has it until digest_give(). */
static bool digest_take(struct pw_part *p, uint64_t at)
{
	return p->digest &&
	       atomic_compare_exchange_strong(&p->digest_at, &(uint64_t){at}, at | PW_DIGEST_BUSY);
}

static void digest_give(struct pw_part *p, uint64_t at)
{
	atomic_store_explicit(&p->digest_at, at, memory_order_release);
}

/* Copies the symbols whose bits are set in `mine`; bit 0 belongs at byte `at` of the file. */
static void copy(struct pw_part *p, uint64_t at, uint32_t len, uint64_t mine,
	const struct pw_rx_view *views, uint32_t head)
{
	const bool digests = mine && !(mine & (mine + 1)) && digest_take(p, at);
	unsigned int i, n = 0;

	for (; mine; mine &= mine - 1) {
		i = (unsigned int)__builtin_ctzll(mine);
		if (p->file)
			pw_outfile_put(p->file, at + (uint64_t)i * len, views[i].data + head, len);
		if (digests)
			pw_digest_update(p->digest, views[i].data + head, len);
		n++;
	}
	if (digests)
		digest_give(p, at + (uint64_t)n * len);
}

/* Call it before the claim: other lanes must not digest symbols from `index` on until they are copied. */
static void copy_begins(struct pw_recv_lane *l, struct pw_part *p, uint64_t index)
{
	atomic_store_explicit(&l->copying_from, index, memory_order_release);
	atomic_store_explicit(&l->copying, p, memory_order_release);
}

static void copy_ends(struct pw_recv_lane *l, const struct pw_part *p)
{
	if (p->blocks.transfer_len >= PW_PART_LARGE_BYTES)
		pw_uncached_fence();
	atomic_store_explicit(&l->copying, NULL, memory_order_release);
}

/* Places symbols index .. index + n - 1; views[i] has the i-th one: `len` bytes after `head` bytes of header.
 * n > 1: all are whole. Inlined for runs and for single symbols: a call costs 4 instructions per packet. */
static inline __attribute__((always_inline)) void place(struct pw_recv *r, struct pw_recv_lane *l,
	uint64_t index, unsigned int n, uint32_t len, const struct pw_rx_view *views, uint32_t head)
{
	struct pw_part *p = l->part;
	const bool shared = r->n_lanes > 1 || l->is_worker;
	const bool repairs = atomic_load_explicit(&r->repairs, memory_order_relaxed);
	uint64_t mine;
	unsigned int n_mine;

	if (p->resumed)
		reach_resumed(p, index + n);
	if (shared)
		copy_begins(l, p, index);
	mine = claim(p, index, n);
	n_mine = (unsigned int)__builtin_popcountll(mine);
	if (!repairs)
		reach(p, index, index + n, n_mine == n, r->n_lanes > 1 ? QUEUE_SLACK : 0);
	copy(p, index * p->blocks.symbol_len, len, r->memory ? UINT64_MAX >> (64 - n) : mine, views,
		head);
	if (shared)
		copy_ends(l, p);
	l->placed_bytes += (uint64_t)n_mine * len;
	l->again_bytes += r->memory ? (uint64_t)(n - n_mine) * len : 0;
	pw_lane_bump(&l->c.symbols, n);
	pw_lane_bump(&l->c.duplicates, n - n_mine);
	pw_lane_bump(&l->n_again, repairs ? n : p->resumed ? n - n_mine : 0);
	/* A complete file is submitted at once, before the end of the burst. */
	if (l->placed_bytes && l->placed_bytes == atomic_load(&p->missing_bytes))
		account(r, l);
}

/* The symbols that came may be the last ones that its block needs. */
static void look_at_block(struct pw_recv *r, struct pw_part *p, uint32_t sbn)
{
	if (atomic_load(&p->parity->table[sbn]))
		pw_parity_look(&r->parity, p, sbn);
}

/* How many packets have the header of the lane's last one, each with the next whole symbol of one block. */
static unsigned int find_run(const struct pw_recv_lane *l, const struct pw_rx_view *views,
	unsigned int n, uint32_t *sbn, uint64_t *index)
{
	const struct pw_blocks *b = &l->part->blocks;
	const uint32_t len = l->memo.len + PW_FEC_ID_LEN + b->symbol_len;
	const unsigned int esi_bits = pw_blocks_esi_bits(b);
	uint32_t first_id = 0, esi;
	unsigned int i;

	for (i = 0; i < n && views[i].len == len; i++) {
		const uint8_t *pkt = views[i].data;
		uint32_t id;

		if (!pw_alc_is_same(&l->memo, pkt, len) ||
			!pw_host_key_equal(views[i].from, l->from))
			break;
		id = pw_be32_load(pkt + l->memo.len);
		if (i == 0)
			first_id = id;
		else if (id != first_id + i)
			break;
	}
	*sbn = first_id >> esi_bits;
	esi = first_id & ((1u << esi_bits) - 1);
	if (i == 0 || !pw_blocks_index(b, *sbn, esi, index))
		return 0;
	n = (unsigned int)pw_min_u64(i, pw_blocks_block_len(b, *sbn) - esi);
	return n - (pw_blocks_symbol_bytes(b, *index + n - 1) != b->symbol_len);
}

/* Returns how many packets were taken; 0: the first one does not start a run. */
static unsigned int take_run(
	struct pw_recv *r, struct pw_recv_lane *l, const struct pw_rx_view *views, unsigned int n)
{
	struct pw_part *p = l->part;
	uint64_t index;
	uint32_t sbn;

	n = find_run(l, views, n, &sbn, &index);
	if (n == 0)
		return 0;
	pw_lane_bump(&l->c.packets, n);
	pw_lane_bump(&l->c.alc_verdicts[PW_ALC_OK], n);
	place(r, l, index, n, p->blocks.symbol_len, views, l->memo.len + PW_FEC_ID_LEN);
	if (p->parity)
		look_at_block(r, p, sbn);
	return n;
}

/* Parity symbols of a block from `row` on. Those of a file that is not written are only counted. false: they do not
 * fit the block. */
static bool take_parity(struct pw_recv *r, struct pw_recv_lane *l, uint32_t sbn, uint32_t row,
	const uint8_t *payload, size_t len)
{
	struct pw_part *p = l->part;
	const uint32_t symbol_len = p->blocks.symbol_len,
		       n_rows = pw_blocks_parity(&p->blocks, sbn);
	const size_t n = len / symbol_len;
	size_t i, n_dropped = 0;

	if (len % symbol_len || row >= n_rows || n > n_rows - row) {
		pw_lane_bump(&l->c.out_of_object, 1);
		return false;
	}
	for (i = 0; i < n && p->parity && p->file; i++, payload += symbol_len)
		n_dropped += pw_parity_add(&r->parity, p, sbn, row + (uint32_t)i, payload);
	pw_lane_bump(&l->c.parity, n);
	pw_lane_bump(&l->c.parity_dropped, n_dropped);
	return true;
}

/* RFC 5775 section 2.3: a packet may carry several consecutive symbols of one block. Some senders pad the
 * last symbol of an object to the full length (RFC 5445 section 2.1 permits a shorter one). */
static void take_symbols(struct pw_recv *r, struct pw_recv_lane *l, const struct pw_alc_hdr *hdr,
	const uint8_t *payload, size_t len)
{
	const struct pw_blocks *b = &l->part->blocks;
	const uint32_t k = pw_blocks_block_len(b, hdr->sbn);
	uint64_t index, n, last, i, want;

	if (hdr->codepoint != b->fec_id) {
		pw_lane_bump(&l->c.out_of_object, 1);
		return;
	}
	if (!pw_blocks_index(b, hdr->sbn, hdr->esi, &index)) {
		take_parity(r, l, hdr->sbn, hdr->esi - k, payload, len);
		return;
	}
	n = pw_min_u64(k - hdr->esi, (len - 1) / b->symbol_len + 1);
	if (len > n * b->symbol_len) { /* parity symbols follow the block's last source symbol */
		if (!take_parity(r, l, hdr->sbn, 0, payload + n * b->symbol_len,
			    len - n * b->symbol_len))
			return;
		len = n * b->symbol_len;
	}
	last = index + n - 1;
	want = (n - 1) * b->symbol_len + pw_blocks_symbol_bytes(b, last);
	if (l->joins) {
		/* Symbols that were sent before the receiver started do not count as lost. */
		atomic_fetch_sub_explicit(&l->part->passed, index, memory_order_relaxed);
		l->joins = false;
	}
	if (len != want && !(last == b->n_symbols - 1 && len == n * b->symbol_len)) {
		pw_lane_bump(&l->c.out_of_object, 1);
		return;
	}
	for (i = index; i <= last; i++) {
		place(r, l, i, 1, pw_blocks_symbol_bytes(b, i),
			&(struct pw_rx_view){.data = payload}, 0);
		payload += b->symbol_len;
	}
	if (l->part->parity)
		look_at_block(r, l->part, hdr->sbn);
}

/* Whether the packet is of the lane's part: by the session that announced the file first, or by the one that
 * brought the last symbol. */
static bool is_at_hand(const struct pw_recv_lane *l, const struct pw_object *o,
	const struct pw_alc_hdr *hdr, const struct pw_rx_view *view)
{
	return (o->toi == hdr->toi && o->session->tsi == hdr->tsi &&
		       pw_host_key_equal(o->session->from, view->from)) ||
	       (pw_alc_is_same(&l->memo, view->data, view->len) &&
		       pw_host_key_equal(l->from, view->from));
}

static void take_packet(struct pw_recv *r, struct pw_recv_lane *l, const struct pw_rx_view *view)
{
	const struct pw_object *o = l->part ? l->part->obj : NULL;
	enum pw_alc_verdict verdict;
	struct pw_alc_hdr hdr;
	const uint8_t *payload;
	size_t len;

	pw_lane_bump(&l->c.packets, !l->is_worker);
	verdict = pw_alc_parse(view->data, view->len, &hdr, &payload, &len);
	pw_lane_bump(&l->c.alc_verdicts[verdict], !l->is_worker);
	if (verdict == PW_ALC_PROBE) {
		pw_lane_take_probe(r, l, &hdr, view->from, payload, len);
		return;
	}
	if (verdict != PW_ALC_OK) {
		pw_lane_bump(&l->c.malformed, 1);
		return;
	}
	if (!o || (!l->is_worker && atomic_load_explicit(&l->part->shut, memory_order_relaxed)) ||
		!is_at_hand(l, o, &hdr, view) || len == 0 || hdr.close_session) {
		forget_part(r, l);
		pthread_mutex_lock(&r->lock);
		pw_lane_take_other(r, l, &hdr, view, len);
		pthread_mutex_unlock(&r->lock);
		if (!l->part)
			return;
	}
	pw_alc_remember(&l->memo, view->data);
	l->from = view->from;
	take_symbols(r, l, &hdr, payload, len);
	if (hdr.close_session) /* so that the next close is not taken for a run */
		forget_part(r, l);
}

/* The end of the symbols that are copied: other lanes may have claimed later ones and still copy them. */
static uint64_t copied_before(const struct pw_recv *r, const struct pw_part *p, uint64_t end)
{
	uint32_t i;

	for (i = 0; i < r->n_lanes + PW_LANES_OWN; i++)
		if (atomic_load_explicit(&r->lanes[i].copying, memory_order_acquire) == p)
			end = pw_min_u64(end, atomic_load_explicit(&r->lanes[i].copying_from,
						      memory_order_acquire));
	return end;
}

/* Digests symbols that came out of order, as soon as no gap is left between the digest and them; a
 * bounded number at a time. */
static void digest_more(struct pw_recv *r, struct pw_part *p, uint64_t most_bytes)
{
	const struct pw_blocks *b = &p->blocks;
	uint64_t at = atomic_load_explicit(&p->digest_at, memory_order_relaxed), first, end;
	struct pw_err err = {0};

	first = at / b->symbol_len;
	if (at & PW_DIGEST_BUSY || at >= b->transfer_len || !p->file ||
		pw_part_next(p, first, first + 1, true) != first || !digest_take(p, at))
		return;
	end = pw_min_u64(first + most_bytes / b->symbol_len + 1, b->n_symbols);
	end = copied_before(r, p, pw_part_next(p, first, end, false));
	if (end > first)
		at = pw_outfile_digest(p->file, p->digest, at,
			pw_min_u64(end * b->symbol_len, b->transfer_len), true, &err);
	digest_give(p, at);
}

uint64_t pw_recv_lane_burst(
	struct pw_recv *r, uint32_t lane, const struct pw_rx_view *views, size_t n)
{
	struct pw_recv_lane *l = &r->lanes[lane];
	const uint64_t waited = l->c.waited;
	unsigned int run;
	size_t i;

	l->new_bytes = 0;
	pw_lane_enter(r, l);
	for (i = 0; i < n && !atomic_load_explicit(&r->stopped, memory_order_relaxed); i += run) {
		run = 0;
		if (l->part && !atomic_load_explicit(&l->part->shut, memory_order_relaxed))
			run = take_run(r, l, &views[i], (unsigned int)pw_min_u64(n - i, RUN_MAX));
		if (run == 0) {
			take_packet(r, l, &views[i]);
			run = 1;
		}
	}
	if (l->part) {
		account(r, l);
		if (l->part->digest && !atomic_load_explicit(&l->part->shut, memory_order_relaxed))
			digest_more(r, l->part, pw_max_u64(DIGEST_STEP, 2 * l->new_bytes));
	}
	pw_lane_leave(l);
	/* The file worker may need this CPU. */
	if (l->c.waited != waited)
		sched_yield();
	return l->new_bytes;
}

void pw_recv_burst(struct pw_recv *r, const struct pw_rx_view *views, size_t n)
{
	pw_recv_lane_burst(r, 0, views, n);
}

void pw_recv_replay(struct pw_recv *r, struct pw_waiting *first)
{
	struct pw_recv_lane *l = &r->lanes[r->n_lanes + PW_LANE_WORKER];
	struct pw_waiting *w;

	pw_lane_enter(r, l);
	for (w = first; w; w = w->next)
		take_packet(r, l,
			&(struct pw_rx_view){.data = w->bytes, .len = w->len, .from = w->from});
	forget_part(r, l);
	pw_lane_leave(l);
	pw_waiting_free_list(first);
}

bool pw_recv_restore(struct pw_recv *r, struct pw_part *p, uint64_t index, const uint8_t *bytes)
{
	struct pw_recv_lane *l = &r->lanes[r->n_lanes + PW_LANE_DECODER];
	const uint32_t len = pw_blocks_symbol_bytes(&p->blocks, index);
	uint64_t mine;

	copy_begins(l, p, index);
	mine = claim(p, index, 1);
	copy(p, index * p->blocks.symbol_len, len, mine, &(struct pw_rx_view){.data = bytes}, 0);
	copy_ends(l, p);
	l->placed_bytes += mine ? len : 0;
	pw_lane_bump(&l->c.restored, mine);
	return mine;
}

void pw_recv_restored(struct pw_recv *r)
{
	account(r, &r->lanes[r->n_lanes + PW_LANE_DECODER]);
}
