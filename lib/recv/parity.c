/* SPDX-License-Identifier: BSD-3-Clause */
#include "recv/parity.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "fec/rs.h"
#include "recv/limits.h"

#define MALLOC_BYTES 16u /* malloc's own */
#define MAX_UNPROVED 8u  /* blocks of a part that may agree with no points */
#define MAX_TRIED    64u /* groups that may be tried: each mismatch decodes them again */

/* A sixteenth of the host's memory, within bounds. */
static uint64_t memory_limit(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	uint64_t bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page / 16 : 0;

	return pw_min_u64(pw_max_u64(bytes, 16u << 20), PW_RECV_MAX_PARITY);
}

void pw_parity_init(struct pw_parity_store *s)
{
	*s = (struct pw_parity_store){.max_bytes = memory_limit()};
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->work, NULL);
}

static uint64_t group_bytes(const struct pw_parity_group *g)
{
	return sizeof(*g) + g->n_rows * sizeof(g->rows[0]) + MALLOC_BYTES +
	       (uint64_t)g->n * (g->part->blocks.symbol_len + MALLOC_BYTES);
}

static void unqueue(struct pw_parity_store *s, struct pw_parity_group *g)
{
	if (!g->queued)
		return;
	*(g->prev_queued ? &g->prev_queued->next_queued : &s->queue_first) = g->next_queued;
	*(g->next_queued ? &g->next_queued->prev_queued : &s->queue_last) = g->prev_queued;
	g->queued = false;
}

static void queue(struct pw_parity_store *s, struct pw_parity_group *g)
{
	if (g->queued)
		return;
	g->queued = true;
	g->next_queued = NULL;
	g->prev_queued = s->queue_last;
	*(g->prev_queued ? &g->prev_queued->next_queued : &s->queue_first) = g;
	s->queue_last = g;
	pthread_cond_signal(&s->work);
}

/* The group is not a probe any more: another one may be. */
static void end_probe(struct pw_parity_group *g)
{
	if (g->probe)
		g->part->parity->probing = false;
	g->probe = false;
}

static void free_group(struct pw_parity_store *s, struct pw_parity_group *g)
{
	struct pw_parity *q = g->part->parity;
	uint32_t i;

	unqueue(s, g);
	end_probe(g);
	atomic_store(&q->table[g->sbn], NULL);
	*(g->prev ? &g->prev->next : &q->groups) = g->next;
	if (g->next)
		g->next->prev = g->prev;
	*(g->older ? &g->older->newer : &s->oldest) = g->newer;
	*(g->newer ? &g->newer->older : &s->newest) = g->older;
	s->bytes -= group_bytes(g);
	for (i = 0; i < g->n_rows; i++)
		free(g->rows[i]);
	free(g);
}

void pw_parity_finish(struct pw_parity_store *s)
{
	while (s->oldest)
		free_group(s, s->oldest);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->work);
}

static uint32_t n_missing(const struct pw_part *p, uint32_t sbn)
{
	const uint64_t first = pw_blocks_first_symbol(&p->blocks, sbn);

	return (uint32_t)pw_part_count_clear(
		p, first, first + pw_blocks_block_len(&p->blocks, sbn));
}

/* Whether a whole block would show the points. One of a single symbol is the same with all. */
static bool is_probe_due(const struct pw_part *p, uint32_t sbn)
{
	const struct pw_parity *q = p->parity;

	return !atomic_load(&q->known) && q->n_unproved < MAX_UNPROVED && !q->probing &&
	       pw_blocks_block_len(&p->blocks, sbn) > 1;
}

/* Queues the group if its block can be restored, frees it if it is of no more use. With the lock. */
static void look(struct pw_parity_store *s, struct pw_parity_group *g)
{
	struct pw_part *p = g->part;
	struct pw_parity *q = p->parity;
	const uint32_t missing = n_missing(p, g->sbn);

	if (g->taken) {
		g->stale = true;
	} else if (missing) {
		if (g->n >= missing)
			queue(s, g);
	} else if (g->tried && (!atomic_load(&q->known) || g->points != q->points)) {
		return; /* the digest decides */
	} else if (!g->tried && is_probe_due(p, g->sbn)) {
		g->probe = q->probing = true;
		queue(s, g);
	} else if (!g->probe) {
		free_group(s, g);
	}
}

static struct pw_parity_group *new_group(struct pw_parity_store *s, struct pw_part *p, uint32_t sbn)
{
	const uint32_t n_rows = pw_blocks_parity(&p->blocks, sbn);
	struct pw_parity_group *g = calloc(1, sizeof(*g) + n_rows * sizeof(g->rows[0]));
	struct pw_parity *q = p->parity;

	if (!g)
		return NULL;
	g->part = p;
	g->sbn = sbn;
	g->n_rows = n_rows;
	g->next = q->groups;
	if (g->next)
		g->next->prev = g;
	q->groups = g;
	g->older = s->newest;
	*(g->older ? &g->older->newer : &s->oldest) = g;
	s->newest = g;
	s->bytes += group_bytes(g);
	atomic_store(&q->table[sbn], g);
	return g;
}

