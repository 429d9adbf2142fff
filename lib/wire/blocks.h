/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Computes how an object is cut into source blocks and symbols (RFC 5052 section 9.1).
 *
 *   object   |<-------------------- transfer_len ------------------->|
 *   blocks   | n_large blocks of a_large symbols | rest: a_small each |
 *   symbols  |sym|sym|sym|...                                  |last |
 *
 * Pure arithmetic, no allocation, any thread.
 */
#ifndef PW_WIRE_BLOCKS_H
#define PW_WIRE_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Compact No-Code (RFC 5445 section 3): SBN and ESI are 16 bits each. */
#define PW_MAX_BLOCKS        65536u
#define PW_MAX_BLOCK_SYMBOLS 65536u
#define PW_MAX_TRANSFER_LEN  ((1ull << 48) - 1) /* EXT_FTI's 48 bits */

struct pw_blocks {
	uint64_t transfer_len; /* bytes */
	uint64_t n_symbols;    /* 0 for an empty object */
	uint32_t symbol_len;   /* bytes, 1..65535 */
	uint32_t max_sbl;      /* maximum source block length, symbols */
	uint32_t n_blocks;
	uint32_t a_large; /* symbols in each of the first n_large blocks */
	uint32_t a_small; /* symbols in each block after those */
	uint32_t n_large;
};

/* -EINVAL: symbol_len or max_sbl out of range; -EFBIG: more blocks or bytes than the wire format
 * can name. transfer_len 0 gives 0 blocks. */
int pw_blocks_init(struct pw_blocks *b, uint64_t transfer_len, uint32_t symbol_len,
	uint32_t max_sbl, struct pw_err *err);

/* The smallest sensible max_sbl (4096 or more) with which the object fits into PW_MAX_BLOCKS;
 * 0 when none does. */
uint32_t pw_blocks_choose_max_sbl(uint64_t transfer_len, uint32_t symbol_len);

/* Symbols in block sbn; 0 when sbn >= n_blocks. */
static inline uint32_t pw_blocks_block_len(const struct pw_blocks *b, uint32_t sbn)
{
	if (sbn >= b->n_blocks)
		return 0;
	return sbn < b->n_large ? b->a_large : b->a_small;
}

/* Index, counted over the whole object, of block sbn's first symbol. sbn <= n_blocks. */
static inline uint64_t pw_blocks_first_symbol(const struct pw_blocks *b, uint32_t sbn)
{
	uint64_t large = sbn < b->n_large ? sbn : b->n_large;

	return large * b->a_large + (sbn - large) * b->a_small;
}

/* Symbol index -> (sbn, esi). index < n_symbols. */
void pw_blocks_locate(const struct pw_blocks *b, uint64_t index, uint32_t *sbn, uint32_t *esi);

/* (sbn, esi) from a packet -> symbol index. false when it lies beyond the object. */
static inline bool pw_blocks_index(
	const struct pw_blocks *b, uint32_t sbn, uint32_t esi, uint64_t *index)
{
	if (esi >= pw_blocks_block_len(b, sbn))
		return false;
	*index = pw_blocks_first_symbol(b, sbn) + esi;
	return true;
}

/* Length in bytes of symbol `index` (the last may be shorter). index < n_symbols. */
static inline uint32_t pw_blocks_symbol_bytes(const struct pw_blocks *b, uint64_t index)
{
	uint64_t rest = b->transfer_len - index * b->symbol_len;

	return rest < b->symbol_len ? (uint32_t)rest : b->symbol_len;
}

#endif
