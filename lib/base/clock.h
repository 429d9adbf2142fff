/* SPDX-License-Identifier: BSD-3-Clause */
/* Wall time for cold code. The fast path reads the TSC in lib/dpdk instead. */
#ifndef PW_BASE_CLOCK_H
#define PW_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define PW_NS_PER_S 1000000000ull

/* CLOCK_MONOTONIC in nanoseconds */
static inline uint64_t pw_clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * PW_NS_PER_S + (uint64_t)ts.tv_nsec;
}

#endif