/* Makes room for one more symbol of the group. Returns how many symbols were dropped. */
static size_t make_room(struct pw_parity_store *s, const struct pw_parity_group *keep)
{
	struct pw_parity_group *g, *newer;
	size_t n = 0;

	for (g = s->oldest; g && s->bytes > s->max_bytes; g = newer) {
		newer = g->newer;
		if (g == keep || g->taken)
			continue;
		n += g->n;
		free_group(s, g);
	}
	return n;
}

static size_t keep(
	struct pw_parity_store *s, struct pw_part *p, uint32_t sbn, uint32_t row, uint8_t *copy)
{
	struct pw_parity_group *g = atomic_load(&p->parity->table[sbn]);
	size_t n_dropped;

	if (!g)
		g = new_group(s, p, sbn);
	if (!g || g->rows[row]) {
		free(copy);
		return !g;
	}
	g->rows[row] = copy;
	g->n++;
	s->bytes += p->blocks.symbol_len + MALLOC_BYTES;
	n_dropped = make_room(s, g);
	/* A lane that claims a symbol now finds the group in the table, or its claim is seen here. */
	atomic_thread_fence(memory_order_seq_cst);
	look(s, g);
	return n_dropped;
}

size_t pw_parity_add(struct pw_parity_store *s, struct pw_part *p, uint32_t sbn, uint32_t row,
	const uint8_t *bytes)
{
	uint8_t *copy;
	size_t n_dropped;

	if (n_missing(p, sbn) == 0 && atomic_load(&p->parity->known))
		return 0;
	copy = malloc(p->blocks.symbol_len);
	if (!copy)
		return 1;
	memcpy(copy, bytes, p->blocks.symbol_len);
	pthread_mutex_lock(&s->lock);
	n_dropped = keep(s, p, sbn, row, copy);
	pthread_mutex_unlock(&s->lock);
	return n_dropped;
}

void pw_parity_look(struct pw_parity_store *s, struct pw_part *p, uint32_t sbn)
{
	struct pw_parity_group *g;

	pthread_mutex_lock(&s->lock);
	g = atomic_load(&p->parity->table[sbn]);
	if (g)
		look(s, g);
	pthread_mutex_unlock(&s->lock);
}

/* With the lock. */
static void look_all(struct pw_parity_store *s, struct pw_part *p)
{
	struct pw_parity_group *g, *next;

	for (g = p->parity->groups; g; g = next) {
		next = g->next;
		look(s, g);
	}
}

void pw_parity_look_all(struct pw_parity_store *s, struct pw_part *p)
{
	if (!p->parity)
		return;
	pthread_mutex_lock(&s->lock);
	look_all(s, p);
	pthread_mutex_unlock(&s->lock);
}

void pw_parity_drop(struct pw_parity_store *s, struct pw_part *p)
{
	struct pw_parity *q = p->parity;

	if (!q)
		return;
	pthread_mutex_lock(&s->lock);
	while (q->groups)
		free_group(s, q->groups);
	atomic_store(&q->known, false);
	q->trying = false;
	q->n_tries = q->n_unproved = 0;
	pthread_mutex_unlock(&s->lock);
}

/* Makes the symbols missing again that the group gave. Returns their bytes. */
static uint64_t take_back(struct pw_part *p, struct pw_parity_group *g, uint64_t *n_symbols)
{
	const uint64_t first = pw_blocks_first_symbol(&p->blocks, g->sbn);
	uint64_t bytes = 0;
	uint32_t i;

	for (i = 0; i < pw_blocks_block_len(&p->blocks, g->sbn); i++) {
		if (!pw_parity_bit(g->restored, i))
			continue;
		atomic_fetch_and(&p->claims[(first + i) / 64], ~(1ull << (first + i) % 64));
		bytes += pw_blocks_symbol_bytes(&p->blocks, first + i);
		++*n_symbols;
	}
	g->tried = false;
	memset(g->restored, 0, sizeof(g->restored));
	return bytes;
}

static bool has_tried(const struct pw_parity *q)
{
	const struct pw_parity_group *g = q->groups;

	while (g && !g->tried)
		g = g->next;
	return g != NULL;
}

uint64_t pw_parity_retry(struct pw_parity_store *s, struct pw_part *p, uint64_t *n_symbols)
{
	struct pw_parity *q = p->parity;
	struct pw_parity_group *g;
	uint64_t bytes = 0;

	*n_symbols = 0;
	if (!q)
		return 0;
	pthread_mutex_lock(&s->lock);
	if (!atomic_load(&q->known) && has_tried(q) && ++q->n_tries < PW_RS_N_POINTS)
		q->points = (uint8_t)((q->points + 1) % PW_RS_N_POINTS);
	for (g = q->groups; g; g = g->next)
		if (g->tried && g->points != q->points)
			bytes += take_back(p, g, n_symbols);
	atomic_fetch_add(&p->missing_bytes, bytes);
	pthread_mutex_unlock(&s->lock);
	return bytes;
}

