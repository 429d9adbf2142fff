/* SPDX-License-Identifier: BSD-3-Clause */
/* What the receiver tells of itself: counters, sessions, files. */
#include "recv/status_private.h"

#include <string.h>

#include "base/bytes.h"
#include "recv/lane_private.h"
#include "recv/stripes.h"

/* Ends the files whose pages were lost or whose writes failed. With the lock. */
void pw_recv_check_failed(struct pw_recv *r)
{
	struct pw_part *p, *next;
	struct pw_err err;
	int code;

	for (p = r->open_head; p; p = next) {
		next = p->next;
		code = p->file ? pw_outfile_failed(p->file) : 0;
		if (code == 0)
			continue;
		pw_err_set(&err, code,
			"cannot write %s/%s.part: %s; the file was truncated, or the disk is full "
			"or broken; make room and continue with --resume",
			r->out_dir, p->obj->name, strerror(code));
		pw_recv_fail(r, p->obj, &err);
	}
}

static bool is_session_named(const struct pw_session *s)
{
	if (s->n_session_files)
		return s->n_named >= s->n_session_files;
	return s->fdt_complete || s->n_closes >= PW_RECV_CLOSES;
}

/* Another session announced all files of this one: its sender was started again. Then the files that this
 * session did not name are those of the other one. */
static bool is_replaced(const struct pw_session *s)
{
	return s->n_first && s->n_shared == s->n_first;
}

void pw_recv_look_at_sessions(struct pw_recv *r, struct pw_recv_status *st)
{
	bool all_named = true, all_closed = true;
	unsigned int closed;
	size_t i;

	st->n_never_named = st->n_stripes = st->n_stripes_closed = 0;
	st->n_sessions = 0;
	for (i = 0; i < r->n_sessions; i++) {
		const struct pw_session *s = r->sessions[i];

		if (r->cfg.trust && !s->is_trusted)
			continue;
		st->n_sessions++;
		/* A session that has named no file is not waited for. */
		if ((s->n_named == 0 && r->objs.n) || is_replaced(s) ||
			!pw_recv_speaks_for_set(r, s))
			continue;
		closed = pw_recv_closed_stripes(r, s);
		all_closed &= s->n_stripes ? closed == s->n_stripes : s->n_closes >= PW_RECV_CLOSES;
		st->n_stripes += s->n_stripes;
		st->n_stripes_closed += closed;
		all_named &= is_session_named(s);
		if (s->n_session_files > s->n_named)
			st->n_never_named += s->n_session_files - s->n_named;
	}
	st->session_closed = st->n_sessions && all_closed;
	if (r->cfg.expect_files)
		st->done = st->n_ended >= r->cfg.expect_files;
	else
		st->done = r->objs.n && all_named && st->n_ended == r->objs.n;
}

static uint64_t load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* With the lock. */
static void sum_counters(struct pw_recv *r, struct pw_recv_counters *c)
{
	uint64_t *sum = (uint64_t *)c;
	uint32_t lane;
	size_t i;

	*c = r->c;
	for (lane = 0; lane < r->n_lanes + PW_LANES_OWN; lane++)
		for (i = 0; i < sizeof(*c) / sizeof(*sum); i++)
			sum[i] += load((const uint64_t *)&r->lanes[lane].c + i);
}

void pw_recv_counters(struct pw_recv *r, struct pw_recv_counters *c)
{
	pthread_mutex_lock(&r->lock);
	sum_counters(r, c);
	if (r->held.on) {
		const uint64_t unknown_toi = c->unknown_toi; /* the end adds to it */

		*c = r->held.c;
		c->unknown_toi = unknown_toi;
	}
	pthread_mutex_unlock(&r->lock);
}

void pw_recv_hold_counts(struct pw_recv *r)
{
	struct pw_recv_status st;

	pw_recv_status(r, &st);
	pthread_mutex_lock(&r->lock);
	sum_counters(r, &r->held.c);
	r->held.expected = st.symbols_expected;
	r->held.seen = st.symbols_seen;
	r->held.on = true;
	pthread_mutex_unlock(&r->lock);
}

void pw_recv_status(struct pw_recv *r, struct pw_recv_status *st)
{
	struct pw_recv_counters c;
	const struct pw_part *p;
	uint32_t lane;

	pthread_mutex_lock(&r->lock);
	if (!r->finished && r->out)
		pw_recv_check_failed(r);
	*st = r->st;
	st->n_files = r->objs.n;
	pw_recv_look_at_sessions(r, st);
	if (r->finished)
		st->n_never_named = r->n_unnamed;
	sum_counters(r, &c);
	st->bytes_have = c.payload_bytes + (uint64_t)r->bytes_adjust;
	st->symbols_seen = c.symbols;
	for (lane = 0; lane < r->n_lanes + PW_LANES_OWN; lane++)
		st->symbols_seen -= load(&r->lanes[lane].n_again);
	st->symbols_expected = r->expected_closed;
	for (p = r->open_head; p; p = p->next)
		st->symbols_expected += pw_part_expected(p);
	if (st->symbols_expected < st->symbols_seen)
		st->symbols_expected = st->symbols_seen;
	if (r->held.on) {
		st->symbols_expected = r->held.expected;
		st->symbols_seen = r->held.seen;
	}
	st->fatal = r->fatal.code != 0;
	if (r->out)
		st->disk_waited_ns = pw_outdir_disk_waited_ns(r->out);
	pthread_mutex_unlock(&r->lock);
}

size_t pw_recv_n_files(struct pw_recv *r)
{
	size_t n;

	pthread_mutex_lock(&r->lock);
	n = r->objs.n;
	pthread_mutex_unlock(&r->lock);
	return n;
}

void pw_recv_file(struct pw_recv *r, size_t i, struct pw_recv_file_info *info)
{
	const struct pw_object *o;

	pthread_mutex_lock(&r->lock);
	o = pw_objtab_at(&r->objs, i);
	*info = (struct pw_recv_file_info){
		.toi = o->toi,
		.tsi = o->session->tsi,
		.name = o->name,
		.state = o->state,
		.len_bytes = o->len_bytes,
		.have_bytes = pw_object_have(o),
		.digest = o->digest,
		.reason = o->reason,
	};
	pthread_mutex_unlock(&r->lock);
}

size_t pw_recv_ignored(struct pw_recv *r, struct pw_recv_ignored *list, size_t n)
{
	pthread_mutex_lock(&r->lock);
	n = pw_min_u64(n, r->n_ignored);
	memcpy(list, r->ignored, n * sizeof(*list));
	pthread_mutex_unlock(&r->lock);
	return n;
}

const char *pw_recv_gaps_written(const struct pw_recv *r)
{
	return r->gaps_written ? r->gaps_path : NULL;
}
