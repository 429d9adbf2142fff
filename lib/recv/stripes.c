/* SPDX-License-Identifier: BSD-3-Clause */
#include "recv/stripes.h"

void pw_recv_note_stripe(struct pw_session *s, const struct pw_stripe *stripe)
{
	if (pw_stripe_is_shared(stripe) && s->n_stripes != stripe->count) {
		s->n_stripes = stripe->count;
		s->stripes = 0;
	}
	if (s->n_stripes)
		s->stripes |= 1ull << stripe->index;
}

/* Stripes of one set announce the same files, and one of them computes the digests: the others' entries have
 * none, or will have none. Without a digest to come nothing would tell files of different content. */
bool pw_recv_is_of_set(const struct pw_object *o, const struct pw_session *s,
	const struct pw_fdt_file *f, const char *name)
{
	return pw_session_same_set(o->session, s) && pw_object_is(o, f, name) &&
	       (o->digest_due || o->digest.kind != PW_DIGEST_NONE || f->digest_later ||
		       f->digest.kind != PW_DIGEST_NONE);
}

bool pw_recv_speaks_for_set(const struct pw_recv *r, const struct pw_session *s)
{
	bool is_before = true; /* s in the list */
	size_t i;

	for (i = 0; i < r->n_sessions; i++) {
		const struct pw_session *other = r->sessions[i];

		is_before &= other != s;
		if (other == s || !pw_session_same_set(s, other))
			continue;
		if (other->n_named != s->n_named) {
			if (other->n_named > s->n_named)
				return false;
		} else if (other->n_first != s->n_first ? other->n_first > s->n_first : is_before) {
			return false;
		}
	}
	return true;
}

unsigned int pw_recv_closed_stripes(const struct pw_recv *r, const struct pw_session *s)
{
	uint64_t closed = 0;
	size_t i;

	for (i = 0; i < r->n_sessions; i++)
		if (pw_session_same_set(s, r->sessions[i]) &&
			r->sessions[i]->n_closes >= PW_RECV_CLOSES)
			closed |= r->sessions[i]->stripes;
	return (unsigned int)__builtin_popcountll(closed);
}
