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

/* A cycle counter: the TSC on x86, else nanoseconds. Constant rate, one core's readings in order.
 */
static inline uint64_t pw_cycles(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#else
	return pw_clock_ns();
#endif
}

#endif