bool pw_parity_is_tried(struct pw_parity_store *s, const struct pw_part *p)
{
	bool is_tried;

	if (!p->parity)
		return false;
	pthread_mutex_lock(&s->lock);
	is_tried = has_tried(p->parity);
	pthread_mutex_unlock(&s->lock);
	return is_tried;
}

bool pw_parity_is_busy(struct pw_parity_store *s)
{
	bool busy;

	pthread_mutex_lock(&s->lock);
	busy = s->busy || s->queue_first;
	pthread_mutex_unlock(&s->lock);
	return busy;
}

static void fill_job(struct pw_parity_job *j, struct pw_parity_group *g)
{
	const struct pw_part *p = g->part;
	uint64_t at, end;
	uint32_t i;

	*j = (struct pw_parity_job){.group = g,
		.part = g->part,
		.first = pw_blocks_first_symbol(&p->blocks, g->sbn),
		.sbn = g->sbn,
		.k = pw_blocks_block_len(&p->blocks, g->sbn),
		.n_rows = g->n_rows,
		.n_parity = g->n,
		.points = p->parity->points,
		.may_try = p->obj->digest.kind != PW_DIGEST_NONE,
		.may_prove =
			!atomic_load(&p->parity->known) && p->parity->n_unproved < MAX_UNPROVED};
	end = j->first + j->k;
	for (at = pw_part_next(p, j->first, end, true); at < end;
		at = pw_part_next(p, at + 1, end, true))
		pw_parity_set_bit(j->have, (uint32_t)(at - j->first));
	for (i = 0; i < j->k; i++)
		j->n_missing += !pw_parity_bit(j->have, i);
	for (i = 0; i < g->n_rows; i++)
		j->rows[i] = g->rows[i];
}

size_t pw_parity_take(struct pw_parity_store *s, struct pw_parity_job *jobs, size_t max)
{
	struct pw_parity_group *g;
	size_t n = 0;

	pthread_mutex_lock(&s->lock);
	while (n < max && (g = s->queue_first) && (n == 0 || g->part == jobs[0].part)) {
		unqueue(s, g);
		if (atomic_load(&g->part->shut)) {
			end_probe(g);
			continue; /* it is looked at again if the part is opened again */
		}
		g->taken = true;
		g->stale = false;
		fill_job(&jobs[n++], g);
	}
	s->busy = n > 0;
	pthread_mutex_unlock(&s->lock);
	return n;
}

void pw_parity_give(
	struct pw_parity_store *s, struct pw_parity_job *job, enum pw_parity_outcome outcome)
{
	struct pw_parity_group *g = job->group;

	pthread_mutex_lock(&s->lock);
	g->taken = false;
	end_probe(g);
	if (outcome == PW_PARITY_TRIED) {
		g->tried = true;
		g->points = job->points;
		memcpy(g->restored, job->restored, sizeof(g->restored));
	}
	if (outcome == PW_PARITY_RESTORED)
		free_group(s, g);
	else if (g->stale)
		look(s, g);
	pthread_mutex_unlock(&s->lock);
}

/* Whether all missing symbols lie in blocks that have enough parity, and these are few. */
static bool is_almost_whole(const struct pw_part *p)
{
	const struct pw_blocks *b = &p->blocks;
	const struct pw_parity_group *g;
	uint64_t bytes = 0, end;
	unsigned int n = 0;
	uint32_t missing;

	for (g = p->parity->groups; g; g = g->next) {
		missing = n_missing(p, g->sbn);
		if (g->n < missing || ++n > MAX_TRIED)
			return false;
		bytes += (uint64_t)missing * b->symbol_len;
		end = pw_blocks_first_symbol(b, g->sbn) + pw_blocks_block_len(b, g->sbn);
		if (end == b->n_symbols && pw_part_count_clear(p, end - 1, end))
			bytes -= b->symbol_len - pw_blocks_symbol_bytes(b, end - 1);
	}
	return bytes == atomic_load(&p->missing_bytes);
}

bool pw_parity_may_try(struct pw_parity_store *s, struct pw_part *p)
{
	bool may;

	pthread_mutex_lock(&s->lock);
	if (!p->parity->trying && is_almost_whole(p)) {
		p->parity->trying = true;
		look_all(s, p);
	}
	may = p->parity->trying;
	pthread_mutex_unlock(&s->lock);
	return may;
}

void pw_parity_prove(struct pw_parity_store *s, struct pw_part *p, uint8_t points)
{
	pthread_mutex_lock(&s->lock);
	if (!atomic_load(&p->parity->known)) {
		p->parity->points = points;
		atomic_store(&p->parity->known, true);
		look_all(s, p);
	}
	pthread_mutex_unlock(&s->lock);
}

void pw_parity_not_proved(struct pw_parity_store *s, struct pw_part *p)
{
	pthread_mutex_lock(&s->lock);
	if (p->parity->n_unproved < MAX_UNPROVED)
		p->parity->n_unproved++;
	pthread_mutex_unlock(&s->lock);
}
