/* SPDX-License-Identifier: BSD-3-Clause */
/* When frames are due, and how late they were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "replay/due.h"
#include "send/late.h"

#define T0   1700000000000000000ll
#define HOUR 3600000000000ull

static void times_are_counted_from_one_anchor_at_any_speed(void **state)
{
	struct pw_due d;
	int64_t i;

	(void)state;
	pw_due_init(&d, 3, HOUR);
	for (i = 0; i < 100000;
		i++) /* a third of 1000 ns: rounded for each gap it would drift by 33 us */
		assert_int_equal(pw_due_next(&d, true, T0 + 1000 * i),
			PW_DUE_LEAD_NS + (uint64_t)(1000 * i) / 3);
}

static void a_pass_follows_by_the_mean_gap(void **state)
{
	struct pw_due d;

	(void)state;
	pw_due_init(&d, 0.5, HOUR);
	pw_due_next(&d, true, T0);
	pw_due_next(&d, true, T0 + 100);
	assert_int_equal(pw_due_next(&d, true, T0 + 600), PW_DUE_LEAD_NS + 1200);
	pw_due_begin(&d);
	assert_int_equal(pw_due_next(&d, true, T0), PW_DUE_LEAD_NS + 1800);
	assert_int_equal(pw_due_next(&d, true, T0 + 100), PW_DUE_LEAD_NS + 2000);
}

static void what_runs_backwards_or_jumps_goes_at_once(void **state)
{
	struct pw_due d;

	(void)state;
	pw_due_init(&d, 1, 1000);
	assert_int_equal(pw_due_next(&d, true, T0), PW_DUE_LEAD_NS);
	assert_int_equal(pw_due_next(&d, true, T0 + 500), PW_DUE_LEAD_NS + 500);
	assert_int_equal(pw_due_next(&d, true, T0 + 400), PW_DUE_LEAD_NS + 500);
	assert_int_equal(pw_due_next(&d, false, 0), PW_DUE_LEAD_NS + 500);
	assert_int_equal(pw_due_next(&d, true, T0 + 700), PW_DUE_LEAD_NS + 700);
	assert_int_equal(pw_due_next(&d, true, T0 + 1701), PW_DUE_LEAD_NS + 700);
	assert_int_equal(pw_due_next(&d, true, T0 + 1801), PW_DUE_LEAD_NS + 800);
	assert_int_equal(pw_due_next(&d, true, INT64_MIN), PW_DUE_LEAD_NS + 800);
	assert_int_equal(pw_due_next(&d, true, INT64_MAX), PW_DUE_LEAD_NS + 800);
	assert_int_equal(d.n_backwards, 1);
	assert_int_equal(d.n_untimed, 1);
	assert_int_equal(d.n_jumps, 3);
}

static void quantiles_are_right_within_a_class(void **state)
{
	static struct pw_late l;
	uint64_t i, q;

	(void)state;
	assert_int_equal(pw_late_quantile(&l, 0.5), 0);
	for (i = 1; i <= 10000; i++)
		pw_late_add(&l, 1000 + i * 10, 1000);
	q = pw_late_quantile(&l, 0.5);
	assert_in_range(q, 50000, 50000 + 50000 / 16);
	q = pw_late_quantile(&l, 0.99);
	assert_in_range(q, 99000, 99000 + 99000 / 16);
	assert_int_equal(pw_late_quantile(&l, 1), 100000);
	assert_int_equal(l.longest_run, 0);
	pw_late_add(&l, 5, 10); /* early by another CPU's clock */
	assert_int_equal(l.n[0], 1);
	for (i = 0; i < 70; i++)
		pw_late_add(&l, PW_LATE_RUN_NS + 1, 0);
	assert_int_equal(l.longest_run, 70);
	assert_int_equal(l.longest_from, 10002);
	pw_late_add(&l, UINT64_MAX, 0);
	assert_true(pw_late_quantile(&l, 1) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_counted_from_one_anchor_at_any_speed),
		cmocka_unit_test(a_pass_follows_by_the_mean_gap),
		cmocka_unit_test(what_runs_backwards_or_jumps_goes_at_once),
		cmocka_unit_test(quantiles_are_right_within_a_class),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
