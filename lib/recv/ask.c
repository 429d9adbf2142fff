/* SPDX-License-Identifier: BSD-3-Clause */
/* What a receiver asks its senders for while the session runs: the missing ranges of each file that is still open. */
#include "recv/ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/bytes.h"
#include "recv/manifest.h"
#include "recv/recv_private.h"
#include "recv/ways.h"

/* A request while it is made. */
struct request {
	const struct pw_session *s;
	struct pw_stripe share;
	uint64_t grain;
	size_t n_left; /* ranges */
	struct pw_gaps *g;
};

static bool is_of_set(const struct pw_session *s, const struct pw_session *of)
{
	return s == of || pw_session_same_set(s, of);
}

/* Adds the stripe's ways. With the lock. */
static size_t add_ways(struct pw_recv *r, const struct pw_session *s, uint32_t stripe,
	struct pw_recv_way_back *ways, size_t n)
{
	size_t i, k;

	for (i = 0; i < r->n_sessions; i++) {
		const struct pw_session *of = r->sessions[i];

		for (k = 0; is_of_set(s, of) && k < of->n_ways && n < PW_RECV_WAYS_MAX; k++) {
			const struct pw_way *w = &of->ways[k];

			if (w->stripe != stripe)
				continue;
			snprintf(ways[n].url, sizeof(ways[n].url), "%s", w->url);
			ways[n].stripe =
				(struct pw_stripe){stripe, s->n_stripes ? s->n_stripes : 1};
			ways[n].round = w->round;
			ways[n++].asks = w->asks;
		}
	}
	return n;
}

size_t pw_recv_ways_back(struct pw_recv *r, struct pw_recv_way_back ways[PW_RECV_WAYS_MAX])
{
	const struct pw_session *s;
	uint32_t stripe;
	size_t n = 0;

	pthread_mutex_lock(&r->lock);
	s = pw_recv_asked_session(r);
	for (stripe = 0; s && stripe < (s->n_stripes ? s->n_stripes : 1); stripe++)
		n = add_ways(r, s, stripe, ways, n);
	pthread_mutex_unlock(&r->lock);
	return n;
}

static bool is_asked(struct pw_recv *r, const struct request *q, const struct pw_object *o)
{
	return is_of_set(q->s, o->session) && !o->is_escaped &&
	       pw_objtab_find_name(&r->objs, o->name) == o;
}

/* The part of the ranges that is in the share, in out[room] unless that is NULL. Returns how many there are. */
static size_t share_out(const struct request *q, const struct pw_object *o,
	const struct pw_range *ranges, size_t n, struct pw_range *out, size_t room)
{
	const uint64_t n_symbols = pw_div_ceil(o->len_bytes, o->symbol_len);
	const uint64_t turn = pw_stripe_is_shared(&q->share)
				      ? XXH3_64bits(o->name, strlen(o->name)) % q->share.count
				      : 0;
	uint64_t from, to;
	size_t i, n_out = 0;

	for (i = 0; i < n; i++) {
		const uint64_t end = pw_div_ceil(ranges[i].to, o->symbol_len);

		for (from = ranges[i].from / o->symbol_len;
			to = end, pw_stripe_clip(&q->share, turn, n_symbols, &from, &to);
			from = to) {
			if (out && n_out == room)
				return n_out;
			if (out)
				out[n_out] = (struct pw_range){from * o->symbol_len,
					pw_min_u64(to * o->symbol_len, o->len_bytes)};
			n_out++;
		}
	}
	return n_out;
}

/* Of an open file: its ranges, those with less than `grain` symbols between them joined. Adds no file if the share has
 * none of them. */
