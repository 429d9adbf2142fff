/* SPDX-License-Identifier: BSD-3-Clause */
/* The controller of --rate auto against a simulated link: one sender, a queue, receivers behind it. */
#include "send/ratectl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS_NS     1000000ull
#define BITS      11840.0 /* of a frame with 1440 bytes of file */
#define QUEUE_MAX (1u << 20)
#define RECEIVERS 4u

/* A receiver: takes up to cap_bps behind the link's queue, by a buffer of its own. */
struct rx {
	double cap_bps; /* 0: all */
	double noise;   /* of packets, lost at random */
	double liar;    /* reports this loss instead of its own */
	uint64_t joins_ms, leaves_ms;
	double room, buffer; /* packets */
	bool disk;
	uint64_t next_ms;
	struct pw_rate_report r;
};

struct sim {
	struct pw_ratectl *c;
	double link_bps;
	uint32_t queue_packets, head, n; /* sequence numbers that wait */
	uint64_t *q;
	uint64_t ms, seq;
	double credit, taken, bps;
	struct pw_rate_sent sent;
	struct rx rx[RECEIVERS];
	size_t n_rx;
	unsigned int seed;
	uint64_t n_expected, n_seen; /* of receiver 0 */
};

static double chance(struct sim *s)
{
	s->seed = s->seed * 1664525u + 1013904223u;
	return (s->seed >> 8) / 16777216.0;
}

static void start(struct sim *s, double link_bps, size_t n_rx, uint64_t ignored)
{
	size_t i;

	*s = (struct sim){.link_bps = link_bps, .queue_packets = 500, .n_rx = n_rx, .seed = 7};
	s->q = calloc(QUEUE_MAX, sizeof(*s->q));
	s->c = pw_ratectl_create(1, ignored);
	assert_non_null(s->q);
	assert_non_null(s->c);
	s->sent.is_pass = true;
	for (i = 0; i < n_rx; i++)
		s->rx[i] = (struct rx){.room = 1000, .leaves_ms = UINT64_MAX, .next_ms = 13 * i};
	s->bps = pw_ratectl_tick(s->c, &s->sent, 1);
}

static void stop(struct sim *s)
{
	pw_ratectl_destroy(s->c);
	free(s->q);
}

static void deliver_to(struct sim *s, struct rx *rx, uint64_t seq)
{
	rx->r.expected = seq + 1;
	if (chance(s) < rx->noise)
		return;
	if (rx->cap_bps > 0 && rx->buffer + 1 > rx->room) {
		if (!rx->disk)
			rx->r.dropped_socket++;
		return;
	}
	rx->buffer += rx->cap_bps > 0;
	rx->r.seen++;
}

static void step_receiver(struct sim *s, struct rx *rx, size_t i)
{
	const double was = rx->buffer;

	rx->buffer -= rx->cap_bps / 1000 / BITS;
	rx->buffer = rx->buffer < 0 ? 0 : rx->buffer;
	if (rx->disk && was > rx->room * 0.9)
		rx->r.disk_waited_ns += MS_NS;
	if (s->ms < rx->next_ms || s->ms < rx->joins_ms || s->ms > rx->leaves_ms)
		return;
	rx->next_ms = s->ms + 88 + (uint64_t)(25 * chance(s));
	rx->r.time_ns = (s->ms + 123456) * MS_NS;
	if (rx->liar > 0) {
		struct pw_rate_report lie = rx->r;

		lie.seen = (uint64_t)((double)lie.expected * (1 - rx->liar));
		pw_ratectl_report(s->c, i, &lie, s->ms * MS_NS);
	} else {
		pw_ratectl_report(s->c, i, &rx->r, s->ms * MS_NS);
	}
}

/* A millisecond: the sender sends at the rate, the link takes what it can, the rest waits or is lost. */
static void step(struct sim *s)
{
	size_t i;

	s->ms++;
	for (s->credit += s->bps / 1000 / BITS; s->credit >= 1; s->credit--) {
		if (s->n < s->queue_packets)
			s->q[(s->head + s->n++) % QUEUE_MAX] = s->seq;
		s->seq++;
		s->sent.packets++;
		s->sent.bits += (uint64_t)BITS;
	}
	for (s->taken += s->link_bps / 1000 / BITS; s->taken >= 1 && s->n; s->taken--) {
		for (i = 0; i < s->n_rx; i++)
			if (s->ms >= s->rx[i].joins_ms)
				deliver_to(s, &s->rx[i], s->q[s->head]);
		s->head = (s->head + 1) % QUEUE_MAX;
		s->n--;
	}
	if (s->n == 0 && s->taken > 1)
		s->taken = 1;
	for (i = 0; i < s->n_rx; i++)
		step_receiver(s, &s->rx[i], i);
	if (s->ms % 10 == 0)
		s->bps = pw_ratectl_tick(s->c, &s->sent, s->ms * MS_NS);
}

