/* SPDX-License-Identifier: BSD-3-Clause */
/* The file worker's part in checking the leaves of open files; see leafnotes.h. */
#include <string.h>

#include "base/bytes.h"
#include "recv/lane_private.h"
#include "recv/signed_private.h"

/* Whether all symbols with bytes in the leaf are claimed. */
static bool is_full(const struct pw_part *p, uint32_t leaf)
{
	const uint64_t len = p->blocks.transfer_len, symbol = p->blocks.symbol_len;
	const uint64_t end = pw_div_ceil(pw_leaf_from(len, leaf + 1), symbol);

	return pw_part_next(p, pw_leaf_from(len, leaf) / symbol, end, false) == end;
}

/* Marks full leaves of the part; returns how many wait for their digest. */
static uint32_t mark(struct pw_part *p)
{
	struct pw_leaf_notes *const n = p->notes;
	const uint64_t missing = atomic_load(&p->missing_bytes);
	uint32_t i, n_full = 0;

	for (i = 0; i < n->n; i++) {
		if (pw_leaf_bit(n->known, i))
			continue;
		if (missing != n->looked_bytes && !pw_leaf_bit(n->full, i) && is_full(p, i))
			pw_leaf_bit_set(n->full, i);
		n_full += pw_leaf_bit(n->full, i);
	}
	n->looked_bytes = missing;
	return n_full;
}

static bool is_noted(const struct pw_part *p)
{
	return p->notes && p->file && !atomic_load(&p->shut);
}

/* The first leaf that is full and not known; NULL: there is none. */
static struct pw_part *next_full(struct pw_recv *r, uint32_t *leaf)
{
	struct pw_part *p;

	for (p = r->open_head; p; p = p->next)
		for (*leaf = 0; is_noted(p) && *leaf < p->notes->n; ++*leaf)
			if (pw_leaf_bit(p->notes->full, *leaf) &&
				!pw_leaf_bit(p->notes->known, *leaf))
				return p;
	return NULL;
}

/* Computes the digest of a leaf, in a burst of the worker's lane, so that nobody frees the part. With the lock,
 * which it releases meanwhile. */
static void note(struct pw_recv *r, struct pw_part *p, uint32_t leaf)
{
	struct pw_recv_lane *const l = &r->lanes[r->n_lanes + PW_LANE_WORKER];
	uint8_t digest[PW_LEAF_LEN];
	int ret;

	pw_lane_enter(r, l);
	pthread_mutex_unlock(&r->lock);
	ret = pw_recv_digest_leaf(p->file, leaf, digest, &(struct pw_err){0});
	pthread_mutex_lock(&r->lock);
	if (ret < 0) { /* the finisher reports it */
		pw_leaf_bit_clear(p->notes->full, leaf);
	} else if (pw_leaf_bit(p->notes->full, leaf)) {
		memcpy(p->notes->digests + (size_t)leaf * PW_LEAF_LEN, digest, PW_LEAF_LEN);
		pw_leaf_bit_set(p->notes->known, leaf);
		p->notes->is_due = true;
	}
	pw_lane_leave(l);
}

/* Compares what is noted with the table, and receives leaves that differ again. Not with parity: symbols that it
 * restored from a forged one would come back; the finisher compares then. With the lock, which it releases
 * meanwhile. */
static void compare(struct pw_recv *r, struct pw_part *p)
{
	struct pw_object *const o = p->obj;
	struct pw_bad_leaves bad = {0};
	const uint8_t *got;
	uint32_t i;

	p->notes->is_due = false;
	for (i = 0; o->leaves && !p->parity && i < p->notes->n; i++) {
		got = pw_leaf_notes_get(p->notes, i);
		if (got && memcmp(got, o->leaves + (size_t)i * PW_LEAF_LEN, PW_LEAF_LEN) != 0)
			pw_bad_leaves_add(&bad, i);
	}
	if (bad.n == 0)
		return;
	pw_recv_close_part(r, p);                            /* the next symbol opens it again */
	if (o->part == p && pw_recv_state_is_open(o->state)) /* else the finisher compares */
		pw_recv_reopen_leaves(r, o, &bad);
}

static struct pw_part *next_due(struct pw_recv *r)
{
	struct pw_part *p = r->open_head;

	while (p && !(is_noted(p) && p->notes->is_due))
		p = p->next;
	return p;
}

bool pw_recv_note_leaves(struct pw_recv *r)
{
	uint32_t leaf, n_full = 0;
	struct pw_part *p;

	if (!r->cfg.trust || atomic_load(&r->stopped))
		return false;
	for (p = r->open_head; p; p = p->next)
		if (is_noted(p))
			n_full += mark(p);
	if (n_full) {
		pthread_mutex_unlock(&r->lock);
		pw_recv_quiesce(r); /* then the marked leaves are copied */
		pthread_mutex_lock(&r->lock);
	}
	while (!r->stop_threads && !r->open_first && !r->room.tables && (p = next_full(r, &leaf)))
		note(r, p, leaf);
	p = next_due(r);
	if (p)
		compare(r, p);
	return n_full || p;
}
