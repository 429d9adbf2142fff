/* SPDX-License-Identifier: BSD-3-Clause */
#include "recv/ways.h"

#include <stdlib.h>
#include <string.h>

/* The stripe's way, new if it has none. NULL: memory is short. There are at most PW_STRIPES_MAX of a session. */
static struct pw_way *way_of(struct pw_session *s, uint32_t stripe)
{
	struct pw_way *ways;
	size_t i;

	for (i = 0; i < s->n_ways; i++)
		if (s->ways[i].stripe == stripe)
			return &s->ways[i];
	ways = reallocarray(s->ways, s->n_ways + 1, sizeof(*ways));
	if (!ways)
		return NULL;
	s->ways = ways;
	ways += s->n_ways++;
	*ways = (struct pw_way){.stripe = stripe};
	return ways;
}

/* Whether all hosts of the session's set have sent their passes. */
static bool is_repairing(const struct pw_recv *r, const struct pw_session *s)
{
	uint64_t stripes = 0;
	size_t i, k;

	for (i = 0; i < r->n_sessions; i++) {
		const struct pw_session *of = r->sessions[i];

		if (of != s && !pw_session_same_set(s, of))
			continue;
		for (k = 0; k < of->n_ways; k++)
			if (of->ways[k].asks || of->ways[k].round)
				stripes |= 1ull << of->ways[k].stripe;
	}
	return (uint32_t)__builtin_popcountll(stripes) >= (s->n_stripes ? s->n_stripes : 1);
}

/* The round only rises: tables of other groups name the one that they were built in. A sender that was started
 * again has another URL, and counts from 0. */
void pw_recv_learn_way(struct pw_recv *r, struct pw_session *s, struct pw_fdt *fdt)
{
	struct pw_way *w = fdt->repair_url ? way_of(s, fdt->stripe.index) : NULL;

	if (!w)
		return;
	if (w->url && strcmp(w->url, fdt->repair_url) != 0) {
		w->round = 0;
		w->asks = false;
	}
	free(w->url);
	w->url = fdt->repair_url;
	fdt->repair_url = NULL;
	if (fdt->round > w->round) {
		w->round = fdt->round;
		w->asks = false;
	}
	w->asks |= fdt->asks && fdt->round == w->round;
	if (is_repairing(r, s))
		atomic_store(&r->repairs, true);
}

void pw_recv_drop_ways(struct pw_session *s)
{
	size_t i;

	for (i = 0; i < s->n_ways; i++)
		free(s->ways[i].url);
	free(s->ways);
	s->ways = NULL;
	s->n_ways = 0;
}

const struct pw_session *pw_recv_asked_session(const struct pw_recv *r)
{
	size_t i;

	for (i = r->n_sessions; i-- > 0;)
		if (r->sessions[i]->n_ways)
			return r->sessions[i];
	return NULL;
}
