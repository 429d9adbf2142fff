/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Text that comes from outside: names and messages are any bytes, but JSON and HTML take UTF-8 only, and a
 * terminal executes control characters. All strings end with a NUL.
 */
#ifndef PW_BASE_UTF8_H
#define PW_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Bytes of the UTF-8 sequence at the start of text; 0: it is none (RFC 3629). */
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

/* Replaces each byte that is not part of UTF-8 by '?'. */
static inline void pw_utf8_repair(char *s)
{
	size_t n;

	for (; *s; s += n ? n : 1) {
		n = pw_utf8_len(s);
		if (n == 0)
			*s = '?';
	}
}

/* Bytes of the control character at the start of text: 1 for C0 and DEL, 2 for C1, which UTF-8 writes as
 * 0xc2 0x80 to 0xc2 0x9f; 0: it is none. */
static inline size_t pw_control_len(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	if (s[0] < 0x20 || s[0] == 0x7f)
		return s[0] != 0;
	return s[0] == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f ? 2 : 0;
}

/* Replaces each byte of a control character by '?', so that a terminal may show the text. */
static inline void pw_control_mask(char *s)
{
	size_t n;

	for (; *s; s += n ? n : 1) {
		n = pw_control_len(s);
		memset(s, '?', n);
	}
}

#endif
