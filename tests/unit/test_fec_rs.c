/* SPDX-License-Identifier: BSD-3-Clause */
/* The code of lib/fec against matrices that are made here in the RFC's way: a Vandermonde matrix times the
 * inverse of its top, with long multiplication. lib/fec uses Lagrange polynomials and ISA-L. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "fec/rs.h"

static const struct shape {
	uint32_t k, r;
} shapes[] = {{200, 2}, {200, 10}, {100, 5}, {223, 32}, {1, 1}, {1, 254}, {254, 1}, {128, 127}};

static const size_t lengths[] = {1, 4, 63, 65, 1440, 2047, 2049, 8928};

/* --- the reference --- */

static uint8_t times[256][256], inverse_of[256];

static uint8_t long_multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;
	int bit;

	for (bit = 0; bit < 8; bit++)
		if (b >> bit & 1)
			product ^= a << bit;
	for (bit = 15; bit >= 8; bit--)
		if (product >> bit & 1)
			product ^= 0x11du << (bit - 8);
	return (uint8_t)product;
}

static int fill_field(void **state)
{
	uint32_t a, b;

	(void)state;
	for (a = 0; a < 256; a++)
		for (b = 0; b < 256; b++) {
			times[a][b] = long_multiply(a, b);
			if (times[a][b] == 1)
				inverse_of[a] = (uint8_t)b;
		}
	return 0;
}

static uint8_t point(enum pw_rs_points points, uint32_t i)
{
	uint8_t power = 1;

	if (points == PW_RS_YPO)
		return (uint8_t)i;
	if (points == PW_RS_RIZZO && i == 0)
		return 0;
	for (i -= points == PW_RS_RIZZO; i; i--)
		power = times[power][2];
	return power;
}

/* m[n][k] becomes m * (its first k rows)^-1: column operations that make the top the identity. */
static void make_systematic(uint8_t *m, uint32_t n, uint32_t k)
{
	uint32_t c, d, i;

	for (c = 0; c < k; c++) {
		for (d = c; m[c * k + d] == 0; d++)
			assert_true(d + 1 < k);
		for (i = 0; d != c && i < n; i++) {
			const uint8_t swap = m[i * k + c];

			m[i * k + c] = m[i * k + d];
			m[i * k + d] = swap;
		}
		{
			const uint8_t by = inverse_of[m[c * k + c]];

			for (i = 0; i < n; i++)
				m[i * k + c] = times[m[i * k + c]][by];
		}
		for (d = 0; d < k; d++) {
			const uint8_t by = m[c * k + d];

			for (i = 0; d != c && by && i < n; i++)
				m[i * k + d] ^= times[m[i * k + c]][by];
		}
	}
}

/* [k + r][k] */
static uint8_t *reference_matrix(enum pw_rs_points points, struct shape s)
{
	const uint32_t n = s.k + s.r;
	uint8_t *m = malloc((size_t)n * s.k);
	uint32_t i, j;

	assert_non_null(m);
	for (i = 0; i < n; i++) {
		const uint8_t x = point(points, i);
		uint8_t power = 1;

		for (j = 0; j < s.k; j++) {
			m[i * s.k + j] = power;
			power = times[power][x];
		}
	}
	make_systematic(m, n, s.k);
	for (i = 0; i < s.k; i++)
		for (j = 0; j < s.k; j++)
			assert_int_equal(m[i * s.k + j], i == j);
	return m;
}

/* --- blocks --- */

struct block {
	struct shape shape;
	size_t len;
	uint8_t *bytes;              /* [k + r][len], one byte after the start of an allocation */
	uint8_t *symbols[255];       /* into bytes */
	const uint8_t *sources[255]; /* the first k of them */
	struct pw_rs *rs;
};

static void fill_block(struct block *b, enum pw_rs_points points, struct shape s, size_t len)
{
	size_t i;

	b->shape = s;
	b->len = len;
	b->bytes = (uint8_t *)malloc(1 + (s.k + s.r) * len) + 1;
	for (i = 0; i < s.k + s.r; i++)
		b->symbols[i] = b->bytes + i * len;
	for (i = 0; i < s.k; i++)
		b->sources[i] = b->symbols[i];
	for (i = 0; i < s.k * len; i++)
		b->bytes[i] = (uint8_t)(random() >> 8);
	memset(b->bytes + s.k * len, 0xa5, s.r * len);
	assert_int_equal(pw_rs_create(&b->rs, s.k, s.r, points, NULL), 0);
	pw_rs_encode(b->rs, len, b->sources, b->symbols + s.k);
}

