/* SPDX-License-Identifier: BSD-3-Clause */
/* Base64 (RFC 4648 section 4). Pure. */
#ifndef PW_BASE_BASE64_H
#define PW_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* Digits of n bytes, padding included. */
static inline size_t pw_base64_len(size_t n)
{
	return (n + 2) / 3 * 4;
}

/* Writes pw_base64_len(len) digits to text, without a NUL. */
void pw_base64_encode(char *text, const void *data, size_t len);

/* Reads exactly n bytes into out. false: text has another length, a character that is no digit, other
 * padding, or bits in the last digit that belong to no byte; out is undefined then. */
bool pw_base64_decode(const char *text, size_t len, void *out, size_t n);

#endif
