/* SPDX-License-Identifier: BSD-3-Clause */
/* What the encoder and the decoder share. */
#ifndef PW_FEC_RS_PRIVATE_H
#define PW_FEC_RS_PRIVATE_H

#include "fec/rs.h"

#define PW_RS_TABLE_BYTES 32 /* what ISA-L makes of one coefficient */

/* k * r of a code is at most this, and with it every matrix of the decoder. */
#define PW_RS_MAX_MATRIX (PW_RS_MAX_SYMBOLS * PW_RS_MAX_SYMBOLS / 4)

struct pw_rs {
	uint32_t k, r;
	uint8_t rows
		[PW_RS_MAX_MATRIX]; /* [r][k]: parity row j times the sources is parity symbol j */
	uint8_t tables[];           /* [r][k][PW_RS_TABLE_BYTES]: the same for ISA-L */
};

/* out[n_out] = the matrix of tables[n_out][n_in] times in[n_in], len bytes each. */
void pw_rs_multiply(size_t len, uint32_t n_in, uint32_t n_out, const uint8_t *tables,
	const uint8_t *const *in, uint8_t *const *out);

#endif