static void empty_block(struct block *b)
{
	pw_rs_destroy(b->rs);
	free(b->bytes - 1);
}

/* present: the block without n symbols at random places; the number of lost source symbols. */
static uint32_t lose(const struct block *b, uint32_t n, const uint8_t **present)
{
	const uint32_t all = b->shape.k + b->shape.r;
	uint32_t i, lost = 0;

	for (i = 0; i < all; i++)
		present[i] = b->symbols[i];
	while (n) {
		i = (uint32_t)random() % all;
		n -= present[i] != NULL;
		lost += present[i] && i < b->shape.k;
		present[i] = NULL;
	}
	return lost;
}

/* Decodes into memory that ends with the symbol, and compares. */
static void restore(struct pw_rs_decoder *d, const struct block *b, const uint8_t *const *present,
	uint32_t n_lost)
{
	uint8_t *out[255] = {NULL};
	struct pw_err err;
	uint32_t i;

	for (i = 0; i < b->shape.k; i++)
		if (!present[i])
			out[i] = malloc(b->len);
	assert_int_equal(pw_rs_decode(d, b->len, present, out, &err), n_lost);
	for (i = 0; i < b->shape.k; i++)
		if (!present[i]) {
			assert_memory_equal(out[i], b->symbols[i], b->len);
			free(out[i]);
		}
}

/* --- tests --- */

static void first_parity_rows_of_four_are_the_published_ones(void **state)
{
	static const uint8_t rows[PW_RS_N_POINTS][4] = {[PW_RS_RFC] = {0x40, 0x78, 0x36, 0x0f},
		[PW_RS_RIZZO] = {0x77, 0x40, 0x38, 0x0e},
		[PW_RS_YPO] = {0x1b, 0x1c, 0x12, 0x14}};
	/* byte i of parity is what source symbol i has in the row: the sources are the identity */
	static const uint8_t unit[4][4] = {{1}, {0, 1}, {0, 0, 1}, {0, 0, 0, 1}};
	const uint8_t *const sources[4] = {unit[0], unit[1], unit[2], unit[3]};
	uint8_t parity[4], *const to = parity;
	struct pw_rs *rs;
	uint32_t p;

	(void)state;
	for (p = 0; p < PW_RS_N_POINTS; p++) {
		assert_int_equal(pw_rs_create(&rs, 4, 1, (enum pw_rs_points)p, NULL), 0);
		pw_rs_encode(rs, 4, sources, &to);
		assert_memory_equal(parity, rows[p], 4);
		pw_rs_destroy(rs);
	}
}

static void parity_is_that_of_the_vandermonde_matrix(void **state)
{
	struct block b;
	uint32_t p, s, i, j;

	(void)state;
	for (p = 0; p < PW_RS_N_POINTS; p++)
		for (s = 0; s < PW_ARRAY_LEN(shapes); s++) {
			const struct shape shape = shapes[s];
			uint8_t *m = reference_matrix((enum pw_rs_points)p, shape);

			/* the identity as the source gives the matrix, column by column */
			fill_block(&b, (enum pw_rs_points)p, shape, shape.k);
			memset(b.bytes, 0, (size_t)shape.k * shape.k);
			for (i = 0; i < shape.k; i++)
				b.symbols[i][i] = 1;
			pw_rs_encode(b.rs, shape.k, b.sources, b.symbols + shape.k);
			for (j = 0; j < shape.r; j++)
				assert_memory_equal(b.symbols[shape.k + j],
					m + (size_t)(shape.k + j) * shape.k, shape.k);
			empty_block(&b);
			free(m);
		}
}

static void every_byte_of_parity_is_right_at_every_length(void **state)
{
	const struct shape shape = {100, 13};
	struct block b;
	uint8_t *m;
	uint32_t l, i, j;
	size_t at;

	(void)state;
	m = reference_matrix(PW_RS_RFC, shape);
	for (l = 0; l < PW_ARRAY_LEN(lengths); l++) {
		fill_block(&b, PW_RS_RFC, shape, lengths[l]);
		for (j = 0; j < shape.r; j++)
			for (at = 0; at < b.len; at++) {
				const uint8_t *row = m + (size_t)(shape.k + j) * shape.k;
				uint8_t sum = 0;

				for (i = 0; i < shape.k; i++)
					sum ^= times[row[i]][b.symbols[i][at]];
				assert_int_equal(b.symbols[shape.k + j][at], sum);
			}
		empty_block(&b);
	}
	free(m);
}

