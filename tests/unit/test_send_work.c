/* SPDX-License-Identifier: BSD-3-Clause */
/* The work of a group: each symbol goes to one lane, for many sizes and numbers of lanes. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "path/path.h"
#include "send/work.h"

#define MAX_LANES   8
#define MAX_SYMBOLS 200000

struct table {
	struct pw_work work;
	atomic_uchar *seen; /* of all items, one behind the other */
	uint64_t base[8];
};

static void *take_all(void *arg)
{
	struct table *t = arg;
	struct pw_work_chunk c;
	size_t item = 0;

	while (pw_work_take(&t->work, &item, &c))
		for (; c.from < c.to; c.from++)
			atomic_fetch_add(&t->seen[t->base[c.file] + c.from], 1);
	return NULL;
}

/* Items of these many symbols, the first `skip` of each not to be sent. */
static void check(const uint64_t *sizes, size_t n, uint64_t skip, uint32_t n_lanes)
{
	struct table t = {.seen = calloc(MAX_SYMBOLS, 1)};
	pthread_t threads[MAX_LANES];
	uint64_t sum = 0, k;
	uint32_t h;
	size_t i;

	assert_non_null(t.seen);
	pw_work_clear(&t.work);
	for (i = 0; i < n; i++) {
		t.base[i] = sum;
		sum += sizes[i];
		assert_int_equal(pw_work_add(&t.work, i, skip, sizes[i], n_lanes, NULL), 0);
	}
	assert_true(sum <= MAX_SYMBOLS);
	for (h = 0; h < n_lanes; h++)
		assert_int_equal(pthread_create(&threads[h], NULL, take_all, &t), 0);
	for (h = 0; h < n_lanes; h++)
		pthread_join(threads[h], NULL);
	for (i = 0; i < n; i++)
		for (k = 0; k < sizes[i]; k++)
			assert_int_equal(atomic_load(&t.seen[t.base[i] + k]), k >= skip);
	pw_work_finish(&t.work);
	free(t.seen);
}

static void test_each_symbol_goes_once_for_many_sizes_and_threads(void **state)
{
	static const uint64_t sizes[] = {0, 1, 63, 64, 65, 4097, 100000, 3};
	uint32_t n_lanes;
	size_t n;

	(void)state;
	for (n_lanes = 1; n_lanes <= MAX_LANES; n_lanes++)
		for (n = 0; n <= 8; n++)
			check(sizes, n, 0, n_lanes);
}

static void test_what_need_not_go_does_not(void **state)
{
	static const uint64_t sizes[] = {10, 5000, 2, 70000};

	(void)state;
	check(sizes, 4, 7, 3);
}

static void test_a_file_of_one_block_is_shared_by_the_lanes(void **state)
{
	struct pw_work w = {0};
	struct pw_work_chunk c;
	size_t items[2] = {0};

	(void)state;
	assert_int_equal(pw_work_add(&w, 0, 0, 1000, 2, NULL), 0);
	assert_true(pw_work_take(&w, &items[0], &c));
	assert_true(c.to < 1000 && (c.to - c.from) % PW_BURST == 0);
	assert_int_equal(c.piece, PW_WORK_IN_PLACE);
	assert_true(pw_work_take(&w, &items[1], &c));
	assert_true(c.from > 0);
	pw_work_finish(&w);
}

/* The reader fills the ring in this order. */
static void test_a_streamed_file_has_a_piece_for_each_chunk(void **state)
{
	struct pw_work w = {0};
	struct pw_work_chunk c;
	size_t item = 0;
	uint64_t n;

	(void)state;
	assert_int_equal(pw_work_add_streamed(&w, 0, 0, 250, 100, NULL), 0);
	assert_int_equal(pw_work_add(&w, 1, 0, 10, 1, NULL), 0);
	assert_int_equal(pw_work_add_streamed(&w, 2, 5, 6, 100, NULL), 0);
	for (n = 0; n < 3; n++) {
		assert_true(pw_work_take(&w, &item, &c));
		assert_int_equal(c.piece, n);
		assert_int_equal(c.from, n * 100);
		assert_int_equal(c.to, n == 2 ? 250 : (n + 1) * 100);
	}
	assert_true(pw_work_take(&w, &item, &c));
	assert_int_equal(c.piece, PW_WORK_IN_PLACE);
	assert_true(pw_work_take(&w, &item, &c));
	assert_int_equal(c.file, 2);
	assert_int_equal(c.piece, 3);
	assert_false(pw_work_take(&w, &item, &c));
	pw_work_clear(&w);
	item = 0;
	assert_int_equal(pw_work_add_streamed(&w, 0, 0, 1, 100, NULL), 0);
	assert_true(pw_work_take(&w, &item, &c));
	assert_int_equal(c.piece, 0);
	pw_work_finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_symbol_goes_once_for_many_sizes_and_threads),
		cmocka_unit_test(test_what_need_not_go_does_not),
		cmocka_unit_test(test_a_file_of_one_block_is_shared_by_the_lanes),
		cmocka_unit_test(test_a_streamed_file_has_a_piece_for_each_chunk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
