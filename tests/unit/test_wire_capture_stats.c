/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wire/capture_stats.h"

static struct pw_capture_stats *begin(struct pw_capture_stats *s)
{
	assert_int_equal(pw_capture_stats_init(s, NULL), 0);
	return s;
}

static void at(struct pw_capture_stats *s, int64_t time_ns, uint32_t len)
{
	pw_capture_stats_add(
		s, &(struct pw_capture_seen){
			   .len = len, .full_len = len, .has_time = true, .time_ns = time_ns});
}

static void sizes_are_classed_with_the_check_sequence(void **state)
{
	static const struct {
		uint32_t len;
		enum pw_size_class c;
		const char *name;
	} cases[] = {{0, PW_SIZE_BELOW_64, "below 64"}, {59, PW_SIZE_BELOW_64, "below 64"},
		{60, PW_SIZE_64, "64"}, {61, PW_SIZE_65_127, "65-127"},
		{123, PW_SIZE_65_127, "65-127"}, {124, PW_SIZE_128_255, "128-255"},
		{251, PW_SIZE_128_255, "128-255"}, {252, PW_SIZE_256_511, "256-511"},
		{507, PW_SIZE_256_511, "256-511"}, {508, PW_SIZE_512_1023, "512-1023"},
		{1019, PW_SIZE_512_1023, "512-1023"}, {1020, PW_SIZE_1024_1518, "1024-1518"},
		{1514, PW_SIZE_1024_1518, "1024-1518"}, {1515, PW_SIZE_ABOVE_1518, "above 1518"},
		{UINT32_MAX, PW_SIZE_ABOVE_1518, "above 1518"}};
	struct pw_capture_stats s;
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(cases); i++) {
		begin(&s);
		pw_capture_stats_add(&s,
			&(struct pw_capture_seen){.len = cases[i].len, .full_len = cases[i].len});
		assert_int_equal(s.n_by_size[cases[i].c], 1);
		assert_string_equal(pw_size_class_name(cases[i].c), cases[i].name);
		assert_int_equal(s.n_timed, 0);
		assert_int_equal(pw_capture_stats_duration_ns(&s), 0);
		pw_capture_stats_finish(&s);
	}
}

static void frames_bytes_and_cuts_are_counted(void **state)
{
	struct pw_capture_stats s;

	(void)state;
	begin(&s);
	assert_int_equal(s.len_min | s.len_max, 0);
	pw_capture_stats_add(&s, &(struct pw_capture_seen){.len = 96, .full_len = 1500});
	pw_capture_stats_add(&s, &(struct pw_capture_seen){.len = 70, .full_len = 70});
	pw_capture_stats_add(&s, &(struct pw_capture_seen){.len = 96, .full_len = 97});
	assert_int_equal(s.n_frames, 3);
	assert_int_equal(s.n_bytes, 262);
	assert_int_equal(s.n_wire_bytes, 1667);
	assert_int_equal(s.n_cut, 2);
	assert_int_equal(s.len_min, 70);
	assert_int_equal(s.len_max, 1500);
	pw_capture_stats_finish(&s);
	pw_capture_stats_finish(&s);
}

static void the_peak_is_that_of_the_fullest_millisecond(void **state)
{
	const int64_t start = 1700000000123456789;
	struct pw_capture_stats s;
	int i;

	(void)state;
	begin(&s);
	at(&s, start, 100);
	at(&s, start + 999999, 100); /* the same window */
	at(&s, start + 1000000, 100);
	for (i = 0; i < 5; i++)
		at(&s, start + 7000000 + i, 60); /* most frames */
	at(&s, start + 3600000000000, 1000); /* most bytes, in the window that is open at the end */
	pw_capture_stats_end(&s);
	assert_int_equal(s.peak_bytes, 1000);
	assert_int_equal(s.peak_frames, 5);
	assert_true(pw_capture_stats_peak_bps(&s) == 8e6);
	assert_true(pw_capture_stats_peak_pps(&s) == 5000);
	assert_int_equal(pw_capture_stats_duration_ns(&s), 3600000000000);
	pw_capture_stats_finish(&s);
}

