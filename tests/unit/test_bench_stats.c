/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "bench/stats.h"

static void near(double got, double want)
{
	if (!(fabs(got - want) <= 1e-12 * fmax(1, fabs(want))))
		fail_msg("%.17g, not %.17g", got, want);
}

static void median_of_an_odd_number_is_the_middle_one(void **state)
{
	const double v[] = {9, 1, 5, 3, 100};
	struct pw_summary s;

	(void)state;
	pw_summarize(&s, v, 5, 1);
	near(s.median, 5);
	near(s.min, 1);
	near(s.max, 100);
	assert_int_equal(s.n, 5);
	near(v[0], 9); /* the caller's order stays */
	near(v[4], 100);
}

static void median_of_an_even_number_lies_between_the_middle_two(void **state)
{
	const double v[] = {4, 1, 3, 10};
	struct pw_summary s;

	(void)state;
	pw_summarize(&s, v, 4, 1);
	near(s.median, 3.5);
}

static void what_is_no_number_is_left_out(void **state)
{
	const double v[] = {NAN, 2, NAN, 8, 4, NAN};
	struct pw_summary s;

	(void)state;
	pw_summarize(&s, v, 6, 1);
	assert_int_equal(s.n, 3);
	near(s.median, 4);
	near(s.min, 2);
	near(s.max, 8);
}

static void no_samples_have_no_median(void **state)
{
	const double v[] = {NAN, NAN};
	struct pw_summary s;

	(void)state;
	memset(&s, 0, sizeof(s));
	pw_summarize(&s, NULL, 0, 1);
	assert_int_equal(s.n, 0);
	assert_true(isnan(s.median) && isnan(s.low) && isnan(s.high));
	assert_true(isnan(s.min) && isnan(s.max));
	memset(&s, 0, sizeof(s));
	pw_summarize(&s, v, 2, 1);
	assert_int_equal(s.n, 0);
	assert_true(isnan(s.median));
}

static void one_sample_is_its_own_interval(void **state)
{
	const double v[] = {7.25};
	struct pw_summary s;

	(void)state;
	pw_summarize(&s, v, 1, 1);
	assert_int_equal(s.n, 1);
	near(s.median, 7.25);
	near(s.low, 7.25);
	near(s.high, 7.25);
}

static void the_interval_of_constant_samples_is_a_point(void **state)
{
	const double v[] = {3, 3, 3, 3, 3, 3};
	struct pw_summary s;

	(void)state;
	pw_summarize(&s, v, 6, 99);
	near(s.low, 3);
	near(s.median, 3);
	near(s.high, 3);
}

/* With n = 5 the median of a resample is the smallest sample when at least 3 of 5 draws hit it:
 * 10 (1/5)^3 (4/5)^2 + 5 (1/5)^4 (4/5) + (1/5)^5 = 5.8 % > 2.5 %: the interval is the range. With
 * n = 7 it takes 4 of 7: 0.98 % for the smallest, 13.6 % for the smaller two: the second. */
static void the_interval_is_what_the_binomial_says(void **state)
{
	const double five[] = {14, 11, 10, 12, 19}, seven[] = {16, 11, 10, 12, 19, 13, 30};
	struct pw_summary s;
	uint64_t seed;

	(void)state;
	for (seed = 0; seed < 5; seed++) {
		pw_summarize(&s, five, 5, seed);
		near(s.low, 10);
		near(s.high, 19);
		pw_summarize(&s, seven, 7, seed);
		near(s.median, 13);
		near(s.low, 11);
		near(s.high, 19);
	}
}

struct outcome {
	double median, probability;
};

static int by_median(const void *a, const void *b)
{
	double x = ((const struct outcome *)a)->median, y = ((const struct outcome *)b)->median;

	return (x > y) - (x < y);
}

/* Every way to draw six out of six, all alike: 6^6 resamples, each sorted. */
static size_t draw_all(const double *v, struct outcome *all)
{
	size_t i, k, d, n = 0;

	for (i = 0; i < 46656; i++) {
		double draw[6], t;
		size_t code = i;

		for (k = 0; k < 6; k++, code /= 6) {
			draw[k] = v[code % 6];
			for (d = k; d > 0 && draw[d] < draw[d - 1]; d--) {
				t = draw[d];
				draw[d] = draw[d - 1];
				draw[d - 1] = t;
			}
		}
		all[n++] = (struct outcome){(draw[2] + draw[3]) / 2, 1 / 46656.0};
	}
	qsort(all, n, sizeof(*all), by_median);
	return n;
}