/* Runs for so long; returns the mean rate. */
static double run(struct sim *s, uint64_t ms)
{
	const uint64_t packets = s->sent.packets;
	uint64_t i;

	for (i = 0; i < ms; i++)
		step(s);
	return (double)(s->sent.packets - packets) * BITS * 1000 / (double)ms;
}

static struct pw_ratectl_state state_of(const struct sim *s)
{
	struct pw_ratectl_state st;

	pw_ratectl_state(s->c, &st);
	return st;
}

static void mark(struct sim *s)
{
	s->n_expected = s->rx[0].r.expected;
	s->n_seen = s->rx[0].r.seen;
}

/* Of receiver 0, since the mark. */
static double loss(const struct sim *s)
{
	const double n = (double)(s->rx[0].r.expected - s->n_expected);

	return 1 - (double)(s->rx[0].r.seen - s->n_seen) / n;
}

#define assert_between(what, from, to)                                                   \
	do {                                                                             \
		const double value = what;                                               \
		if (value < (from) || value > (to))                                      \
			fail_msg("%s is %g, not %g to %g", #what, value, (double)(from), \
				(double)(to));                                           \
	} while (0)

static void it_holds_a_little_less_than_the_link(void **state)
{
	static const double links[] = {10e6, 50e6, 200e6, 1e9, 9e9};
	struct sim s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(links) / sizeof(*links); i++) {
		start(&s, links[i], 1, 0);
		s.queue_packets = 100 + (uint32_t)(links[i] / BITS / 50); /* 20 ms */
		run(&s, 6000);
		mark(&s);
		assert_between(
			run(&s, links[i] > 2e9 ? 4000 : 30000), 0.88 * links[i], 1.02 * links[i]);
		assert_between(loss(&s), 0, 5e-3);
		assert_int_equal(state_of(&s).bound, PW_RATE_BOUND_LINK);
		stop(&s);
	}
}

/* Once the rate is found, the steps above it become rare. */
static void in_the_long_run_it_loses_less_than_it_may(void **state)
{
	struct sim s;

	(void)state;
	start(&s, 200e6, 1, 0);
	run(&s, 120000);
	mark(&s);
	assert_between(run(&s, 300000), 0.92 * 200e6, 200e6);
	assert_between(loss(&s), 0, PW_RATECTL_LOSS);
	stop(&s);
}

static void it_follows_a_capacity_that_changes(void **state)
{
	struct sim s;

	(void)state;
	start(&s, 400e6, 1, 0);
	run(&s, 6000);
	s.link_bps = 80e6;
	run(&s, 3000);
	assert_between(run(&s, 4000), 0.8 * 80e6, 1.03 * 80e6);
	s.link_bps = 800e6;
	run(&s, 40000);
	assert_between(run(&s, 5000), 0.85 * 800e6, 1.03 * 800e6);
	stop(&s);
}

static void noise_below_the_target_does_not_lower_the_rate(void **state)
{
	struct sim s;

	(void)state;
	start(&s, 200e6, 1, 0);
	s.rx[0].noise = 5e-5;
	run(&s, 6000);
	assert_between(run(&s, 60000), 0.88 * 200e6, 200e6);
	stop(&s);
}

/* No rate is low enough for 1 % at random: the rest of the loss still bounds it. */
static void loss_that_no_rate_ends_is_not_answered_with_ever_lower_rates(void **state)
{
	struct sim s;

	(void)state;
	start(&s, 200e6, 1, 0);
	s.rx[0].noise = 0.01;
	run(&s, 20000);
	assert_between(run(&s, 20000), 0.7 * 200e6, 1.1 * 200e6);
	stop(&s);
}

