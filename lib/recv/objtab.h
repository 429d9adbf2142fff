/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of all files of all sessions, with two hash indexes: by (session, TOI) and by name. Objects
 * never move. Both indexes are open-addressed and at most half full. Their hashes are seeded, because
 * senders choose the TOIs and names.
 */
#ifndef PW_RECV_OBJTAB_H
#define PW_RECV_OBJTAB_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "recv/object.h"

#define PW_OBJTAB_CHUNK 1024u

struct pw_objtab_toi {
	const struct pw_session *session;
	uint64_t toi;
	struct pw_object *obj; /* NULL: empty */
};

struct pw_objtab {
	struct pw_object **chunks;
	size_t n_chunks;
	size_t n;
	struct pw_objtab_toi *by_toi; /* the current announcement of each (session, TOI) */
	struct pw_object **by_name;   /* the newest of each name; `older` has the others */
	size_t n_tois;                /* in by_toi: an object may have several */
	size_t n_slots;               /* of each table, a power of two, or 0 */
	uint64_t seed;
	uint64_t name_bytes; /* all names together */
};

void pw_objtab_init(struct pw_objtab *t);
void pw_objtab_finish(struct pw_objtab *t); /* objects, parts and all; accepts a zeroed one */

static inline struct pw_object *pw_objtab_at(const struct pw_objtab *t, size_t i)
{
	return &t->chunks[i / PW_OBJTAB_CHUNK][i % PW_OBJTAB_CHUNK];
}

/* or NULL */
struct pw_object *pw_objtab_find(
	const struct pw_objtab *t, const struct pw_session *session, uint64_t toi);
struct pw_object *pw_objtab_find_name(const struct pw_objtab *t, const char *name);

/* A new zeroed object with a copy of name; NULL when memory is short. It becomes the current one of its TOI
 * and the newest of its name. */
struct pw_object *pw_objtab_add(
	struct pw_objtab *t, struct pw_session *session, uint64_t toi, const char *name);
/* Makes o, which is in the table, the current one of this TOI and the newest of its name; false when
 * memory is short. */
bool pw_objtab_renew(
	struct pw_objtab *t, struct pw_object *o, const struct pw_session *session, uint64_t toi);

#endif
