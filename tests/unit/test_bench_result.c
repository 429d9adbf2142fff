/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "bench/result.h"
#include "bench_fixture.h"

static void set(struct pw_row *row, size_t sample, enum pw_metric m, double v)
{
	row->samples[sample].v[m] = v;
}

static void the_warm_up_and_void_samples_are_left_out(void **state)
{
	struct pw_bench_result r;
	size_t i;

	(void)state;
	bench_fixture_rows(&r, 1);
	bench_fixture_samples(&r.rows[0], 5);
	for (i = 0; i < 5; i++)
		set(&r.rows[0], i, PW_M_GOODPUT, (double)(i + 1) * 10);
	snprintf(r.rows[0].samples[4].void_why, PW_ERR_MAX, "wrong bytes");
	pw_result_summarize(&r);
	assert_int_equal(r.rows[0].sum[PW_M_GOODPUT].n, 3);
	assert_true(r.rows[0].sum[PW_M_GOODPUT].median == 30); /* of 20, 30, 40 */
	assert_true(r.rows[0].sum[PW_M_GOODPUT].max == 40);
	assert_int_equal(r.rows[0].sum[PW_M_LOSS].n, 0);
	pw_result_finish(&r);
}

static void copies_come_from_evidence_runs_and_nothing_else_does(void **state)
{
	struct pw_bench_result r;
	struct pw_row *row;
	size_t i;

	(void)state;
	bench_fixture_rows(&r, 1);
	row = &r.rows[0];
	bench_fixture_samples(row, 4);
	for (i = 1; i < 4; i++) {
		row->samples[i].evidence = i == 3;
		set(row, i, PW_M_GOODPUT, i == 3 ? 1 : 100);
		set(row, i, PW_M_COPIES, i == 3 ? 2 : 77);
		set(row, i, PW_M_OWN_COPIES, i == 3 ? 5 : 1);
	}
	pw_result_summarize(&r);
	assert_true(row->sum[PW_M_GOODPUT].min == 100);
	assert_true(row->sum[PW_M_OWN_COPIES].median == 1);
	assert_int_equal(row->sum[PW_M_COPIES].n, 1);
	assert_true(row->sum[PW_M_COPIES].median == 2);
	pw_result_finish(&r);
}

static void ratios_are_of_the_same_round(void **state)
{
	static const double own[] = {999, 30, 10, 80}, base[] = {1, 10, 20, 20};
	struct pw_bench_result r;
	struct pw_row *row;
	size_t i;

	(void)state;
	bench_fixture_rows(&r, 2);
	row = &r.rows[1];
	row->label = row->way = "sendfile";
	for (i = 0; i < 2; i++)
		bench_fixture_samples(&r.rows[i], 4);
	for (i = 0; i < 4; i++) {
		set(&r.rows[0], i, PW_M_GOODPUT, base[i]);
		/* stored in another order than the baseline's */
		row->samples[i].round = (uint32_t)(3 - i);
		set(row, i, PW_M_GOODPUT, own[3 - i]);
	}
	pw_result_summarize(&r);
	assert_int_equal(row->ratio.n, 3);
	assert_true(row->ratio.median == 3); /* 3, 0.5, 4 */
	assert_true(row->ratio.min == 0.5 && row->ratio.max == 4);
	assert_true(r.rows[0].ratio.low == 1 && r.rows[0].ratio.high == 1);
	pw_result_finish(&r);
}

static void a_round_that_is_void_on_either_side_makes_no_ratio(void **state)
{
	struct pw_bench_result r;
	size_t i, k;

	(void)state;
	bench_fixture_rows(&r, 2);
	r.rows[1].label = r.rows[1].way = "sendfile";
	for (i = 0; i < 2; i++) {
		bench_fixture_samples(&r.rows[i], 5);
		for (k = 0; k < 5; k++)
			set(&r.rows[i], k, PW_M_GOODPUT, (double)(k + 1));
	}
	snprintf(r.rows[0].samples[1].void_why, PW_ERR_MAX, "x");
	snprintf(r.rows[1].samples[2].void_why, PW_ERR_MAX, "x");
	pw_result_summarize(&r);
	assert_int_equal(r.rows[1].ratio.n, 2);
	pw_result_finish(&r);
}

static void the_baseline_is_that_of_the_same_wire_size_mtu_and_cache(void **state)
{
	struct pw_bench_result r;
	size_t i;

	(void)state;
	bench_fixture_rows(&r, 6);
	for (i = 0; i < 6; i++) {
		bench_fixture_samples(&r.rows[i], 2);
		set(&r.rows[i], 1, PW_M_GOODPUT, (double)(i + 1));
	}
	r.rows[1].wire = PW_WIRE_SINK;
	r.rows[2].file_bytes = 1;
	r.rows[3].mtu = 9000;
	r.rows[4].cold = true;
	r.rows[5].label = r.rows[5].way = "sendfile";
	for (i = 0; i < 6; i++) {
		pw_result_summarize(&r);
		assert_true(r.rows[5].ratio.median == (i < 5 ? 6.0 / (double)(i + 1) : 0));
		if (i == 4)
			break;
		r.rows[5].wire = r.rows[i + 1].wire;
		r.rows[5].file_bytes = r.rows[i + 1].file_bytes;
		r.rows[5].mtu = r.rows[i + 1].mtu;
		r.rows[5].cold = r.rows[i + 1].cold;
	}
	r.rows[5].wire = PW_WIRE_TAP;
	pw_result_summarize(&r);
	assert_int_equal(r.rows[5].ratio.n, 0);
	r.baseline = NULL;
	pw_result_summarize(&r);
	assert_int_equal(r.rows[0].ratio.n, 0);
	pw_result_finish(&r);
}

static void rows_without_samples_have_no_numbers(void **state)
{
	struct pw_bench_result r;

	(void)state;
	bench_fixture_rows(&r, 1);
	pw_result_summarize(&r);
	assert_int_equal(r.rows[0].sum[PW_M_GOODPUT].n, 0);
	assert_true(isnan(r.rows[0].sum[PW_M_GOODPUT].median));
	pw_result_finish(&r);
	assert_int_equal(r.n_rows, 0);
	pw_result_finish(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_warm_up_and_void_samples_are_left_out),
		cmocka_unit_test(copies_come_from_evidence_runs_and_nothing_else_does),
		cmocka_unit_test(ratios_are_of_the_same_round),
		cmocka_unit_test(a_round_that_is_void_on_either_side_makes_no_ratio),
		cmocka_unit_test(the_baseline_is_that_of_the_same_wire_size_mtu_and_cache),
		cmocka_unit_test(rows_without_samples_have_no_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