static void any_k_symbols_restore_the_block(void **state)
{
	const uint8_t *present[255];
	struct pw_rs_decoder *d;
	struct block b;
	uint32_t p, s, l, turn;

	(void)state;
	for (p = 0; p < PW_RS_N_POINTS; p++)
		for (s = 0; s < PW_ARRAY_LEN(shapes); s++)
			for (l = 0; l < PW_ARRAY_LEN(lengths); l++) {
				fill_block(&b, (enum pw_rs_points)p, shapes[s], lengths[l]);
				assert_int_equal(pw_rs_decoder_create(&d, b.rs, NULL), 0);
				for (turn = 0; turn < 6; turn++) {
					const uint32_t n =
						turn < 2 ? b.shape.r
							 : (uint32_t)random() % (b.shape.r + 1);
					const uint32_t n_lost = lose(&b, n, present);

					restore(d, &b, present, n_lost);
				}
				pw_rs_decoder_destroy(d);
				empty_block(&b);
			}
}

/* All parity stands in: the matrix to invert is as large as it gets. */
static void parity_alone_restores_the_block(void **state)
{
	const struct shape shape = {127, 128};
	const uint8_t *present[255];
	struct pw_rs_decoder *d;
	struct block b;
	uint32_t p, i;

	(void)state;
	for (p = 0; p < PW_RS_N_POINTS; p++) {
		fill_block(&b, (enum pw_rs_points)p, shape, 100);
		assert_int_equal(pw_rs_decoder_create(&d, b.rs, NULL), 0);
		for (i = 0; i < shape.k + shape.r; i++)
			present[i] = i <= shape.k ? NULL : b.symbols[i];
		restore(d, &b, present, shape.k);
		pw_rs_decoder_destroy(d);
		empty_block(&b);
	}
}

/* More patterns than the cache has, each twice, with other bytes the second time. */
static void cached_patterns_restore_other_blocks(void **state)
{
	enum { PATTERNS = 3 * PW_RS_PATTERNS };
	const struct shape shape = {20, 4};
	const uint8_t *present[PATTERNS][255], *moved[255];
	uint32_t n_lost[PATTERNS], i, turn, near;
	struct pw_rs_decoder *d;
	struct block b, other;

	(void)state;
	fill_block(&b, PW_RS_RFC, shape, 100);
	fill_block(&other, PW_RS_RFC, shape, 100);
	assert_int_equal(pw_rs_decoder_create(&d, b.rs, NULL), 0);
	for (i = 0; i < PATTERNS; i++)
		n_lost[i] = lose(&b, shape.r, present[i]);
	for (turn = 0; turn < 2 * PATTERNS; turn++) {
		i = turn % PATTERNS;
		restore(d, &b, present[i], n_lost[i]);
		for (near = 0; near < shape.k + shape.r; near++)
			moved[near] = present[i][near] ? other.symbols[near] : NULL;
		restore(d, &other, moved, n_lost[i]);
	}
	pw_rs_decoder_destroy(d);
	empty_block(&other);
	empty_block(&b);
}

/* The pattern is also which parity symbols came. */
static void each_parity_symbol_alone_restores_the_same_source_symbol(void **state)
{
	const struct shape shape = {20, 4};
	const uint8_t *present[255];
	struct pw_rs_decoder *d;
	struct block b;
	uint32_t turn, i;

	(void)state;
	fill_block(&b, PW_RS_RFC, shape, 100);
	assert_int_equal(pw_rs_decoder_create(&d, b.rs, NULL), 0);
	for (turn = 0; turn < 2 * shape.r; turn++) {
		for (i = 0; i < shape.k; i++)
			present[i] = i == 3 ? NULL : b.symbols[i];
		for (i = 0; i < shape.r; i++)
			present[shape.k + i] = i == turn % shape.r ? b.symbols[shape.k + i] : NULL;
		restore(d, &b, present, 1);
	}
	pw_rs_decoder_destroy(d);
	empty_block(&b);
}