static void the_interval_is_that_of_all_resamples(void **state)
{
	const double v[] = {1, 2, 4, 8, 16, 32};
	struct outcome *all = malloc(46656 * sizeof(*all));
	double low = NAN, high = NAN, below = 0;
	struct pw_summary s;
	size_t i, n;

	(void)state;
	assert_non_null(all);
	n = draw_all(v, all);
	for (i = 0; i < n; i++) {
		below += all[i].probability;
		if (isnan(low) && below >= 0.025)
			low = all[i].median;
		if (isnan(high) && below >= 0.975)
			high = all[i].median;
	}
	free(all);
	pw_summarize(&s, v, 6, 12345);
	near(s.median, 6);
	near(s.low, low);
	near(s.high, high);
}

static void the_same_seed_gives_the_same_interval(void **state)
{
	struct pw_random random;
	struct pw_summary a, b, other;
	double v[40];
	size_t i;
	bool differs = false;
	uint64_t seed;

	(void)state;
	pw_random_init(&random, 3);
	for (i = 0; i < PW_ARRAY_LEN(v); i++)
		v[i] = (double)pw_random_below(&random, 1u << 30);
	pw_summarize(&a, v, PW_ARRAY_LEN(v), 7);
	pw_summarize(&b, v, PW_ARRAY_LEN(v), 7);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_true(a.low < a.median && a.median < a.high);
	for (seed = 8; seed < 40; seed++) {
		pw_summarize(&other, v, PW_ARRAY_LEN(v), seed);
		differs |= other.low != a.low || other.high != a.high;
	}
	assert_true(differs); /* else the seed does nothing */
}

static void ratios_are_of_pairs(void **state)
{
	const double a[] = {10, 40, NAN, 9, 5}, b[] = {5, 10, 2, 0, NAN};
	struct pw_summary s;

	(void)state;
	pw_summarize_ratio(&s, a, b, 5, 1);
	assert_int_equal(s.n, 2); /* 2 and 4: one NaN above, one below, one division by 0 */
	near(s.median, 3);
	near(s.min, 2);
	near(s.max, 4);
	pw_summarize_ratio(&s, a, b, 0, 1);
	assert_int_equal(s.n, 0);
}

static void draws_below_n_are_even(void **state)
{
	unsigned int hits[7] = {0};
	struct pw_random random;
	size_t i;

	(void)state;
	pw_random_init(&random, 2024);
	for (i = 0; i < 70000; i++)
		hits[pw_random_below(&random, 7)]++;
	for (i = 0; i < 7; i++)
		assert_in_range(hits[i], 9500, 10500); /* five sigma are 463 */
	assert_int_equal(pw_random_below(&random, 1), 0);
}

static void a_shuffle_keeps_all_and_reaches_every_order(void **state)
{
	bool seen[6] = {false};
	struct pw_random random;
	size_t v[3], i;

	(void)state;
	pw_random_init(&random, 5);
	for (i = 0; i < 200; i++) {
		v[0] = 0, v[1] = 1, v[2] = 2;
		pw_random_shuffle(&random, v, 3);
		assert_int_equal(1u << v[0] | 1u << v[1] | 1u << v[2], 7);
		seen[v[0] * 2 + (v[1] > v[2])] = true;
	}
	for (i = 0; i < 6; i++)
		assert_true(seen[i]);
	pw_random_shuffle(&random, v, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(median_of_an_odd_number_is_the_middle_one),
		cmocka_unit_test(median_of_an_even_number_lies_between_the_middle_two),
		cmocka_unit_test(what_is_no_number_is_left_out),
		cmocka_unit_test(no_samples_have_no_median),
		cmocka_unit_test(one_sample_is_its_own_interval),
		cmocka_unit_test(the_interval_of_constant_samples_is_a_point),
		cmocka_unit_test(the_interval_is_what_the_binomial_says),
		cmocka_unit_test(the_interval_is_that_of_all_resamples),
		cmocka_unit_test(the_same_seed_gives_the_same_interval),
		cmocka_unit_test(ratios_are_of_pairs),
		cmocka_unit_test(draws_below_n_are_even),
		cmocka_unit_test(a_shuffle_keeps_all_and_reaches_every_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