static void a_receiver_that_joins_late_is_heeded(void **state)
{
	struct sim s;

	(void)state;
	start(&s, 400e6, 2, 0);
	s.rx[1].joins_ms = 5000;
	s.rx[1].cap_bps = 100e6;
	run(&s, 4900);
	assert_between(s.bps, 0.8 * 400e6, 1.05 * 400e6);
	run(&s, 4000);
	assert_between(run(&s, 4000), 0.8 * 100e6, 1.02 * 100e6);
	assert_int_equal(state_of(&s).bound, PW_RATE_BOUND_SOCKET);
	assert_int_equal(state_of(&s).receiver, 1);
	stop(&s);
}

/* It counts all that it missed with its first symbol. */
static void what_a_late_receiver_missed_is_not_loss(void **state)
{
	struct sim s;

	(void)state;
	start(&s, 400e6, 2, 0);
	s.rx[1].joins_ms = 5000;
	run(&s, 4900);
	assert_between(run(&s, 4000), 0.85 * 400e6, 1.02 * 400e6);
	stop(&s);
}

static void a_slow_disk_is_named(void **state)
{
	struct sim s;

	(void)state;
	start(&s, 400e6, 1, 0);
	s.rx[0].cap_bps = 150e6;
	s.rx[0].disk = true;
	s.rx[0].room = 10000;
	run(&s, 8000);
	assert_between(run(&s, 6000), 0.8 * 150e6, 1.03 * 150e6);
	assert_int_equal(state_of(&s).bound, PW_RATE_BOUND_DISK);
	stop(&s);
}

/* The receiver has waited for its disk, and then hears of what its socket dropped meanwhile. */
static void a_slow_disk_is_named_by_drops_that_are_reported_after_the_wait(void **state)
{
	struct pw_rate_report r = {.time_ns = 1};
	struct sim s;
	size_t i;

	(void)state;
	start(&s, 400e6, 0, 0);
	for (i = 0; i < 12; i++) {
		const bool waits = i == 10, overflows = i == 11;

		r.time_ns += 100 * MS_NS;
		r.expected += 300;
		r.seen += overflows ? 100 : 300;
		r.dropped_socket += overflows ? 200 : 0;
		r.disk_waited_ns += waits ? 40 * MS_NS : 0;
		s.sent.packets += 300;
		s.sent.bits += (uint64_t)(300 * BITS);
		s.ms += 100;
		pw_ratectl_report(s.c, 0, &r, s.ms * MS_NS);
		pw_ratectl_tick(s.c, &s.sent, s.ms * MS_NS);
	}
	assert_int_equal(state_of(&s).n_backs, 1);
	assert_int_equal(state_of(&s).bound, PW_RATE_BOUND_DISK);
	stop(&s);
}

static void the_slowest_does_not_count_when_it_is_ignored(void **state)
{
	struct sim s;

	(void)state;
	start(&s, 400e6, 3, 1);
	s.rx[1].cap_bps = 50e6;
	s.rx[2].cap_bps = 200e6;
	run(&s, 8000);
	assert_between(run(&s, 6000), 0.85 * 200e6, 1.03 * 200e6);
	assert_int_equal(state_of(&s).receiver, 2);
	/* it is repaired at a rate that it takes */
	s.sent.is_pass = false;
	run(&s, 1000);
	assert_between(run(&s, 1000), 0.8 * 50e6, 50e6);
	stop(&s);
	/* one at least counts */
	start(&s, 400e6, 1, 5);
	run(&s, 6000);
	assert_between(run(&s, 4000), 0.85 * 400e6, 1.02 * 400e6);
	stop(&s);
}

/* It claims the same loss at every rate, as one would to stop the sender. */
static void a_receiver_that_lies_is_bounded(void **state)
{
	struct sim s;

	(void)state;
	start(&s, 200e6, 2, 0);
	s.rx[1].liar = 0.5;
	run(&s, 20000);
	assert_between(run(&s, 20000), 0.6 * 200e6, 1.02 * 200e6);
	assert_between(state_of(&s).lowest_bps, PW_RATECTL_LEAST_BPS, 1e15);
	stop(&s);
}

