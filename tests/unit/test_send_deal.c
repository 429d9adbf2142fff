/* SPDX-License-Identifier: BSD-3-Clause */
/* Symbols dealt to threads: each once, whatever the sizes and however many threads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "path/path.h"
#include "send/deal.h"

#define MAX_HANDS   8
#define MAX_SYMBOLS 200000

struct table {
	struct pw_deal deal;
	atomic_uchar *seen; /* of all items, one behind the other */
	uint64_t base[8];
};

static void *take_all(void *arg)
{
	struct table *t = arg;
	struct pw_deal_hand hand = {0};
	uint64_t from, to;
	size_t what;

	while (pw_deal_take(&t->deal, &hand, &what, &from, &to))
		for (; from < to; from++)
			atomic_fetch_add(&t->seen[t->base[what] + from], 1);
	return NULL;
}

/* Items of these many symbols, the first `skip` of each not to be sent. */
static void check(const uint64_t *sizes, size_t n, uint64_t skip, uint32_t n_hands)
{
	struct table t = {.seen = calloc(MAX_SYMBOLS, 1)};
	pthread_t threads[MAX_HANDS];
	uint64_t sum = 0, k;
	uint32_t h;
	size_t i;

	assert_non_null(t.seen);
	pw_deal_clear(&t.deal);
	for (i = 0; i < n; i++) {
		t.base[i] = sum;
		sum += sizes[i];
		assert_int_equal(pw_deal_add(&t.deal, i, skip, sizes[i], n_hands, NULL), 0);
	}
	assert_true(sum <= MAX_SYMBOLS);
	for (h = 0; h < n_hands; h++)
		assert_int_equal(pthread_create(&threads[h], NULL, take_all, &t), 0);
	for (h = 0; h < n_hands; h++)
		pthread_join(threads[h], NULL);
	for (i = 0; i < n; i++)
		for (k = 0; k < sizes[i]; k++)
			assert_int_equal(atomic_load(&t.seen[t.base[i] + k]), k >= skip);
	pw_deal_finish(&t.deal);
	free(t.seen);
}

static void test_each_symbol_goes_once_for_many_sizes_and_threads(void **state)
{
	static const uint64_t sizes[] = {0, 1, 63, 64, 65, 4097, 100000, 3};
	uint32_t n_hands;
	size_t n;

	(void)state;
	for (n_hands = 1; n_hands <= MAX_HANDS; n_hands++)
		for (n = 0; n <= 8; n++)
			check(sizes, n, 0, n_hands);
}

static void test_what_need_not_go_does_not(void **state)
{
	static const uint64_t sizes[] = {10, 5000, 2, 70000};

	(void)state;
	check(sizes, 4, 7, 3);
}

static void test_a_file_of_one_block_is_shared_too(void **state)
{
	struct pw_deal d = {0};
	struct pw_deal_hand hands[2] = {{0}};
	uint64_t from, to;
	size_t what;

	(void)state;
	assert_int_equal(pw_deal_add(&d, 0, 0, 1000, 2, NULL), 0);
	assert_true(pw_deal_take(&d, &hands[0], &what, &from, &to));
	assert_true(to < 1000 && (to - from) % PW_BURST == 0);
	assert_true(pw_deal_take(&d, &hands[1], &what, &from, &to));
	assert_true(from > 0);
	pw_deal_finish(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_symbol_goes_once_for_many_sizes_and_threads),
		cmocka_unit_test(test_what_need_not_go_does_not),
		cmocka_unit_test(test_a_file_of_one_block_is_shared_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
