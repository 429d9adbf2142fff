/* SPDX-License-Identifier: BSD-3-Clause */
/* The sessions of hosts that send the same files together: together they count as one. */
#include "recv/recv_private.h"

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