static int add_file(struct request *q, const struct pw_object *o)
{
	const size_t room = pw_recv_ranges(o, q->grain, NULL, 0) + 1;
	struct pw_range *all = calloc(room, sizeof(*all)), *missing = NULL;
	struct pw_gap_file *f = &q->g->files[q->g->n_files];
	size_t n = 0;
	int ret = all ? 0 : -ENOMEM;

	if (ret == 0) {
		const size_t n_all = pw_min_u64(pw_recv_ranges(o, q->grain, all, room), room);

		n = pw_min_u64(share_out(q, o, all, n_all, NULL, 0), q->n_left);
		missing = n ? calloc(n, sizeof(*missing)) : NULL;
		if (missing)
			share_out(q, o, all, n_all, missing, n);
		else if (n)
			ret = -ENOMEM;
	}
	free(all);
	if (ret || n == 0)
		return ret;
	*f = (struct pw_gap_file){.name = strdup(o->name),
		.len_bytes = o->len_bytes,
		.missing = missing,
		.n_missing = n};
	q->g->n_files++;
	q->n_left -= n;
	return f->name ? 0 : -ENOMEM;
}

static int add_named(struct pw_gaps *g, const struct pw_object *o)
{
	g->named[g->n_named] = strdup(o->name);
	return g->named[g->n_named++] ? 0 : -ENOMEM;
}

static bool misses_some(const struct pw_object *o)
{
	return pw_recv_state_is_open(o->state) && o->has_len && o->has_oti && o->len_bytes;
}

/* The smallest grain with which the ranges of all files are at most max. With the lock. */
static uint64_t choose_grain(struct pw_recv *r, const struct request *q, size_t max)
{
	struct pw_grains g = {0};
	size_t i;

	for (i = 0; i < r->objs.n; i++) {
		const struct pw_object *o = pw_objtab_at(&r->objs, i);

		if (is_asked(r, q, o) && misses_some(o))
			pw_recv_grains_add(&g, o);
	}
	return pw_recv_grains_choose(&g, max);
}

/* Files that no table has named. The first of several senders is asked for them. */
static uint64_t count_unnamed(const struct pw_recv *r, const struct request *q)
{
	uint64_t n_files = 0, n_named = 0;
	size_t i;

	for (i = 0; i < r->n_sessions; i++)
		if (is_of_set(q->s, r->sessions[i])) {
			n_files = pw_max_u64(n_files, r->sessions[i]->n_session_files);
			n_named = pw_max_u64(n_named, r->sessions[i]->n_named);
		}
	return n_files > n_named && q->share.index == 0 ? n_files - n_named : 0;
}

/* With the lock. What does not fit is left out: the next round has it. */
static int fill(struct pw_recv *r, struct request *q)
{
	struct pw_gaps *g = q->g;
	size_t i, n_files;
	int ret = 0;

	q->grain = choose_grain(r, q, q->n_left);
	g->tsi = q->s->tsi;
	g->n_unnamed = count_unnamed(r, q);
	g->files = calloc(r->objs.n + 1, sizeof(*g->files));
	g->named = calloc(r->objs.n + 1, sizeof(*g->named));
	if (!g->files || !g->named)
		return -ENOMEM;
	for (i = 0; ret == 0 && i < r->objs.n; i++) {
		const struct pw_object *o = pw_objtab_at(&r->objs, i);

		if (!is_asked(r, q, o))
			continue;
		n_files = g->n_files;
		if (misses_some(o) && q->n_left && n_files < PW_RECV_ASK_FILES)
			ret = add_file(q, o);
		if (ret == 0 && g->n_files == n_files && g->n_unnamed &&
			g->n_named < PW_RECV_ASK_FILES)
			ret = add_named(g, o);
	}
	return ret;
}

int pw_recv_ask(struct pw_recv *r, const struct pw_stripe *share, size_t max_ranges,
	struct pw_gaps *g, struct pw_err *err)
{
	struct request q = {.share = *share, .n_left = max_ranges, .g = g};
	int ret = -ENOENT;

	*g = (struct pw_gaps){0};
	pthread_mutex_lock(&r->lock);
	q.s = pw_recv_asked_session(r);
	if (q.s)
		ret = fill(r, &q);
	pthread_mutex_unlock(&r->lock);
	if (ret == 0)
		return 0;
	pw_gaps_finish(g);
	return pw_err_sys(err, -ret, "cannot list what is missing");
}
