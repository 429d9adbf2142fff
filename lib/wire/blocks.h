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
/* Reed-Solomon over GF(2^8) (RFC 5510 section 5.1): SBN has 24 bits, ESI has 8. */
#define PW_RS_MAX_BLOCKS        (1u << 24)
#define PW_RS_MAX_BLOCK_SYMBOLS 255u /* source and parity: EXT_FTI has 8 bits */

struct pw_blocks {
	uint64_t transfer_len; /* bytes */
	uint64_t n_symbols;    /* 0 for an empty object */
	uint32_t symbol_len;   /* bytes, 1..65535 */
	uint32_t max_sbl;      /* maximum source block length, symbols */
	uint32_t n_blocks;
	uint32_t a_large; /* symbols in each of the first n_large blocks */
	uint32_t a_small; /* symbols in each block after those */
	uint32_t n_large;
	uint8_t fec_id; /* PW_FEC_ID_NO_CODE or PW_FEC_ID_RS of wire/alc.h */
	uint32_t
		max_n; /* PW_FEC_ID_RS: maximum encoding symbols of a block, >= max_sbl; else max_sbl */
};

/* -EINVAL: symbol_len or max_sbl out of range; -EFBIG: more blocks or bytes than the wire format
 * can name. transfer_len 0 gives 0 blocks. */
int pw_blocks_init(struct pw_blocks *b, uint64_t transfer_len, uint32_t symbol_len,
	uint32_t max_sbl, struct pw_err *err);

/* The same for FEC Encoding ID 5. -EINVAL also when not 1 <= max_sbl <= max_n <= 255. */
int pw_blocks_init_rs(struct pw_blocks *b, uint64_t transfer_len, uint32_t symbol_len,
	uint32_t max_sbl, uint32_t max_n, struct pw_err *err);

/* Parity symbols of block sbn: RFC 5510 section 6.3 derives their number from max_n. 0 when sbn >= n_blocks. */
uint32_t pw_blocks_parity(const struct pw_blocks *b, uint32_t sbn);

/* Bits of the ESI in a FEC Payload ID; those above are the SBN. */
static inline unsigned int pw_blocks_esi_bits(const struct pw_blocks *b)
{
	return b->fec_id ? 8 : 16;
}

/* The FEC Payload ID of a symbol. */
static inline uint32_t pw_blocks_payload_id(const struct pw_blocks *b, uint32_t sbn, uint32_t esi)
{
	return sbn << pw_blocks_esi_bits(b) | esi;
}

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
