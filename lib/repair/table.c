/* SPDX-License-Identifier: BSD-3-Clause */
#include "repair/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static struct pw_repair_receiver *find(struct pw_repair_table *t, uint64_t id)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->v[i].report.id == id)
			return &t->v[i];
	return NULL;
}

static size_t count_of_host(const struct pw_repair_table *t, struct pw_host_key from)
{
	size_t i, n = 0;

	for (i = 0; i < t->n; i++)
		n += pw_host_key_equal(t->v[i].from, from);
	return n;
}

/* The receiver's entry, new if it has none. NULL: there is no room. */
static struct pw_repair_receiver *hear(
	struct pw_repair_table *t, struct pw_host_key from, uint64_t id, uint64_t now_ns)
{
	struct pw_repair_receiver *r = find(t, id);

	if (!r && (t->n == PW_REPAIR_MAX_RECEIVERS ||
			  count_of_host(t, from) >= PW_REPAIR_MAX_OF_HOST))
		return NULL;
	if (!r && t->n == t->room) {
		const size_t room = t->room ? 2 * t->room : 16;
		struct pw_repair_receiver *v = reallocarray(t->v, room, sizeof(*v));

		if (!v)
			return NULL;
		t->v = v;
		t->room = room;
	}
	if (!r) {
		r = &t->v[t->n++];
		*r = (struct pw_repair_receiver){.report.id = id, .first_ns = now_ns};
		t->heard_ns = t->new_ns = now_ns;
	}
	r->from = from;
	r->heard_ns = now_ns;
	return r;
}

enum pw_repair_verdict pw_repair_table_report(struct pw_repair_table *t, struct pw_host_key from,
	const struct pw_repair_report *report, enum pw_repair_kind kind, uint64_t now_ns,
	size_t *index)
{
	struct pw_repair_receiver *r = hear(t, from, report->id, now_ns);

	if (!r)
		return PW_REPAIR_FULL;
	*index = (size_t)(r - t->v);
	r->report = *report;
	if (kind == PW_REPAIR_LEAVE)
		r->has_left = true;
	if (kind == PW_REPAIR_COMPLETE && !r->is_complete) {
		r->is_complete = true;
		r->missing_bytes = 0;
		r->complete_ns = now_ns;
		t->heard_ns = now_ns;
	}
	return PW_REPAIR_TAKEN;
}

/* Ranges after the merge, at most. */
static size_t count_ranges(const struct pw_gaps *a, const struct pw_gaps *b)
{
	size_t i, n = 0;

	for (i = 0; i < a->n_files; i++)
		n += a->files[i].n_missing;
	for (i = 0; i < b->n_files; i++)
		n += b->files[i].n_missing;
	return n;
}

/* The digest of a receiver's manifest proves nothing: the sender has its own. */
static void drop_digests(struct pw_gaps *g)
{
	size_t i;

	for (i = 0; i < g->n_files; i++)
		g->files[i].digest = (struct pw_digest){0};
}

static enum pw_repair_verdict unite(struct pw_repair_table *t, struct pw_repair_receiver *r,
	struct pw_gaps *gaps, uint64_t bytes)
{
	const uint64_t share = pw_max_u64(t->session_bytes, 1) * PW_REPAIR_MAX_SHARE;

	if (r->asked_bytes > share || bytes > share - r->asked_bytes)
		return PW_REPAIR_TOO_MUCH;
	if (count_ranges(&t->gaps, gaps) > PW_REPAIR_MAX_UNION)
		return PW_REPAIR_FULL;
	drop_digests(gaps);
	return pw_gaps_merge(&t->gaps, gaps, NULL) < 0 ? PW_REPAIR_FULL : PW_REPAIR_TAKEN;
}

enum pw_repair_verdict pw_repair_table_gaps(struct pw_repair_table *t, struct pw_host_key from,
	uint64_t id, uint64_t round, struct pw_gaps *gaps, uint64_t bytes, uint64_t now_ns)
{
	struct pw_repair_receiver *r = hear(t, from, id, now_ns);
	enum pw_repair_verdict verdict = PW_REPAIR_FULL;

	if (r && (!t->is_listening || round != t->round || r->is_complete))
		verdict = PW_REPAIR_STALE;
	else if (r &&
		 (bytes == 0 || r->has_asked)) /* or its answer was lost, and it is sent again */
		verdict = PW_REPAIR_TAKEN;
	else if (r)
		verdict = unite(t, r, gaps, bytes);
	if (verdict == PW_REPAIR_TAKEN && bytes == 0)
		r->has_nothing = true;
	if (verdict == PW_REPAIR_TAKEN && bytes && !r->has_asked) {
		r->has_asked = true;
		r->missing_bytes = bytes;
		r->asked_bytes += bytes;
		r->rounds++;
		t->n_asked++;
		t->heard_ns = now_ns;
	}
	pw_gaps_finish(gaps);
	return verdict;
}

uint64_t pw_repair_table_least_ms(const struct pw_repair_table *t)
{
	return t->n * 1000 / PW_REPAIR_REPORTS;
}

uint64_t pw_repair_table_silent_ns(const struct pw_repair_table *t, uint64_t silent_ns)
{
	return pw_max_u64(silent_ns, 3 * pw_repair_table_least_ms(t) * 1000000);
}

void pw_repair_table_finish(struct pw_repair_table *t)
{
	pw_gaps_finish(&t->gaps);
	free(t->v);
	*t = (struct pw_repair_table){0};
}