static void times_that_run_backwards_are_counted(void **state)
{
	struct pw_capture_stats s;

	(void)state;
	begin(&s);
	at(&s, 5000000, 60);
	at(&s, 3000000, 60); /* before the first */
	at(&s, 9000000, 60);
	at(&s, 8999999, 60);
	at(&s, 9000000, 60); /* equal: not backwards */
	pw_capture_stats_end(&s);
	assert_int_equal(s.n_backwards, 2);
	assert_int_equal(s.backwards_max_ns, 2000000);
	assert_int_equal(s.earliest_ns, 3000000);
	assert_int_equal(s.latest_ns, 9000000);
	assert_int_equal(pw_capture_stats_duration_ns(&s), 6000000);
	assert_int_equal(s.peak_frames, 3); /* 9.0 ms, the frame behind it, and 9.0 ms again */
	pw_capture_stats_finish(&s);
}

static void times_at_the_ends_of_their_range_do_not_overflow(void **state)
{
	struct pw_capture_stats s;

	(void)state;
	begin(&s);
	at(&s, INT64_MIN, 60);
	at(&s, INT64_MAX, 60);
	at(&s, INT64_MIN, 60);
	pw_capture_stats_end(&s);
	assert_int_equal(pw_capture_stats_duration_ns(&s), UINT64_MAX);
	assert_int_equal(s.backwards_max_ns, UINT64_MAX);
	assert_int_equal(s.n_backwards, 1);
	pw_capture_stats_finish(&s);
}

static void flows_are_counted_up_to_the_bound_and_then_at_least(void **state)
{
	struct pw_capture_seen frame = {.len = 60, .full_len = 60, .has_flow = true};
	struct pw_capture_stats s;
	uint64_t i;

	(void)state;
	begin(&s);
	for (i = 0; i < 3000; i++) {
		frame.flow_hash = i % 1000 * 0x9e3779b97f4a7c15; /* 0 is one of them */
		pw_capture_stats_add(&s, &frame);
	}
	assert_int_equal(s.n_flows, 1000);
	assert_false(s.flows_more);
	for (i = 0; i < PW_CAPTURE_STATS_FLOWS + 1000; i++) {
		frame.flow_hash = i * 0x9e3779b97f4a7c15;
		pw_capture_stats_add(&s, &frame);
	}
	assert_in_range(s.n_flows, PW_CAPTURE_STATS_FLOWS * 99 / 100, PW_CAPTURE_STATS_FLOWS);
	assert_true(s.flows_more);
	pw_capture_stats_finish(&s);
}

/* Hashes that all want the same slot. */
static void hashes_that_collide_cost_a_bounded_time(void **state)
{
	struct pw_capture_seen frame = {.len = 60, .full_len = 60, .has_flow = true};
	struct pw_capture_stats s;
	uint64_t i;

	(void)state;
	begin(&s);
	for (i = 0; i < 100000; i++) {
		frame.flow_hash = 7 + (i << 32);
		pw_capture_stats_add(&s, &frame);
	}
	assert_int_equal(s.n_flows, 64);
	assert_true(s.flows_more);
	pw_capture_stats_finish(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_classed_with_the_check_sequence),
		cmocka_unit_test(frames_bytes_and_cuts_are_counted),
		cmocka_unit_test(the_peak_is_that_of_the_fullest_millisecond),
		cmocka_unit_test(times_that_run_backwards_are_counted),
		cmocka_unit_test(times_at_the_ends_of_their_range_do_not_overflow),
		cmocka_unit_test(flows_are_counted_up_to_the_bound_and_then_at_least),
		cmocka_unit_test(hashes_that_collide_cost_a_bounded_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
