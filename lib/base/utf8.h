/* SPDX-License-Identifier: BSD-3-Clause */
/* File names are bytes, JSON and HTML are UTF-8: this tells them apart. */
#ifndef PW_BASE_UTF8_H
#define PW_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length of the UTF-8 sequence at s; 0: it is none (RFC 3629). s ends with a NUL. */
static inline size_t pw_utf8_len(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t i, n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (s[0] > 0xf4)
		return 0;
	for (i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
		(s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

static inline bool pw_utf8_valid(const char *s)
{
	size_t n;

	for (; *s; s += n) {
		n = pw_utf8_len(s);
		if (n == 0)
			return false;
	}
	return true;
}

#endif
