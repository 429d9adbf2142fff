/* SPDX-License-Identifier: BSD-3-Clause */
/* The parity symbols that the receiver keeps take bounded memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "recv/parity.h"

#define K      20u
#define MAX_N  24u
#define SYMBOL 64u
#define LEN    (2000ull * K * SYMBOL)

/* Parity of one block after the other, of which no source symbol comes. */
static void the_memory_of_parity_is_bounded(void **state)
{
	static const uint8_t symbol[SYMBOL];
	struct pw_object o = {.len_bytes = LEN};
	struct pw_blocks b;
	struct pw_part *p;
	struct pw_parity_store store;
	size_t n_dropped = 0, n_kept = 0;
	struct pw_parity_group *g;
	uint32_t sbn, row;

	(void)state;
	assert_int_equal(pw_blocks_init_rs(&b, LEN, SYMBOL, K, MAX_N, NULL), 0);
	p = pw_part_create(&o, &b, NULL);
	assert_non_null(p);
	pw_parity_init(&store);
	store.max_bytes = 100000;
	for (sbn = 0; sbn < b.n_blocks; sbn++) {
		for (row = 0; row < MAX_N - K; row++)
			n_dropped += pw_parity_add(&store, p, sbn, row, symbol);
		assert_true(store.bytes <= store.max_bytes);
	}
	for (g = store.oldest; g; g = g->newer)
		n_kept += g->n;
	assert_int_equal(n_kept + n_dropped, b.n_blocks * (MAX_N - K));
	assert_true(n_kept > 500);
	/* The newest ones stay. */
	assert_non_null(atomic_load(&p->parity->table[b.n_blocks - 1]));
	assert_null(atomic_load(&p->parity->table[0]));
	pw_parity_drop(&store, p);
	assert_int_equal(store.bytes, 0);
	assert_null(store.oldest);
	pw_parity_finish(&store);
	pw_part_destroy(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_memory_of_parity_is_bounded)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
