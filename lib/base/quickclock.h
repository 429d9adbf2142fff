/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CLOCK_MONOTONIC for a loop that asks a million times a second: the cycle counter in between, and the
 * clock itself once a millisecond. The counter's rate is measured against the clock from its start on, so
 * it only has to hold for that millisecond. One thread.
 */
#ifndef PW_BASE_QUICKCLOCK_H
#define PW_BASE_QUICKCLOCK_H

#include "base/clock.h"

#define PW_QUICK_SYNC_NS 1000000ull  /* between two looks at the clock */
#define PW_QUICK_BASE_NS 10000000ull /* so long the clock alone is asked: then the rate is known */
#define PW_QUICK_PAIR_NS 2000ull     /* counter and clock were read together */

struct pw_quickclock {
	uint64_t base_cycles, base_ns; /* 0: not started */
	uint64_t sync_cycles, sync_ns;
	uint64_t sync_after; /* cycles; 0: ask the clock */
	double ns_per_cycle;
};

/* A counter's and a clock's reading that belong together, unless the thread lost its CPU thrice. */
static inline void pw_quick_sync(struct pw_quickclock *q)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		uint64_t before = pw_clock_ns();

		q->sync_cycles = pw_cycles();
		q->sync_ns = pw_clock_ns();
		if (q->sync_ns - before < PW_QUICK_PAIR_NS)
			break;
	}
	if (!q->base_ns) {
		q->base_cycles = q->sync_cycles;
		q->base_ns = q->sync_ns;
	}
	if (q->sync_ns - q->base_ns < PW_QUICK_BASE_NS || q->sync_cycles == q->base_cycles)
		return;
	q->ns_per_cycle =
		(double)(q->sync_ns - q->base_ns) / (double)(q->sync_cycles - q->base_cycles);
	q->sync_after = (uint64_t)((double)PW_QUICK_SYNC_NS / q->ns_per_cycle);
}

static inline uint64_t pw_quick_ns(struct pw_quickclock *q)
{
	uint64_t cycles = pw_cycles();

	/* also when the counter went backwards: another CPU's */
	if (cycles - q->sync_cycles >= q->sync_after) {
		pw_quick_sync(q);
		return q->sync_ns;
	}
	return q->sync_ns + (uint64_t)((double)(cycles - q->sync_cycles) * q->ns_per_cycle);
}

#endif
