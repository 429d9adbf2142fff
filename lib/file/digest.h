/* SPDX-License-Identifier: BSD-3-Clause */
/* Digests over memory: XXH3-128 (libxxhash), SHA-256, its tree (wire/leaves.h) and MD5 (libcrypto). One state,
 * one thread. */
#ifndef PW_FILE_DIGEST_H
#define PW_FILE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/fdt.h"

struct pw_digest_state; /* opaque */

#define PW_DIGEST_STATE_BYTES 704u /* about what a state of XXH3-128 takes */

/* Of any kind but the tree, which depends on the number of bytes. */
int pw_digest_create(struct pw_digest_state **st, enum pw_digest_kind kind, struct pw_err *err);
/* Of any kind, for exactly len_bytes. */
int pw_digest_create_for(struct pw_digest_state **st, enum pw_digest_kind kind, uint64_t len_bytes,
	struct pw_err *err);
void pw_digest_update(struct pw_digest_state *st, const void *data, size_t len);
void pw_digest_final(struct pw_digest_state *st, struct pw_digest *out);
/* After pw_digest_final(): the leaves of a tree that the file table lists; the caller frees them. NULL: none. */
uint8_t *pw_digest_take_leaves(struct pw_digest_state *st);
void pw_digest_destroy(struct pw_digest_state *st); /* accepts NULL */

/* One call over one buffer. PW_DIGEST_NONE gives kind NONE. */
int pw_digest_buffer(enum pw_digest_kind kind, const void *data, size_t len, struct pw_digest *out,
	struct pw_err *err);

#endif
