/* SPDX-License-Identifier: BSD-3-Clause */
/* What a receiver asks its sender for while the session runs: the missing ranges of each file that is still open. */
#include "recv/ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recv/manifest.h"
#include "recv/recv_private.h"

/* The session whose sender takes requests: the newest one that names files. With the lock. */
static struct pw_session *asked_session(struct pw_recv *r)
{
	size_t i;

	for (i = r->n_sessions; i-- > 0;)
		if (r->sessions[i]->repair_url)
			return r->sessions[i];
	return NULL;
}

bool pw_recv_way_back(struct pw_recv *r, struct pw_recv_way_back *way)
{
	const struct pw_session *s;

	pthread_mutex_lock(&r->lock);
	s = asked_session(r);
	if (s) {
		snprintf(way->url, sizeof(way->url), "%s", s->repair_url);
		way->round = s->round;
		way->asks = s->asks;
	}
	pthread_mutex_unlock(&r->lock);
	return s != NULL;
}

static bool is_asked(struct pw_recv *r, const struct pw_session *s, const struct pw_object *o)
{
	return o->session == s && !o->is_escaped && pw_objtab_find_name(&r->objs, o->name) == o;
}

/* Of an open file: its ranges, those with less than `grain` symbols between them joined. */
static int add_file(struct pw_gaps *g, const struct pw_object *o, uint64_t grain)
{
	const size_t n = pw_recv_ranges(o, grain, NULL, 0);
	struct pw_gap_file *f = &g->files[g->n_files];

	*f = (struct pw_gap_file){.name = strdup(o->name),
		.len_bytes = o->len_bytes,
		.missing = calloc(n + 1, sizeof(*f->missing))};
	g->n_files++;
	if (!f->name || !f->missing)
		return -ENOMEM;
	f->n_missing = pw_recv_ranges(o, grain, f->missing, n + 1);
	return 0;
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
static uint64_t choose_grain(struct pw_recv *r, const struct pw_session *s, size_t max)
{
	struct pw_grains g = {0};
	size_t i;

	for (i = 0; i < r->objs.n; i++) {
		const struct pw_object *o = pw_objtab_at(&r->objs, i);

		if (is_asked(r, s, o) && misses_some(o))
			pw_recv_grains_add(&g, o);
	}
	return pw_recv_grains_choose(&g, max);
}

/* With the lock. What does not fit is left out: the next round has it. */
static int fill(struct pw_recv *r, const struct pw_session *s, size_t max, struct pw_gaps *g)
{
	const uint64_t grain = choose_grain(r, s, max);
	size_t i, n_ranges = 0;
	int ret = 0;

	g->tsi = s->tsi;
	g->n_unnamed = s->n_session_files > s->n_named ? s->n_session_files - s->n_named : 0;
	g->files = calloc(r->objs.n + 1, sizeof(*g->files));
	g->named = calloc(r->objs.n + 1, sizeof(*g->named));
	if (!g->files || !g->named)
		return -ENOMEM;
	for (i = 0; ret == 0 && i < r->objs.n; i++) {
		const struct pw_object *o = pw_objtab_at(&r->objs, i);

		if (!is_asked(r, s, o))
			continue;
		if (misses_some(o) && n_ranges < max && g->n_files < PW_RECV_ASK_FILES) {
			ret = add_file(g, o, grain);
			n_ranges += g->files[g->n_files - 1].n_missing;
		} else if (g->n_unnamed && g->n_named < PW_RECV_ASK_FILES) {
			ret = add_named(g, o);
		}
	}
	return ret;
}

int pw_recv_ask(struct pw_recv *r, size_t max_ranges, struct pw_gaps *g, struct pw_err *err)
{
	const struct pw_session *s;
	int ret = -ENOENT;

	*g = (struct pw_gaps){0};
	pthread_mutex_lock(&r->lock);
	s = asked_session(r);
	if (s)
		ret = fill(r, s, max_ranges, g);
	pthread_mutex_unlock(&r->lock);
	if (ret == 0)
		return 0;
	pw_gaps_finish(g);
	return pw_err_sys(err, -ret, "cannot list what is missing");
}
