/* SPDX-License-Identifier: BSD-3-Clause */
#include "send/tsi.h"

#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* The finalizer of splitmix64: each bit of the result depends on all bits. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

uint16_t pw_tsi_draw(void)
{
	struct timespec now;
	uint64_t random = 0, seed;

	/* Time and process are mixed in: copies of a virtual machine may draw the same number, and
	 * early in a boot there may be none. */
	clock_gettime(CLOCK_REALTIME, &now);
	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
	seed = mix(random + (uint64_t)getpid());
	seed = mix(seed ^ ((uint64_t)now.tv_sec * PW_NS_PER_S + (uint64_t)now.tv_nsec));
	return (uint16_t)(1 + seed % UINT16_MAX);
}
