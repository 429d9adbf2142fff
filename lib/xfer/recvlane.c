/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A receiver that several threads bring packets to, a lane each. One lock is over all of it, but not
 * over the copying:
 *
 *   lane     find a run | lock: claim it | copy, digest what is next | lock: set its bits, count it
 *   session  ___________|################|___________________________|#############################
 *
 * A claim is exclusive: of a symbol that two lanes have with different bytes, only one's bytes are
 * written, and those are digested. The bits are set when the bytes are there, because the digest reads
 * what bits vouch for. While a lane holds a part, it stays mapped and does not go to the finisher.
 * Everything else (tables, other objects, odd packets, files written past the page cache) is the code
 * for one lane, under the lock.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "page/digest.h"
#include "page/guard.h"
#include "page/ntcopy.h"
#include "xfer/recvrun.h"

/* Packets in one run: a lane locks twice for each. */
#define RUN_MAX 64

/* A lane digests that many times as much as it brings, when there is so much to do: others bring as much
 * meanwhile. */
#define DIGEST_AHEAD 2

/* What a lane copies while it has not got the lock. */
struct work {
	struct pw_object *obj;
	struct pw_part *part;
	uint64_t index;
	unsigned int n;
	bool next; /* for the digest: nobody else can go on with it before these are there */
};

/* Symbols may be placed in it, by the lane that has the lock. */
static bool is_open(const struct pw_recv *r, const struct pw_object *o)
{
	return o && o->state < PW_RECV_VERIFYING && o->part && (r->discard || o->part->map.base);
}

static void hold(struct pw_recv *r, struct pw_part *p)
{
	p->n_writing++;
	r->lanes->n_holding++;
}

/* The part may be gone when this returns. */
static void let_go(struct pw_recv *r, struct pw_part *p)
{
	p->n_writing--;
	r->lanes->n_holding--;
	pw_run_went_on(r, p->obj);
}

/* False: the run is not for the lane alone. */
static bool claim(struct pw_recv *r, struct work *w)
{
	struct pw_part *p;

	if (r->stopped || !is_open(r, w->obj))
		return false;
	p = w->obj->part;
	if (!p->claims || pw_bits_any(p->claims, w->index, w->n))
		return false;
	pw_run_reach(r, p, w->index + w->n - 1);
	pw_bits_set(p->claims, w->index, w->n);
	w->part = p;
	w->next = p->digest && p->digested_bytes == w->index * p->blocks.symbol_len;
	hold(r, p);
	return true;
}

static void copy(const struct work *w, const struct pw_rx_view *views, uint32_t head)
{
	const struct pw_part *p = w->part;
	const uint32_t len = p->blocks.symbol_len;
	uint8_t *to = p->map.base + w->index * len;
	unsigned int i;

	for (i = 0; i < w->n; i++, to += len) {
		if (p->is_large)
			pw_ntcopy(to, views[i].data + head, len);
		else
			memcpy(to, views[i].data + head, len);
		if (w->next)
			pw_digest_update(p->digest, views[i].data + head, len);
	}
	if (p->is_large)
		pw_ntcopy_fence();
}

static void commit(struct pw_recv *r, const struct work *w)
{
	struct pw_part *p = w->part;
	const uint64_t bytes = (uint64_t)w->n * p->blocks.symbol_len;

	pw_bits_set(p->bits, w->index, w->n);
	pw_run_account(r, w->obj, w->n, bytes);
	r->c.packets += w->n;
	r->c.alc_verdicts[PW_ALC_OK] += w->n;
	if (w->next)
		p->digested_bytes += bytes;
	let_go(r, p);
}

/* Returns how many packets were taken; 0: the first is for take_locked(). */
static unsigned int take_run(
	struct pw_recv *r, struct pw_recv_lane *l, const struct pw_rx_view *views, unsigned int n)
{
	struct work w = {.obj = l->last};
	bool mine;

	w.n = pw_run_find(&l->memo, &l->blocks, views, n, &w.index);
	if (w.n == 0)
		return 0;
	pw_recv_lock(r);
	mine = claim(r, &w);
	pw_recv_unlock(r);
	if (!mine)
		return 0;
	copy(&w, views, l->memo.len + PW_FEC_ID_LEN);
	pw_recv_lock(r);
	commit(r, &w);
	pw_recv_unlock(r);
	l->new_bytes += (uint64_t)w.n * l->blocks.symbol_len;
	return w.n;
}

