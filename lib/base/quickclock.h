/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CLOCK_MONOTONIC for a loop that reads it a million times a second: reads the clock once a millisecond, and the
 * cycle counter in between. The counter's rate is measured against the clock since the start, so it must be
 * stable only for that millisecond. One thread.
 */
#ifndef PW_BASE_QUICKCLOCK_H
#define PW_BASE_QUICKCLOCK_H

#include "base/clock.h"

#define PW_QUICK_SYNC_NS 1000000ull /* between two reads of the clock */
#define PW_QUICK_BASE_NS \
	10000000ull /* before this the rate is unknown, and only the clock is read */
#define PW_QUICK_PAIR_NS \
	2000ull /* longest time between reads of counter and clock that belong together */

struct pw_quickclock {
	uint64_t base_cycles, base_ns; /* 0: not started */
	uint64_t sync_cycles, sync_ns;
	uint64_t sync_after; /* cycles; 0: read the clock */
	double ns_per_cycle;
};

/* Reads counter and clock together. Retries twice if the thread lost its CPU in between. */
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

	/* also if the counter went backwards, on another CPU */
	if (cycles - q->sync_cycles >= q->sync_after) {
		pw_quick_sync(q);
		return q->sync_ns;
	}
	return q->sync_ns + (uint64_t)((double)(cycles - q->sync_cycles) * q->ns_per_cycle);
}

#endif
