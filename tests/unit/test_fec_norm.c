/* SPDX-License-Identifier: BSD-3-Clause */
/* Rizzo's code of lib/fec and that of libnorm, each with the other's parity. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "fec/rs.h"

#ifdef PW_HAVE_NORM
#include "norm_rs8.h"

#define LEN 1439 /* odd */

static const struct shape {
	uint32_t k, r;
} shapes[] = {{4, 1}, {200, 2}, {200, 10}, {100, 5}, {223, 32}, {1, 254}, {127, 128}};

static uint8_t ours[255][LEN], theirs[255][LEN];
static const uint8_t *sources[255];
static uint8_t *our_symbols[255];
static char *their_symbols[255];

/* Source symbols in ours and theirs, parity of lib/fec in ours. */
static struct pw_rs *fill(struct shape s)
{
	struct pw_rs *rs;
	uint32_t i;
	size_t at;

	memset(theirs, 0, sizeof(theirs));
	for (i = 0; i < s.k; i++)
		for (at = 0; at < LEN; at++)
			theirs[i][at] = ours[i][at] = (uint8_t)(random() >> 8);
	for (i = 0; i < s.k + s.r; i++) {
		sources[i] = our_symbols[i] = ours[i];
		their_symbols[i] = (char *)theirs[i];
	}
	assert_int_equal(pw_rs_create(&rs, s.k, s.r, PW_RS_RIZZO, NULL), 0);
	pw_rs_encode(rs, LEN, sources, our_symbols + s.k);
	return rs;
}

static void parity_equals_that_of_libnorm(void **state)
{
	struct norm_rs8 norm;
	size_t s;
	uint32_t i;

	(void)state;
	for (s = 0; s < PW_ARRAY_LEN(shapes); s++) {
		const uint32_t k = shapes[s].k, r = shapes[s].r;

		pw_rs_destroy(fill(shapes[s]));
		norm_encoder_construct(&norm);
		assert_true(norm_encoder_init(&norm, k, r, LEN));
		for (i = 0; i < k; i++)
			norm_encoder_add(&norm, i, their_symbols[i], their_symbols + k);
		for (i = k; i < k + r; i++)
			assert_memory_equal(ours[i], theirs[i], LEN);
		norm_encoder_destruct(&norm);
	}
}

static void libnorm_restores_a_block_from_our_parity(void **state)
{
	struct norm_rs8 norm;
	unsigned int lost[255];
	size_t s;
	uint32_t i;

	(void)state;
	for (s = 0; s < PW_ARRAY_LEN(shapes); s++) {
		const uint32_t k = shapes[s].k, r = shapes[s].r, n = r < k ? r : k;

		pw_rs_destroy(fill(shapes[s]));
		memcpy(theirs[k], ours[k], r * sizeof(ours[0]));
		for (i = 0; i < n; i++) {
			lost[i] = i * (k / n);
			memset(theirs[lost[i]], 0, LEN);
		}
		norm_decoder_construct(&norm);
		assert_true(norm_decoder_init(&norm, k, r, LEN));
		assert_int_equal(norm_decoder_decode(&norm, their_symbols, k, n, lost), n);
		for (i = 0; i < k; i++)
			assert_memory_equal(ours[i], theirs[i], LEN);
		norm_decoder_destruct(&norm);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parity_equals_that_of_libnorm),
		cmocka_unit_test(libnorm_restores_a_block_from_our_parity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
	puts("1..0 # SKIP built without libnorm.a; install libnorm-dev and libstdc++-12-dev");
	return 77;
}
#endif
