/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reed-Solomon code over GF(2^8), field polynomial 0x11D: FEC Encoding ID 5 (RFC 5510). ISA-L does the
 * arithmetic on long vectors.
 *
 * A block has k source symbols (ESI 0 to k - 1) and r parity symbols (ESI k to k + r - 1) of equal length.
 * Any k of them restore the block. The byte at one offset of all symbols of a block is one code word: the
 * value of a polynomial of degree < k at k + r points. Source symbol i is its value at point i, so the code
 * is systematic, and parity row j holds the Lagrange polynomials of points 0 to k - 1 at point k + j. This is
 * the matrix V_top^-1 * V of RFC 5510 section 8.2, V being the Vandermonde matrix of the points. A row depends
 * on k and j, not on r.
 *
 * Senders disagree on the points (a is the field's generator, 2):
 *
 *     rfc    1, a, a^2, a^3, ...      RFC 5510 section 8.2.1: entry {i, j} of V is a^(i * j)    k + r <= 255
 *     rizzo  0, 1, a, a^2, ...        Rizzo's fec.c: NORM, OpenFEC                              k + r <= 256
 *     ypo    0, 1, 2, 3, ...          Backblaze's library: ypo/flute                            k + r <= 256
 *
 * The abstract of RFC 5510 calls its code compatible with Rizzo's; the matrix of its section 8.2 is not.
 * EXT_FTI carries max_n in 8 bits, so FLUTE has at most 255 symbols in a block with every code.
 *
 * A caller that has a shorter last symbol gives a copy that is padded with zeros.
 */
#ifndef PW_FEC_RS_H
#define PW_FEC_RS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PW_RS_MAX_SYMBOLS 256   /* of a block, source and parity: the elements of GF(2^8) */
#define PW_RS_MAX_LEN     65535 /* bytes of a symbol: EXT_FTI carries E in 16 bits */

enum pw_rs_points { PW_RS_RFC, PW_RS_RIZZO, PW_RS_YPO, PW_RS_N_POINTS };

/* "rfc", "rizzo", "ypo"; a constant. */
const char *pw_rs_points_name(enum pw_rs_points points);

/* Constant after its creation: any number of threads may use one. */
struct pw_rs;

/* k >= 1, r >= 1, k + r as above: -EINVAL otherwise. -ENOMEM. *rs belongs to the caller. */
int pw_rs_create(
	struct pw_rs **rs, uint32_t k, uint32_t r, enum pw_rs_points points, struct pw_err *err);
void pw_rs_destroy(struct pw_rs *rs); /* accepts NULL */

/* Computes parity[r] from source[k], 1 <= len <= PW_RS_MAX_LEN bytes each, of any alignment. Parity does not
 * overlap with the source. Lengths below 64 bytes are slow. */
void pw_rs_encode(
	const struct pw_rs *rs, size_t len, const uint8_t *const *source, uint8_t *const *parity);

/* Whether parity symbol number `row` (ESI k + row, row < r) belongs to source[k]. For a block that agrees with
 * one of the codes only, this finds the code of a sender. Codes cannot be told apart by a block of k = 1, or
 * by one whose symbols are all equal (all zero, for example): then every code agrees. */
bool pw_rs_agrees(const struct pw_rs *rs, size_t len, const uint8_t *const *source, uint32_t row,
	const uint8_t *parity);

/* Restores blocks of one code and one k. Keeps the matrices of the last PW_RS_PATTERNS loss patterns: 1 MiB at
 * 200+10, at most 8 MiB. One thread at a time. */
struct pw_rs_decoder;

#define PW_RS_PATTERNS 16

/* rs must live as long as the decoder. -ENOMEM. */
int pw_rs_decoder_create(struct pw_rs_decoder **d, const struct pw_rs *rs, struct pw_err *err);
void pw_rs_decoder_destroy(struct pw_rs_decoder *d); /* accepts NULL */

/* Restores the source symbols i < k with symbols[i] == NULL into out[i], len bytes each. symbols[k + r]: what is
 * there, by ESI; NULL: missing. out[k]: read only where a source symbol is missing; overlaps with no symbol.
 * Returns how many symbols were restored (0: no source symbol was missing); -ENODATA: fewer than k are there,
 * nothing was written. The content is not checked: a forged symbol gives wrong bytes, which the digest
 * of the file finds. */
int pw_rs_decode(struct pw_rs_decoder *d, size_t len, const uint8_t *const *symbols,
	uint8_t *const *out, struct pw_err *err);

#endif
