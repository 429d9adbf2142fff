/* SPDX-License-Identifier: BSD-3-Clause */
/* The token bucket by a clock of the test's own. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/quickclock.h"
#include "send/pace.h"

#define START 123456789012345678ull /* a host that is up for four years */
#define FRAME 1500

static struct pw_pace make(double bits_per_s, uint64_t burst_limit)
{
	const struct pw_rate rate = {.unit = PW_RATE_BPS, .value = bits_per_s};
	struct pw_pace p;

	pw_pace_init(&p, &rate, burst_limit);
	pw_pace_start(&p, START);
	return p;
}

/* Sends for ns of the clock, as a sender that is never held up but that sleeps `over` too long each
 * time; the bits that went. */
static double send_for(struct pw_pace *p, uint64_t *now, uint64_t ns, uint64_t over)
{
	const uint64_t until = *now + ns, before = p->bits;

	while (*now < until) {
		uint16_t n = pw_pace_burst(p, FRAME, 64);
		uint64_t wait = pw_pace_wait(p, *now);

		if (wait)
			*now += wait + over;
		pw_pace_go(p, *now);
		pw_pace_sent(p, (uint64_t)n * FRAME, n);
		*now += 10;
	}
	return (double)(p->bits - before);
}

/* From 1 Mbit/s to 400 Gbit/s, one packet and the bucket being what a second cannot resolve. */
static void the_rate_is_held_to_a_thousandth(void **state)
{
	static const double rates[] = {1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 4e11};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct pw_pace p = make(rates[i], 0);
		uint64_t now = START;
		double bits = send_for(&p, &now, PW_NS_PER_S / 4, 50000);
		double want = rates[i] * (double)(now - START) / 1e9;

		assert_true(bits <= want + 64 * FRAME * 8.0);
		assert_true(bits >= want * 0.999 - 64 * FRAME * 8.0);
		assert_true(p.late_ns == 0);
	}
}

/* Hours at a high rate: what is due does not drift from what was sent. */
static void nothing_drifts_in_hours(void **state)
{
	struct pw_pace p = make(4e11, 0);
	const uint64_t step = 1000000000; /* bytes in one accounting */
	uint64_t i;

	(void)state;
	for (i = 0; i < 3600 * 50ull; i++)
		pw_pace_sent(&p, step, 64);
	assert_true(fabs(p.due_ns / 1e9 - 3600) < 1e-3);
	assert_true(pw_pace_wait(&p, START + 3599 * PW_NS_PER_S) > PW_NS_PER_S * 999 / 1000);
	assert_int_equal(pw_pace_wait(&p, START + 3601 * PW_NS_PER_S), 0);
}

/* The sender has no CPU for a quarter of a second: it catches up 2 ms; the rest is reported as late. */
static void a_long_stall_is_caught_up_by_the_bucket_alone(void **state)
{
	struct pw_pace p = make(1e9, 0);
	uint64_t now = START, stall = PW_NS_PER_S / 4;
	double bits;

	(void)state;
	send_for(&p, &now, PW_NS_PER_S / 10, 0);
	now += stall;
	bits = send_for(&p, &now, 10000000, 0);
	assert_true(bits <= 1e9 * (0.010 + 0.002) + 2 * 64 * FRAME * 8.0);
	assert_true(bits >= 1e9 * (0.010 + 0.0018));
	assert_true(fabs(p.late_ns - (double)(stall - PW_PACE_CREDIT_NS)) < 200000);
}

static void a_burst_limit_bounds_what_goes_back_to_back(void **state)
{
	static const uint64_t limits[] = {1, 2, 7, 64, 500};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct pw_pace p = make(1e10, limits[i]);
		uint64_t now = START + PW_NS_PER_S, sent = 0; /* a second late */

		for (;;) {
			uint16_t n = pw_pace_burst(&p, FRAME, 64);

			assert_in_range(n, 1, limits[i]);
			if (pw_pace_wait(&p, now))
				break;
			pw_pace_go(&p, now);
			pw_pace_sent(&p, (uint64_t)n * FRAME, n);
			sent += n;
		}
		/* whole bursts: never more, and less by no burst */
		assert_true(sent <= limits[i] && sent + 64 > limits[i]);
		if (limits[i] <= 64)
			assert_int_equal(sent, limits[i]);
	}
}

