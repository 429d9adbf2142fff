/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wire/blocks.h"

static struct pw_blocks make(uint64_t len, uint32_t symbol, uint32_t sbl)
{
	struct pw_blocks b;

	assert_int_equal(pw_blocks_init(&b, len, symbol, sbl, NULL), 0);
	return b;
}

/* By hand after RFC 5052 section 9.1: T = ceil(L/E), N = ceil(T/B), A_large = ceil(T/N), A_small =
 * floor(T/N), I = T - A_small * N. */
static void hand_worked_partitions(void **state)
{
	static const struct {
		uint64_t len;
		uint32_t symbol, sbl, n_symbols, n_blocks, a_large, a_small, n_large, last;
	} cases[] = {
		{1, 1440, 4096, 1, 1, 1, 1, 0, 1},
		{1440, 1440, 4096, 1, 1, 1, 1, 0, 1440},
		{1441, 1440, 4096, 2, 1, 2, 2, 0, 1},
		{100, 10, 3, 10, 4, 3, 2, 2, 10}, /* 3 3 2 2 */
		{101, 10, 3, 11, 4, 3, 2, 3, 1},  /* 3 3 3 2, the last symbol 1 byte */
		{120, 10, 3, 12, 4, 3, 3, 0, 10}, /* 3 3 3 3 */
		{99, 10, 1, 10, 10, 1, 1, 0, 9},  /* a block a symbol */
		{65536, 1, 65536, 65536, 1, 65536, 65536, 0, 1},
		{65537, 1, 65536, 65537, 2, 32769, 32768, 1, 1},
		{5368709121, 1440, 4096, 3728271, 911, 4093, 4092, 459, 321},
	};
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(cases); i++) {
		struct pw_blocks b = make(cases[i].len, cases[i].symbol, cases[i].sbl);

		assert_int_equal(b.n_symbols, cases[i].n_symbols);
		assert_int_equal(b.n_blocks, cases[i].n_blocks);
		assert_int_equal(b.a_large, cases[i].a_large);
		assert_int_equal(b.a_small, cases[i].a_small);
		assert_int_equal(b.n_large, cases[i].n_large);
		assert_int_equal(pw_blocks_symbol_bytes(&b, b.n_symbols - 1), cases[i].last);
	}
}

static void uneven_blocks_number_their_symbols(void **state)
{
	struct pw_blocks b = make(101, 10, 3); /* blocks of 3 3 3 2 */
	static const uint32_t sbn[] = {0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3};
	static const uint32_t esi[] = {0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1};
	static const uint32_t len[] = {3, 3, 3, 2, 0};
	static const uint32_t first[] = {0, 3, 6, 9, 11};
	uint64_t index;
	uint32_t i, s, e;

	(void)state;
	for (i = 0; i < 11; i++) {
		pw_blocks_locate(&b, i, &s, &e);
		assert_int_equal(s, sbn[i]);
		assert_int_equal(e, esi[i]);
	}
	for (i = 0; i < 5; i++) {
		assert_int_equal(pw_blocks_block_len(&b, i), len[i]);
		assert_int_equal(pw_blocks_first_symbol(&b, i), first[i]);
	}
	assert_true(pw_blocks_index(&b, 3, 1, &index));
	assert_int_equal(index, 10);
	assert_false(pw_blocks_index(&b, 3, 2, &index));
	assert_false(pw_blocks_index(&b, 2, 3, &index));
	assert_false(pw_blocks_index(&b, 4, 0, &index));
	assert_false(pw_blocks_index(&b, UINT32_MAX, 0, &index));
	assert_false(pw_blocks_index(&b, 0, UINT32_MAX, &index));
	assert_int_equal(index, 10);
}

static void an_empty_object_has_no_symbols(void **state)
{
	struct pw_blocks b = make(0, 1440, 4096);
	uint64_t index;

	(void)state;
	assert_int_equal(b.n_symbols, 0);
	assert_int_equal(b.n_blocks, 0);
	assert_int_equal(pw_blocks_block_len(&b, 0), 0);
	assert_int_equal(pw_blocks_first_symbol(&b, 0), 0);
	assert_false(pw_blocks_index(&b, 0, 0, &index));
}

