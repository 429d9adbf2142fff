/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All files of the session: found by TOI (per packet) and by name. Objects never move. Both tables
 * are open-addressed, at most half full, and seeded: TOIs and names are the sender's to choose.
 */
#ifndef PW_XFER_OBJTAB_H
#define PW_XFER_OBJTAB_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "xfer/object.h"

#define PW_OBJTAB_CHUNK 1024u

struct pw_objtab {
	struct pw_object **chunks;
	size_t n_chunks;
	size_t n;
	uint32_t *by_toi;  /* index + 1, 0 = empty */
	uint32_t *by_name; /* the first object of each name */
	size_t n_slots;    /* of each table, a power of two, or 0 */
	uint64_t seed;
	uint64_t name_bytes; /* all names together */
};

void pw_objtab_init(struct pw_objtab *t);
void pw_objtab_finish(struct pw_objtab *t); /* objects, parts and all; accepts a zeroed one */

static inline struct pw_object *pw_objtab_at(const struct pw_objtab *t, size_t i)
{
	return &t->chunks[i / PW_OBJTAB_CHUNK][i % PW_OBJTAB_CHUNK];
}

struct pw_object *pw_objtab_find(const struct pw_objtab *t, uint64_t toi); /* or NULL */
struct pw_object *pw_objtab_find_name(const struct pw_objtab *t, const char *name);

/* A zeroed object with this TOI (not there yet) and a copy of name; NULL when memory is short. */
struct pw_object *pw_objtab_add(struct pw_objtab *t, uint64_t toi, const char *name);

#endif