static void packets_a_second_count_packets(void **state)
{
	const struct pw_rate rate = {.unit = PW_RATE_PPS, .value = 1000};
	struct pw_pace p;

	(void)state;
	pw_pace_init(&p, &rate, 0);
	pw_pace_start(&p, START);
	assert_int_equal(pw_pace_burst(&p, 9000, 64), 1);
	pw_pace_go(&p, START);
	pw_pace_sent(&p, 9000, 1);
	assert_in_range(pw_pace_wait(&p, START), 1000000, 1000001);
	assert_int_equal(p.packets, 1);
}

/* What ports take: never more than asked for. */
static void a_port_gets_whole_megabits_of_each_queue(void **state)
{
	static const struct {
		struct pw_rate rate;
		uint32_t n_queues, mbps;
	} cases[] = {
		{{PW_RATE_BPS, 1e9}, 1, 1000},
		{{PW_RATE_BPS, 1e8}, 3, 33},
		{{PW_RATE_BPS, 3 * 0.1e9}, 3, 100},
		{{PW_RATE_BPS, 1.999e6}, 1, 1},
		{{PW_RATE_BPS, 1.999e6}, 2, 0},
		{{PW_RATE_BPS, 999999}, 1, 0},
		{{PW_RATE_BPS, 1e18}, 1, UINT32_MAX},
		{{PW_RATE_PPS, 1e9}, 1, 0},
		{{PW_RATE_NONE, 0}, 1, 0},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(
			pw_pace_queue_mbps(&cases[i].rate, cases[i].n_queues), cases[i].mbps);
}

static void gaps_are_counted_by_powers_of_two(void **state)
{
	static const uint64_t gaps[] = {0, 1, 2, 3, 4, 1023, 1024, 1ull << 62};
	static const unsigned int bucket[] = {0, 0, 1, 1, 2, 9, 10, PW_PACE_GAPS - 1};
	struct pw_pace p = make(1e12, 0);
	uint64_t now = START, sum = 0;
	size_t i;

	(void)state;
	pw_pace_go(&p, now);
	for (i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
		uint64_t before = p.gaps[bucket[i]];

		now += gaps[i];
		pw_pace_go(&p, now);
		assert_int_equal(p.gaps[bucket[i]], before + 1);
	}
	for (i = 0; i < PW_PACE_GAPS; i++)
		sum += p.gaps[i];
	assert_int_equal(sum, sizeof(gaps) / sizeof(gaps[0]));
}

/* Against the clock itself, on a machine that may take the CPU away: the two readings around bound it,
 * and what a counter may be off in the millisecond since the last look. */
static void the_quick_clock_is_the_clock(void **state)
{
	const uint64_t until = pw_clock_ns() + PW_NS_PER_S / 5;
	struct pw_quickclock q = {0};
	uint64_t before, quick, after, n = 0;

	(void)state;
	do {
		before = pw_clock_ns();
		quick = pw_quick_ns(&q);
		after = pw_clock_ns();
		assert_true(quick + 100000 >= before && quick <= after + 100000);
		n++;
	} while (after < until);
	assert_true(n > 100);
	assert_true(q.ns_per_cycle > 0);
}

static void the_rate_changes_while_it_is_held(void **state)
{
	const struct pw_rate rate = {PW_RATE_BPS, 1e9};
	struct pw_pace p;

	(void)state;
	pw_pace_init(&p, &rate, 0);
	pw_pace_start(&p, 0);
	pw_pace_sent(&p, 125000, 100); /* a millisecond */
	pw_pace_set_bps(&p, 1e8);
	assert_int_equal(pw_pace_wait(&p, 0), 1000001);
	pw_pace_sent(&p, 125000, 100); /* now ten */
	assert_int_equal(pw_pace_wait(&p, 0), 11000001);
	assert_int_equal(pw_pace_burst(&p, 1250, 64), 1);
	pw_pace_set_bps(&p, 1e9);
	assert_int_equal(pw_pace_burst(&p, 1250, 64), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rate_changes_while_it_is_held),
		cmocka_unit_test(the_rate_is_held_to_a_thousandth),
		cmocka_unit_test(nothing_drifts_in_hours),
		cmocka_unit_test(a_long_stall_is_caught_up_by_the_bucket_alone),
		cmocka_unit_test(a_burst_limit_bounds_what_goes_back_to_back),
		cmocka_unit_test(packets_a_second_count_packets),
		cmocka_unit_test(a_port_gets_whole_megabits_of_each_queue),
		cmocka_unit_test(gaps_are_counted_by_powers_of_two),
		cmocka_unit_test(the_quick_clock_is_the_clock),
	};

	return cmocka_run_group_tests_name("xfer_pace", tests, NULL, NULL);
}
