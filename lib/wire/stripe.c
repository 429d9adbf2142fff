/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/stripe.h"

#include <string.h>

#include "base/bytes.h"

static bool read_digits(const char *text, size_t len, uint32_t *value)
{
	size_t i;

	*value = 0;
	for (i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*value = *value * 10 + (uint32_t)(text[i] - '0');
		if (*value > PW_STRIPES_MAX)
			return false;
	}
	return len > 0;
}

bool pw_stripe_parse(const char *text, size_t len, struct pw_stripe *s)
{
	const char *slash = memchr(text, '/', len);
	struct pw_stripe got;
	size_t n;

	if (!slash)
		return false;
	n = (size_t)(slash - text);
	if (!read_digits(text, n, &got.index) || !read_digits(slash + 1, len - n - 1, &got.count) ||
		got.index >= got.count)
		return false;
	*s = got;
	return true;
}

uint64_t pw_stripe_run(uint64_t n_symbols)
{
	uint64_t run = PW_STRIPE_RUN;

	while (n_symbols > run * PW_STRIPE_RUNS)
		run *= 2;
	return run;
}

bool pw_stripe_clip(
	const struct pw_stripe *s, uint64_t turn, uint64_t n_symbols, uint64_t *from, uint64_t *to)
{
	const uint64_t run = pw_stripe_run(n_symbols), n = s->count;
	uint64_t number, skip;

	if (!pw_stripe_is_shared(s))
		return *from < *to;
	number = *from / run;
	/* run `number` belongs to stripe (number + turn) % n */
	skip = (s->index + n - (number + turn) % n) % n;
	number += skip;
	if (skip)
		*from = number * run;
	*to = pw_min_u64(*to, (number + 1) * run);
	return *from < *to;
}