static void fewer_than_k_symbols_are_refused(void **state)
{
	static uint8_t untouched[100];
	const struct shape shape = {20, 4};
	const uint8_t *present[255];
	uint8_t *out[255] = {NULL};
	struct pw_rs_decoder *d;
	struct pw_err err;
	struct block b;
	uint32_t i;

	(void)state;
	fill_block(&b, PW_RS_RFC, shape, 100);
	assert_int_equal(pw_rs_decoder_create(&d, b.rs, NULL), 0);
	for (i = 0; i < shape.k; i++)
		out[i] = untouched;
	for (i = shape.r + 1; i <= shape.k + shape.r; i++) {
		const uint32_t n_lost = lose(&b, i, present);

		assert_int_equal(n_lost > 0, true);
		assert_int_equal(pw_rs_decode(d, b.len, present, out, &err), -ENODATA);
		assert_non_null(strstr(err.msg, "20+4"));
	}
	for (i = 0; i < sizeof(untouched); i++)
		assert_int_equal(untouched[i], 0);
	pw_rs_decoder_destroy(d);
	empty_block(&b);
}

static void one_whole_block_tells_the_code(void **state)
{
	struct block b;
	uint32_t p, q, s, row;

	(void)state;
	for (p = 0; p < PW_RS_N_POINTS; p++)
		for (s = 0; s < PW_ARRAY_LEN(shapes); s++) {
			fill_block(&b, (enum pw_rs_points)p, shapes[s], 1440);
			row = (uint32_t)random() % b.shape.r;
			for (q = 0; q < PW_RS_N_POINTS; q++) {
				struct pw_rs *rs;

				assert_int_equal(pw_rs_create(&rs, b.shape.k, b.shape.r,
							 (enum pw_rs_points)q, NULL),
					0);
				assert_int_equal(pw_rs_agrees(rs, b.len, b.sources, row,
							 b.symbols[b.shape.k + row]),
					p == q || b.shape.k == 1);
				pw_rs_destroy(rs);
			}
			empty_block(&b);
		}
}

static void one_wrong_byte_disagrees(void **state)
{
	struct block b;
	uint32_t l;
	size_t at;

	(void)state;
	for (l = 0; l < PW_ARRAY_LEN(lengths); l++) {
		fill_block(&b, PW_RS_RFC, (struct shape){10, 3}, lengths[l]);
		for (at = 0; at < b.len; at++) {
			b.symbols[12][at] ^= 1;
			assert_false(pw_rs_agrees(b.rs, b.len, b.sources, 2, b.symbols[12]));
			b.symbols[12][at] ^= 1;
		}
		assert_true(pw_rs_agrees(b.rs, b.len, b.sources, 2, b.symbols[12]));
		empty_block(&b);
	}
}

static void impossible_blocks_are_refused(void **state)
{
	static const struct {
		uint32_t k, r;
		bool rfc, others;
	} cases[] = {{0, 1, false, false}, {1, 0, false, false}, {254, 1, true, true},
		{255, 1, false, true}, {1, 254, true, true}, {1, 255, false, true},
		{256, 1, false, false}, {1, 256, false, false}, {255, UINT32_MAX, false, false},
		{UINT32_MAX, 2, false, false}, {128, 128, false, true}};
	struct pw_err err;
	struct pw_rs *rs;
	uint32_t p, i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(cases); i++)
		for (p = 0; p < PW_RS_N_POINTS; p++) {
			const bool fits = p == PW_RS_RFC ? cases[i].rfc : cases[i].others;

			assert_int_equal(pw_rs_create(&rs, cases[i].k, cases[i].r,
						 (enum pw_rs_points)p, &err),
				fits ? 0 : -EINVAL);
			if (fits)
				pw_rs_destroy(rs);
			else
				assert_non_null(
					strstr(err.msg, pw_rs_points_name((enum pw_rs_points)p)));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_parity_rows_of_four_are_the_published_ones),
		cmocka_unit_test(parity_is_that_of_the_vandermonde_matrix),
		cmocka_unit_test(every_byte_of_parity_is_right_at_every_length),
		cmocka_unit_test(any_k_symbols_restore_the_block),
		cmocka_unit_test(parity_alone_restores_the_block),
		cmocka_unit_test(cached_patterns_restore_other_blocks),
		cmocka_unit_test(each_parity_symbol_alone_restores_the_same_source_symbol),
		cmocka_unit_test(fewer_than_k_symbols_are_refused),
		cmocka_unit_test(one_whole_block_tells_the_code),
		cmocka_unit_test(one_wrong_byte_disagrees),
		cmocka_unit_test(impossible_blocks_are_refused),
	};

	return cmocka_run_group_tests(tests, fill_field, NULL);
}
