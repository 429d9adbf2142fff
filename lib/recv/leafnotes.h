/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The digests of an open file's leaves (wire/leaves.h), computed while the file is received, so that a forged
 * symbol is found when its leaf fills, and little is left to compute when the file is whole:
 *
 *   all symbols of a leaf have come  ->  full  ->  the lanes have copied them  ->  known: its digest is noted
 *
 * The table that lists the leaves may come before or after that. The file worker makes the notes; the
 * finisher reads them when the part is shut.
 */
#ifndef PW_RECV_LEAFNOTES_H
#define PW_RECV_LEAFNOTES_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/blocks.h"
#include "wire/leaves.h"

struct pw_leaf_notes {
	uint32_t n;  /* leaves of the file */
	bool is_due; /* there is something new to compare */
	uint64_t
		looked_bytes; /* missing_bytes of the part when it was last searched for full leaves */
	uint8_t full[PW_LEAVES_MAX / 8], known[PW_LEAVES_MAX / 8];
	uint8_t digests[]; /* n * PW_LEAF_LEN; of the known ones */
};

static inline bool pw_leaf_bit(const uint8_t *bits, uint32_t leaf)
{
	return bits[leaf / 8] >> (leaf % 8) & 1;
}

static inline void pw_leaf_bit_set(uint8_t *bits, uint32_t leaf)
{
	bits[leaf / 8] |= (uint8_t)(1u << (leaf % 8));
}

static inline void pw_leaf_bit_clear(uint8_t *bits, uint32_t leaf)
{
	bits[leaf / 8] &= (uint8_t) ~(1u << (leaf % 8));
}

/* Bytes that the notes of a file of this length take: 0 for a file of one leaf, which has none. */
uint64_t pw_leaf_notes_bytes(uint64_t file_len);
/* NULL: there are none, or memory is short; then the finisher computes all digests. The caller frees them. */
struct pw_leaf_notes *pw_leaf_notes_create(uint64_t file_len);
/* Symbols with bytes in [from, to) are missing again. n may be NULL. */
void pw_leaf_notes_forget(
	struct pw_leaf_notes *n, const struct pw_blocks *b, uint64_t from, uint64_t to);
/* The leaf's SHA-256; NULL: not known, or n is NULL. */
const uint8_t *pw_leaf_notes_get(const struct pw_leaf_notes *n, uint32_t leaf);

#endif
