/* SPDX-License-Identifier: BSD-3-Clause */
/* Medians, bootstrap intervals, ratios, and the seeded random numbers for them. */
#include "bench/stats.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static uint64_t splitmix(uint64_t *x)
{
	uint64_t z = *x += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

void pw_random_init(struct pw_random *r, uint64_t seed)
{
	size_t i;

	for (i = 0; i < 4; i++)
		r->s[i] = splitmix(&seed);
}

static uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

static uint64_t random_next(struct pw_random *r)
{
	uint64_t *s = r->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

/* Lemire's multiplication; the few low products that would favour some values are drawn again. */
uint64_t pw_random_below(struct pw_random *r, uint64_t n)
{
	__uint128_t product;

	assert(n > 0);
	do {
		product = (__uint128_t)random_next(r) * n;
	} while ((uint64_t)product < -n % n);
	return (uint64_t)(product >> 64);
}

void pw_random_shuffle(struct pw_random *r, size_t *v, size_t n)
{
	size_t i, j, t;

	for (i = n; i > 1; i--) {
		j = pw_random_below(r, i);
		t = v[i - 1];
		v[i - 1] = v[j];
		v[j] = t;
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median_of_sorted(const double *v, size_t n)
{
	return n % 2 ? v[n / 2] : v[n / 2 - 1] + (v[n / 2] - v[n / 2 - 1]) / 2;
}

/* The median of n draws from sorted v, by how often each was drawn: no sorting. */
static double resampled_median(struct pw_random *r, const double *v, uint32_t *drawn, size_t n)
{
	size_t i, seen = 0, lower = (n - 1) / 2, upper = n / 2;
	double low = 0;

	for (i = 0; i < n; i++)
		drawn[i] = 0;
	for (i = 0; i < n; i++)
		drawn[pw_random_below(r, n)]++;
	for (i = 0; seen <= lower; i++)
		seen += drawn[i];
	low = v[i - 1];
	for (; seen <= upper; i++)
		seen += drawn[i];
	return low + (v[i - 1] - low) / 2;
}

static void bootstrap(struct pw_summary *s, const double *sorted, size_t n, uint64_t seed)
{
	const size_t cut = PW_BOOTSTRAP_RESAMPLES / 40; /* 2.5 % at each end */
	double *medians = malloc(PW_BOOTSTRAP_RESAMPLES * sizeof(*medians));
	uint32_t *drawn = malloc(n * sizeof(*drawn));
	struct pw_random r;
	size_t i;

	s->low = s->min; /* without memory: as wide as the samples */
	s->high = s->max;
	if (medians && drawn) {
		pw_random_init(&r, seed);
		for (i = 0; i < PW_BOOTSTRAP_RESAMPLES; i++)
			medians[i] = resampled_median(&r, sorted, drawn, n);
		qsort(medians, PW_BOOTSTRAP_RESAMPLES, sizeof(*medians), by_value);
		s->low = medians[cut - 1];
		s->high = medians[PW_BOOTSTRAP_RESAMPLES - cut];
	}
	free(drawn);
	free(medians);
}

/* Sorts v, which has no NaN. */
static void summarize_numbers(struct pw_summary *s, double *v, size_t n, uint64_t seed)
{
	qsort(v, n, sizeof(*v), by_value);
	s->n = n;
	s->min = v[0];
	s->max = v[n - 1];
	s->median = s->low = s->high = median_of_sorted(v, n);
	if (s->max > s->min)
		bootstrap(s, v, n, seed);
}

static void no_numbers(struct pw_summary *s)
{
	*s = (struct pw_summary){NAN, NAN, NAN, NAN, NAN, 0};
}

void pw_summarize(struct pw_summary *s, const double *v, size_t n, uint64_t seed)
{
	double *numbers = n ? malloc(n * sizeof(*numbers)) : NULL;
	size_t i, k = 0;

	no_numbers(s);
	for (i = 0; numbers && i < n; i++)
		if (!isnan(v[i]))
			numbers[k++] = v[i];
	if (k)
		summarize_numbers(s, numbers, k, seed);
	free(numbers);
}

void pw_summarize_ratio(
	struct pw_summary *s, const double *a, const double *b, size_t n, uint64_t seed)
{
	double *ratios = n ? malloc(n * sizeof(*ratios)) : NULL;
	size_t i, k = 0;

	no_numbers(s);
	for (i = 0; ratios && i < n; i++)
		if (!isnan(a[i]) && !isnan(b[i]) && b[i] != 0)
			ratios[k++] = a[i] / b[i];
	if (k)
		summarize_numbers(s, ratios, k, seed);
	free(ratios);
}
