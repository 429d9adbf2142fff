/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/blocks.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/alc.h"

#define DEFAULT_MAX_SBL 4096u

/* max_blocks, max_symbols: what the FEC Payload ID can name. */
static int cut(struct pw_blocks *b, uint64_t transfer_len, uint32_t symbol_len, uint32_t max_sbl,
	uint64_t max_blocks, uint32_t max_symbols, struct pw_err *err)
{
	uint64_t n_blocks;

	memset(b, 0, sizeof(*b));
	if (symbol_len == 0 || symbol_len > UINT16_MAX)
		return pw_err_set(err, EINVAL,
			"cannot cut into symbols of %u bytes: 1 to 65535 are possible", symbol_len);
	if (max_sbl == 0)
		return pw_err_set(
			err, EINVAL, "cannot cut into blocks of 0 symbols: at least 1 is needed");
	if (transfer_len > PW_MAX_TRANSFER_LEN)
		return pw_err_set(err, EFBIG,
			"cannot cut %" PRIu64 " bytes: the wire names 48 bits", transfer_len);
	b->transfer_len = transfer_len;
	b->symbol_len = symbol_len;
	b->max_sbl = b->max_n = max_sbl;
	if (transfer_len == 0)
		return 0;
	b->n_symbols = pw_div_ceil(transfer_len, symbol_len);
	n_blocks = pw_div_ceil(b->n_symbols, max_sbl);
	if (n_blocks > max_blocks || pw_div_ceil(b->n_symbols, n_blocks) > max_symbols)
		return pw_err_set(err, EFBIG,
			"cannot cut %" PRIu64 " bytes into symbols of %u: more than %" PRIu64
			" blocks of %u; raise --symbol",
			transfer_len, symbol_len, max_blocks, max_symbols);
	b->n_blocks = (uint32_t)n_blocks;
	b->a_large = (uint32_t)pw_div_ceil(b->n_symbols, n_blocks);
	b->a_small = (uint32_t)(b->n_symbols / n_blocks);
	b->n_large = (uint32_t)(b->n_symbols - (uint64_t)b->a_small * n_blocks);
	return 0;
}

int pw_blocks_init(struct pw_blocks *b, uint64_t transfer_len, uint32_t symbol_len,
	uint32_t max_sbl, struct pw_err *err)
{
	return cut(b, transfer_len, symbol_len, max_sbl, PW_MAX_BLOCKS, PW_MAX_BLOCK_SYMBOLS, err);
}

int pw_blocks_init_rs(struct pw_blocks *b, uint64_t transfer_len, uint32_t symbol_len,
	uint32_t max_sbl, uint32_t max_n, struct pw_err *err)
{
	int ret;

	if (max_n < max_sbl || max_n > PW_RS_MAX_BLOCK_SYMBOLS)
		return pw_err_set(err, EINVAL,
			"cannot cut into blocks of %u symbols, %u with parity: 255 are possible",
			max_sbl, max_n);
	ret = cut(b, transfer_len, symbol_len, max_sbl, PW_RS_MAX_BLOCKS, PW_RS_MAX_BLOCK_SYMBOLS,
		err);
	b->fec_id = PW_FEC_ID_RS;
	b->max_n = max_n;
	return ret;
}

uint32_t pw_blocks_parity(const struct pw_blocks *b, uint32_t sbn)
{
	const uint32_t k = pw_blocks_block_len(b, sbn);

	return k ? k * b->max_n / b->max_sbl - k : 0;
}

uint32_t pw_blocks_choose_max_sbl(uint64_t transfer_len, uint32_t symbol_len)
{
	uint64_t n, sbl;

	if (symbol_len == 0 || symbol_len > UINT16_MAX || transfer_len > PW_MAX_TRANSFER_LEN)
		return 0;
	n = pw_div_ceil(transfer_len, symbol_len);
	sbl = pw_max_u64(pw_div_ceil(n, PW_MAX_BLOCKS), DEFAULT_MAX_SBL);
	return sbl > PW_MAX_BLOCK_SYMBOLS ? 0 : (uint32_t)sbl;
}

void pw_blocks_locate(const struct pw_blocks *b, uint64_t index, uint32_t *sbn, uint32_t *esi)
{
	uint64_t in_large = (uint64_t)b->n_large * b->a_large;

	if (index < in_large) {
		*sbn = (uint32_t)(index / b->a_large);
		*esi = (uint32_t)(index % b->a_large);
		return;
	}
	index -= in_large;
	*sbn = b->n_large + (uint32_t)(index / b->a_small);
	*esi = (uint32_t)(index % b->a_small);
}
