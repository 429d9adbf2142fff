/* SPDX-License-Identifier: BSD-3-Clause */
/* The matrices of the three codes, encoding, and the comparison that finds a sender's code. */
#include "fec/rs.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <isa-l/erasure_code.h>

#include "fec/rs_private.h"

#define AT_ONCE 2    /* outputs: 3 to 6 were slower */
#define SLICE   1024 /* bytes of a symbol that are compared at once */

static const char *const names[PW_RS_N_POINTS] = {
	[PW_RS_RFC] = "rfc", [PW_RS_RIZZO] = "rizzo", [PW_RS_YPO] = "ypo"};

const char *pw_rs_points_name(enum pw_rs_points points)
{
	return names[points];
}

static void fill_points(enum pw_rs_points points, uint32_t n, uint8_t *x)
{
	uint8_t power = 1;
	uint32_t i;

	for (i = 0; i < n; i++) {
		if (points == PW_RS_YPO) {
			x[i] = (uint8_t)i;
		} else if (points == PW_RS_RIZZO && i == 0) {
			x[i] = 0;
		} else {
			x[i] = power;
			power = gf_mul(power, 2);
		}
	}
}

/* Row j: the Lagrange polynomials of x[0] to x[k - 1] at y = x[k + j]. Polynomial i is the product over
 * m != i of (y - x[m]) / (x[i] - x[m]); minus is XOR. */
static void fill_rows(struct pw_rs *rs, const uint8_t *x)
{
	uint8_t divisor[PW_RS_MAX_SYMBOLS];
	uint32_t i, j, m;

	for (i = 0; i < rs->k; i++) {
		divisor[i] = 1;
		for (m = 0; m < rs->k; m++)
			if (m != i)
				divisor[i] = gf_mul(divisor[i], x[i] ^ x[m]);
	}
	for (j = 0; j < rs->r; j++) {
		const uint8_t y = x[rs->k + j];
		uint8_t product = 1;

		for (m = 0; m < rs->k; m++)
			product = gf_mul(product, y ^ x[m]);
		for (i = 0; i < rs->k; i++)
			rs->rows[j * rs->k + i] =
				gf_mul(product, gf_inv(gf_mul(divisor[i], y ^ x[i])));
	}
}

int pw_rs_create(
	struct pw_rs **out, uint32_t k, uint32_t r, enum pw_rs_points points, struct pw_err *err)
{
	const uint32_t max = points == PW_RS_RFC ? PW_RS_MAX_SYMBOLS - 1 : PW_RS_MAX_SYMBOLS;
	uint8_t x[PW_RS_MAX_SYMBOLS];
	struct pw_rs *rs;

	if (k < 1 || r < 1 || k > max || r > max - k)
		return pw_err_set(err, EINVAL,
			"cannot make parity of %u+%u symbols: a block of the code %s has at most "
			"%u, "
			"and at least 1+1; use fewer",
			k, r, names[points], max);
	rs = malloc(sizeof(*rs) + (size_t)k * r * PW_RS_TABLE_BYTES);
	if (!rs)
		return pw_err_sys(err, ENOMEM, "cannot make parity of %u+%u symbols", k, r);
	rs->k = k;
	rs->r = r;
	fill_points(points, k + r, x);
	fill_rows(rs, x);
	ec_init_tables((int)k, (int)r, rs->rows, rs->tables);
	*out = rs;
	return 0;
}

void pw_rs_destroy(struct pw_rs *rs)
{
	free(rs);
}

/* Adds one input after the other to two outputs, which stay in the L1 cache, with tables in registers. ISA-L's
 * ec_encode_data() goes through all inputs for every 32 bytes of output: the tables of a hundred inputs and
 * more do not fit into the L1 cache. ISA-L's parameters lack const. */
void pw_rs_multiply(size_t len, uint32_t n_in, uint32_t n_out, const uint8_t *tables,
	const uint8_t *const *in, uint8_t *const *out)
{
	uint32_t i, j, n;

	assert(len <= PW_RS_MAX_LEN);
	for (j = 0; j < n_out; j += n) {
		n = n_out - j < AT_ONCE ? n_out - j : AT_ONCE;
		for (i = j; i < j + n; i++)
			memset(out[i], 0, len);
		for (i = 0; i < n_in; i++)
			ec_encode_data_update((int)len, (int)n_in, (int)n, (int)i,
				(unsigned char *)tables + (size_t)j * n_in * PW_RS_TABLE_BYTES,
				(unsigned char *)in[i], (unsigned char **)out + j);
	}
}

void pw_rs_encode(
	const struct pw_rs *rs, size_t len, const uint8_t *const *source, uint8_t *const *parity)
{
	pw_rs_multiply(len, rs->k, rs->r, rs->tables, source, parity);
}

bool pw_rs_agrees(const struct pw_rs *rs, size_t len, const uint8_t *const *source, uint32_t row,
	const uint8_t *parity)
{
	const uint8_t *tables, *from[PW_RS_MAX_SYMBOLS];
	uint8_t own[2 * SLICE], *const to = own;
	size_t at, n;
	uint32_t i;

	assert(row < rs->r);
	tables = rs->tables + (size_t)row * rs->k * PW_RS_TABLE_BYTES;
	for (at = 0; at < len; at += n) {
		/* the last slice is at least as long: ISA-L is slow below 64 bytes */
		n = len - at < 2 * SLICE ? len - at : SLICE;
		for (i = 0; i < rs->k; i++)
			from[i] = source[i] + at;
		pw_rs_multiply(n, rs->k, 1, tables, from, &to);
		if (memcmp(own, parity + at, n) != 0)
			return false;
	}
	return true;
}