/* As a receiver of one lane does. Returns how many packets were taken; 0: no more are. */
static size_t take_locked(
	struct pw_recv *r, struct pw_recv_lane *l, const struct pw_rx_view *views, size_t n)
{
	uint64_t before;

	/* where symbols are not shared, a run may follow; where they are, it is for take_run() */
	n = l->last && !l->shares ? pw_min_u64(n, RUN_MAX) : 1;
	pw_recv_lock(r);
	if (r->stopped) {
		pw_recv_unlock(r);
		return 0;
	}
	before = r->c.payload_bytes;
	r->last = is_open(r, l->last) ? l->last : NULL;
	r->memo = l->memo;
	n = pw_recv_take(r, views, n);
	l->last = r->last;
	l->memo = r->memo;
	l->new_bytes += r->c.payload_bytes - before;
	l->shares = l->last && l->last->part->claims;
	if (l->last)
		l->blocks = l->last->part->blocks;
	r->last = NULL;
	pw_ntcopy_fence();
	pw_recv_unlock(r);
	return n;
}

/* Takes what came before its turn into the digest of the lane's object, some of it. */
static void digest_more(struct pw_recv *r, struct pw_recv_lane *l)
{
	struct pw_part *p = NULL;
	uint64_t n = 0;

	pw_recv_lock(r);
	if (!r->stopped && is_open(r, l->last))
		p = l->last->part;
	if (p && p->digest && !p->claims)
		pw_part_digest_more(p);
	else if (p && p->digest && !p->digesting)
		n = pw_part_digest_due(
			p, pw_max_u64(PW_PART_DIGEST_STEP, DIGEST_AHEAD * l->new_bytes));
	if (n) {
		p->digesting = true;
		hold(r, p);
	}
	pw_recv_unlock(r);
	if (n == 0)
		return;
	pw_digest_update(p->digest, p->map.base + p->digested_bytes, n);
	pw_recv_lock(r);
	p->digested_bytes += n;
	p->digesting = false;
	let_go(r, p);
	pw_recv_unlock(r);
}

uint64_t pw_recv_lane_burst(
	struct pw_recv *r, uint32_t lane, const struct pw_rx_view *views, size_t n)
{
	struct pw_recv_lane *l = &r->lanes->v[lane];
	size_t i, run;

	l->new_bytes = 0;
	for (i = 0; i < n; i += run) {
		run = 0;
		if (l->last && l->shares)
			run = take_run(r, l, &views[i], (unsigned int)pw_min_u64(n - i, RUN_MAX));
		if (run == 0)
			run = take_locked(r, l, &views[i], n - i);
		if (run == 0)
			break;
	}
	if (l->last && l->blocks.transfer_len >= PW_PART_LARGE_BYTES)
		digest_more(r, l);
	if (pw_guard_any_lost()) {
		pw_recv_lock(r);
		pw_recv_check_lost(r);
		pw_recv_unlock(r);
	}
	return l->new_bytes;
}

int pw_recv_lanes_create(struct pw_recv *r, uint32_t n, struct pw_err *err)
{
	const size_t bytes = sizeof(struct pw_recv_lanes) + n * sizeof(struct pw_recv_lane);
	pthread_mutexattr_t attr;

	r->lanes = aligned_alloc(64, pw_align_up(bytes, 64));
	if (!r->lanes)
		return pw_err_sys(err, ENOMEM, "start receiving in %u lanes", n);
	memset(r->lanes, 0, bytes);
	r->lanes->n = n;
	/* most often it is held for less than a sleep and a wake-up take */
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(&r->lanes->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	return 0;
}

void pw_recv_lanes_stop(struct pw_recv *r)
{
	pw_recv_lock(r);
	r->stopped = true;
	while (r->lanes && r->lanes->n_holding) {
		pw_recv_unlock(r);
		sched_yield();
		pw_recv_lock(r);
	}
	pw_recv_unlock(r);
}

void pw_recv_lanes_destroy(struct pw_recv *r)
{
	if (!r->lanes)
		return;
	pthread_mutex_destroy(&r->lanes->lock);
	free(r->lanes);
	r->lanes = NULL;
}