static void reports_that_contradict_each_other_change_nothing(void **state)
{
	struct pw_rate_report bad = {0};
	struct sim s;
	int i;

	(void)state;
	start(&s, 200e6, 1, 0);
	run(&s, 6000);
	for (i = 0; i < 100; i++) {
		bad = (struct pw_rate_report){.time_ns = (uint64_t)INT64_MAX * (i % 2),
			.expected = (uint64_t)INT64_MAX / (1 + (unsigned int)i % 3),
			.seen = (uint64_t)i % 5,
			.disk_waited_ns = (uint64_t)INT64_MAX - (unsigned int)i};
		pw_ratectl_report(s.c, 1, &bad, s.ms * MS_NS);
		run(&s, 20);
	}
	assert_between(run(&s, 4000), 0.8 * 200e6, 1.02 * 200e6);
	stop(&s);
}

static void receivers_that_vanish_are_not_waited_for(void **state)
{
	struct sim s;

	(void)state;
	start(&s, 200e6, 3, 0);
	s.rx[2].leaves_ms = 300;
	run(&s, 8000);
	assert_between(run(&s, 4000), 0.85 * 200e6, 1.02 * 200e6);
	stop(&s);
}

/* It is hardly scheduled for a while, and packets are lost: that says little about what the receiver takes. */
static void a_sender_that_is_held_up_steps_back_once(void **state)
{
	struct sim s;
	double bps;
	int i;

	(void)state;
	start(&s, 200e6, 1, 0);
	run(&s, 5000);
	bps = s.bps;
	for (i = 0; i < 400; i++) {
		s.rx[0].noise = i < 220 ? 0 : 0.1;
		s.bps = bps / 20;
		step(&s);
	}
	s.rx[0].noise = 0;
	run(&s, 100);
	assert_between(state_of(&s).lowest_bps, 0.4 * bps, 0.6 * bps);
	stop(&s);
}

/* All reports are missing: their connections may suffer from the same queue. */
static void silence_of_all_lowers_the_rate_by_steps_that_end(void **state)
{
	struct sim s;
	double was;

	(void)state;
	start(&s, 200e6, 2, 0);
	run(&s, 5000);
	was = s.bps;
	s.rx[0].leaves_ms = s.rx[1].leaves_ms = 5000;
	run(&s, 10000);
	assert_between(s.bps, was / 9, was / 7);
	stop(&s);
}

/* The one that died counts as half of them for good. */
static void one_of_two_that_dies_does_not_hold_the_rate_down(void **state)
{
	struct sim s;

	(void)state;
	start(&s, 200e6, 2, 0);
	run(&s, 5000);
	s.rx[1].leaves_ms = 5000;
	run(&s, 11000);
	assert_between(run(&s, 4000), 0.75 * 200e6, 1.02 * 200e6);
	stop(&s);
}

static void without_a_receiver_it_stays_at_the_start(void **state)
{
	struct sim s;

	(void)state;
	start(&s, 200e6, 0, 0);
	run(&s, 10000);
	assert_between(s.bps, PW_RATECTL_START_BPS, PW_RATECTL_START_BPS);
	assert_int_equal(state_of(&s).bound, PW_RATE_BOUND_NONE);
	stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_holds_a_little_less_than_the_link),
		cmocka_unit_test(in_the_long_run_it_loses_less_than_it_may),
		cmocka_unit_test(it_follows_a_capacity_that_changes),
		cmocka_unit_test(noise_below_the_target_does_not_lower_the_rate),
		cmocka_unit_test(loss_that_no_rate_ends_is_not_answered_with_ever_lower_rates),
		cmocka_unit_test(a_receiver_that_joins_late_is_heeded),
		cmocka_unit_test(what_a_late_receiver_missed_is_not_loss),
		cmocka_unit_test(a_slow_disk_is_named),
		cmocka_unit_test(a_slow_disk_is_named_by_drops_that_are_reported_after_the_wait),
		cmocka_unit_test(the_slowest_does_not_count_when_it_is_ignored),
		cmocka_unit_test(a_receiver_that_lies_is_bounded),
		cmocka_unit_test(reports_that_contradict_each_other_change_nothing),
		cmocka_unit_test(receivers_that_vanish_are_not_waited_for),
		cmocka_unit_test(a_sender_that_is_held_up_steps_back_once),
		cmocka_unit_test(silence_of_all_lowers_the_rate_by_steps_that_end),
		cmocka_unit_test(one_of_two_that_dies_does_not_hold_the_rate_down),
		cmocka_unit_test(without_a_receiver_it_stays_at_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
