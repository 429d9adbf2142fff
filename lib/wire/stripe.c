/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/stripe.h"

#include <string.h>

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