static void what_the_wire_cannot_name_is_refused(void **state)
{
	struct pw_err err = {0};
	struct pw_blocks b;

	(void)state;
	assert_int_equal(pw_blocks_init(&b, 1, 0, 1, &err), -EINVAL);
	assert_int_equal(pw_blocks_init(&b, 1, 65536, 1, &err), -EINVAL);
	assert_int_equal(pw_blocks_init(&b, 1, 1, 0, &err), -EINVAL);
	assert_int_equal(pw_blocks_init(&b, 0, 1, 0, &err), -EINVAL);
	assert_int_equal(pw_blocks_init(&b, 1ull << 48, 65535, 65536, &err), -EFBIG);
	/* 65536 blocks of 65536 one-byte symbols are the most, one more symbol is too many */
	assert_int_equal(pw_blocks_init(&b, 1ull << 32, 1, 65536, &err), 0);
	assert_int_equal(b.n_blocks, PW_MAX_BLOCKS);
	assert_int_equal(b.a_large, PW_MAX_BLOCK_SYMBOLS);
	assert_int_equal(pw_blocks_init(&b, (1ull << 32) + 1, 1, 65536, &err), -EFBIG);
	assert_int_equal(err.code, EFBIG);
	/* blocks longer than ESI's 16 bits, by a max_sbl that EXT_FTI could carry */
	assert_int_equal(pw_blocks_init(&b, 65537, 1, UINT32_MAX, &err), -EFBIG);
	assert_int_equal(pw_blocks_init(&b, 65536, 1, UINT32_MAX, &err), 0);
	/* more blocks than SBN's 16 bits */
	assert_int_equal(pw_blocks_init(&b, 65537, 1, 1, &err), -EFBIG);
	assert_int_equal(pw_blocks_init(&b, 65536, 1, 1, &err), 0);
}

static void the_largest_object_fits(void **state)
{
	const uint64_t len = 65535ull << 32; /* 2^32 symbols of 65535 bytes: below 2^48 */
	struct pw_blocks b = make(len, 65535, 65536);
	uint64_t index;
	uint32_t sbn, esi;

	(void)state;
	assert_true(b.n_symbols == 1ull << 32);
	assert_int_equal(pw_blocks_init(&b, len + 1, 65535, 65536, NULL), -EFBIG);
	assert_int_equal(pw_blocks_init(&b, len, 65535, 65536, NULL), 0);
	pw_blocks_locate(&b, b.n_symbols - 1, &sbn, &esi);
	assert_int_equal(sbn, b.n_blocks - 1);
	assert_true(pw_blocks_index(&b, sbn, esi, &index));
	assert_true(index == b.n_symbols - 1);
}

static void the_chosen_block_length_always_fits(void **state)
{
	static const uint64_t lens[] = {
		0, 1, 1440, 1ull << 30, 386547056640, 386547056641, 6184752906240, 6184752906241};
	static const uint32_t expected[] = {4096, 4096, 4096, 4096, 4096, 4097, 65536, 0};
	struct pw_blocks b;
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(lens); i++) {
		uint32_t sbl = pw_blocks_choose_max_sbl(lens[i], 1440);

		assert_int_equal(sbl, expected[i]);
		if (sbl)
			assert_int_equal(pw_blocks_init(&b, lens[i], 1440, sbl, NULL), 0);
	}
	assert_int_equal(pw_blocks_choose_max_sbl(1, 0), 0);
	assert_int_equal(pw_blocks_choose_max_sbl(1, 65536), 0);
	assert_int_equal(pw_blocks_choose_max_sbl(1ull << 48, 65535), 0);
}

static uint64_t next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/* Walks a block's edges: each starts where the one before ended, and its last symbol leads to the
 * next one's first. */
static void check_edges(const struct pw_blocks *b)
{
	uint64_t byte = 0, index;
	uint32_t sbn, s, e;

	for (sbn = 0; sbn < b->n_blocks; sbn++) {
		uint32_t n = pw_blocks_block_len(b, sbn);
		uint64_t first = pw_blocks_first_symbol(b, sbn);

		assert_in_range(n, 1, b->max_sbl);
		assert_true(first * b->symbol_len == byte);
		pw_blocks_locate(b, first, &s, &e);
		assert_true(s == sbn && e == 0);
		pw_blocks_locate(b, first + n - 1, &s, &e);
		assert_true(s == sbn && e == n - 1);
		assert_true(pw_blocks_index(b, sbn, n - 1, &index) && index == first + n - 1);
		assert_false(pw_blocks_index(b, sbn, n, &index));
		byte += (uint64_t)(n - 1) * b->symbol_len +
			pw_blocks_symbol_bytes(b, first + n - 1);
	}
	assert_true(byte == b->transfer_len);
	assert_true(pw_blocks_first_symbol(b, b->n_blocks) == b->n_symbols);
}

/* Each symbol once, in order, and their bytes one after the other. */
static void check_symbols(const struct pw_blocks *b)
{
	uint64_t i, byte = 0, index;
	uint32_t sbn, esi, len;

	for (i = 0; i < b->n_symbols; i++) {
		pw_blocks_locate(b, i, &sbn, &esi);
		assert_true(pw_blocks_index(b, sbn, esi, &index) && index == i);
		len = pw_blocks_symbol_bytes(b, i);
		assert_true(len == b->symbol_len || (i == b->n_symbols - 1 && len > 0));
		assert_true(i * b->symbol_len == byte);
		byte += len;
	}
	assert_true(byte == b->transfer_len);
}

