/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a receiver with trusted keys (recv/trust.h) does besides: it reads signed tables only, and checks the
 * leaves (wire/leaves.h) of a file. The symbols of leaves that differ are missing again; the others stay.
 */
#ifndef PW_RECV_SIGNED_PRIVATE_H
#define PW_RECV_SIGNED_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "recv/leafnotes.h"
#include "recv/recv_private.h"
#include "wire/leaves.h"

/* The leaves of a file that differ from its table's. */
struct pw_bad_leaves {
	uint32_t n;
	uint8_t bits[PW_LEAVES_MAX / 8];
};

static inline bool pw_bad_leaves_has(const struct pw_bad_leaves *b, uint32_t leaf)
{
	return b->bits[leaf / 8] >> (leaf % 8) & 1;
}

void pw_bad_leaves_add(struct pw_bad_leaves *b, uint32_t leaf);

/* Parses a whole instance if it is trusted. -EPERM: it is not; that is counted and reported. Otherwise as
 * pw_fdt_parse(). On the file worker, without the lock. */
int pw_recv_read_signed(struct pw_recv *r, struct pw_session *s, const struct pw_fdtrx_slot *slot,
	struct pw_fdt *fdt, struct pw_err *err);

/* Why the digest of this entry cannot be trusted, or NULL. */
const char *pw_recv_digest_fault(const struct pw_recv *r, const struct pw_fdt_file *f);

/* Keeps the leaves of the entry, to which those of the file are compared. With the lock. */
void pw_recv_take_leaves(struct pw_recv *r, struct pw_object *o, const struct pw_fdt_file *f);
void pw_recv_drop_leaves(struct pw_recv *r, struct pw_object *o); /* with the lock */

/* Computes the SHA-256 of a leaf whose symbols are all in the file. Without the lock. */
int pw_recv_digest_leaf(
	struct pw_outfile *file, uint32_t leaf, uint8_t *digest, struct pw_err *err);
/* Compares each leaf of a file whose symbols have all come; notes may be NULL. -errno: it could not be read. On
 * the finisher. */
int pw_recv_check_leaves(struct pw_outfile *file, const struct pw_leaf_notes *notes,
	const uint8_t *leaves, struct pw_bad_leaves *bad, struct pw_err *err);
/* Names the bad leaves in a warning, and makes their symbols missing. No other thread has the part. With the
 * lock. */
void pw_recv_reopen_leaves(struct pw_recv *r, struct pw_object *o, const struct pw_bad_leaves *bad);

/* leafcheck.c, on the file worker, with the lock, which it releases meanwhile: notes leaves of the open parts, and
 * receives those that differ from their table's again. false: there was nothing to do. */
bool pw_recv_note_leaves(struct pw_recv *r);

/* "block 3 of 1024 (bytes 3145728 to 4194304) is forged or damaged", as an error. */
void pw_recv_name_leaves(
	const struct pw_object *o, const struct pw_bad_leaves *bad, struct pw_err *err);

#endif
