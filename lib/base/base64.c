/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/base64.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void pw_base64_encode(char *text, const void *data, size_t len)
{
	const uint8_t *in = data;
	size_t i;

	for (i = 0; i < len; i += 3, text += 4) {
		uint32_t v = (uint32_t)in[i] << 16;

		v |= i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0;
		v |= i + 2 < len ? in[i + 2] : 0;
		text[0] = digits[v >> 18];
		text[1] = digits[v >> 12 & 63];
		text[2] = i + 1 < len ? digits[v >> 6 & 63] : '=';
		text[3] = i + 2 < len ? digits[v & 63] : '=';
	}
}

static int value_of(char c)
{
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

bool pw_base64_decode(const char *text, size_t len, void *out, size_t n)
{
	const size_t n_digits = (n * 8 + 5) / 6;
	uint8_t *to = out;
	uint32_t v = 0;
	size_t i;
	int digit;

	if (len != pw_base64_len(n))
		return false;
	for (i = 0; i < n_digits; i++) {
		digit = value_of(text[i]);
		if (digit < 0)
			return false;
		v = v << 6 | (uint32_t)digit;
		if (i % 4)
			*to++ = (uint8_t)(v >> (6 - 2 * (i % 4)));
	}
	for (; i < len; i++)
		if (text[i] != '=')
			return false;
	return (v & ((1u << (n_digits * 6 - n * 8)) - 1)) == 0;
}