static void small_objects_name_every_byte_once(void **state)
{
	uint64_t seed = 1;
	int i;

	(void)state;
	for (i = 0; i < 3000; i++) {
		uint32_t symbol = 1 + (uint32_t)(next_random(&seed) % 50);
		uint32_t sbl = 1 + (uint32_t)(next_random(&seed) % 40);
		struct pw_blocks b = make(next_random(&seed) % 3000, symbol, sbl);

		check_symbols(&b);
		check_edges(&b);
	}
}

static void vast_objects_name_every_byte_once(void **state)
{
	uint64_t seed = 7;
	int i, big = 0;

	(void)state;
	for (i = 0; i < 300; i++) {
		uint64_t len = next_random(&seed) >> (16 + next_random(&seed) % 24);
		uint32_t symbol = 64 + (uint32_t)(next_random(&seed) % 9000);
		uint32_t sbl = pw_blocks_choose_max_sbl(len, symbol);
		struct pw_blocks b;

		if (!sbl)
			continue;
		b = make(len, symbol, sbl);
		check_edges(&b);
		big += len > UINT32_MAX;
	}
	assert_true(big > 100);
}

/* RFC 5510 section 6.3: n = floor(k * max_n / max_sbl). */
static void shorter_blocks_have_less_parity(void **state)
{
	static const struct {
		uint64_t n_symbols;
		uint32_t sbl, max_n, k_large, k_small, parity_large, parity_small;
	} cases[] = {
		{400, 200, 210, 200, 200, 10, 10},
		{401, 200, 210, 134, 133, 6, 6},
		{1, 200, 210, 1, 1, 0, 0},
		{21, 20, 24, 11, 10, 2, 2},
		{19, 20, 24, 19, 19, 3, 3},
		{3, 1, 2, 1, 1, 1, 1},
		{600, 200, 200, 200, 200, 0, 0},
		{223, 223, 255, 223, 223, 32, 32},
	};
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(cases); i++) {
		struct pw_blocks b;
		uint32_t last;

		assert_int_equal(pw_blocks_init_rs(&b, cases[i].n_symbols * 10, 10, cases[i].sbl,
					 cases[i].max_n, NULL),
			0);
		last = b.n_blocks - 1;
		assert_int_equal(pw_blocks_block_len(&b, 0), cases[i].k_large);
		assert_int_equal(pw_blocks_block_len(&b, last), cases[i].k_small);
		assert_int_equal(pw_blocks_parity(&b, 0), cases[i].parity_large);
		assert_int_equal(pw_blocks_parity(&b, last), cases[i].parity_small);
		assert_int_equal(pw_blocks_parity(&b, last + 1), 0);
		assert_int_equal(pw_blocks_esi_bits(&b), 8);
	}
}

static void a_code_that_8_bits_cannot_name_is_refused(void **state)
{
	static const struct {
		uint64_t len;
		uint32_t sbl, max_n;
		int ret;
	} cases[] = {
		{1000, 0, 10, -EINVAL},
		{1000, 20, 19, -EINVAL},
		{1000, 200, 256, -EINVAL},
		{1000, 256, 256, -EINVAL},
		{1000, UINT32_MAX, UINT32_MAX, -EINVAL},
		{10 + (10ull << 24), 1, 2, -EFBIG}, /* 2^24 + 1 blocks */
		{10ull << 24, 1, 2, 0},
		{1000, 255, 255, 0},
	};
	struct pw_blocks b;
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(cases); i++)
		assert_int_equal(
			pw_blocks_init_rs(&b, cases[i].len, 10, cases[i].sbl, cases[i].max_n, NULL),
			cases[i].ret);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hand_worked_partitions),
		cmocka_unit_test(uneven_blocks_number_their_symbols),
		cmocka_unit_test(an_empty_object_has_no_symbols),
		cmocka_unit_test(what_the_wire_cannot_name_is_refused),
		cmocka_unit_test(the_largest_object_fits),
		cmocka_unit_test(the_chosen_block_length_always_fits),
		cmocka_unit_test(small_objects_name_every_byte_once),
		cmocka_unit_test(shorter_blocks_have_less_parity),
		cmocka_unit_test(a_code_that_8_bits_cannot_name_is_refused),
		cmocka_unit_test(vast_objects_name_every_byte_once),
	};

	return cmocka_run_group_tests_name("wire_blocks", tests, NULL, NULL);
}
