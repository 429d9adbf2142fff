/* SPDX-License-Identifier: BSD-3-Clause */
/* The sessions of hosts that send the same files together (`send --stripe`): a set. With the receiver's lock. */
#ifndef PW_RECV_STRIPES_H
#define PW_RECV_STRIPES_H

#include "recv/recv_private.h"
#include "wire/stripe.h"

/* A table of the session has this pw:Stripe. */
void pw_recv_note_stripe(struct pw_session *s, const struct pw_stripe *stripe);
/* Whether an entry of session s is the object that another stripe of its set announced as `name`. */
bool pw_recv_is_of_set(const struct pw_object *o, const struct pw_session *s,
	const struct pw_fdt_file *f, const char *name);
/* Of the sessions of a set the one that has named most files: it counts for all of them. True for a session
 * that is in no set. */
bool pw_recv_speaks_for_set(const struct pw_recv *r, const struct pw_session *s);
/* How many stripes of its set were closed; 0 when it has none. */
unsigned int pw_recv_closed_stripes(const struct pw_recv *r, const struct pw_session *s);

#endif
