/* SPDX-License-Identifier: BSD-3-Clause */
/* Medians and their 95 % bootstrap intervals. Pure; the same seed gives the same interval. */
#ifndef PW_BENCH_STATS_H
#define PW_BENCH_STATS_H

#include <stddef.h>
#include <stdint.h>

struct pw_summary {
	double median; /* NaN when n is 0 */
	double low;    /* percentile bootstrap of the median, 2.5 % and 97.5 %; = median for n 1 */
	double high;
	double min, max;
	size_t n; /* samples that were numbers */
};

#define PW_BOOTSTRAP_RESAMPLES 10000

/* NaN values are left out. v is not changed. */
void pw_summarize(struct pw_summary *s, const double *v, size_t n, uint64_t seed);
/* Of a[i] / b[i], round by round; a pair with a NaN or b = 0 is left out. */
void pw_summarize_ratio(
	struct pw_summary *s, const double *a, const double *b, size_t n, uint64_t seed);

/* Small, seeded, for orders and resampling: not for secrets. xoshiro256** (Blackman, Vigna). */
struct pw_random {
	uint64_t s[4];
};
void pw_random_init(struct pw_random *r, uint64_t seed);
uint64_t pw_random_below(struct pw_random *r, uint64_t n);
void pw_random_shuffle(struct pw_random *r, size_t *v, size_t n); /* Fisher-Yates */

#endif
