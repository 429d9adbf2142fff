/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values of an FDT's attributes, from text and to text. Only for lib/wire. White space around a value is
 * ignored, as XML Schema demands for numbers, booleans, URIs and base64. All functions are linear in
 * the length, and none reads beyond it: the text has no NUL at its end.
 */
#ifndef PW_WIRE_FDT_TEXT_H
#define PW_WIRE_FDT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/encoding.h"
#include "wire/fdt.h"

struct pw_fdt_text {
	const char *p;
	size_t len;
};

/* White space in XML. */
static inline bool pw_fdt_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct pw_fdt_text pw_fdt_text_trim(struct pw_fdt_text t);

/* Each returns false and does not change *out if the text is not such a value. Numbers are decimal, with any
 * number of leading zeros and an optional '+'. */
bool pw_fdt_text_u64(struct pw_fdt_text t, uint64_t max, uint64_t *out);
bool pw_fdt_text_i64(struct pw_fdt_text t, int64_t *out);
bool pw_fdt_text_octal(struct pw_fdt_text t, uint32_t *out);       /* no sign */
bool pw_fdt_text_md5(struct pw_fdt_text t, struct pw_digest *out); /* 24 digits of base64 */

#define PW_FDT_MD5_TEXT 25 /* bytes, with the NUL */
/* The reverse of pw_fdt_text_md5(). Returns text. */
char *pw_fdt_format_md5(char text[PW_FDT_MD5_TEXT], const struct pw_digest *md5);

/* A content coding's name, in any case. An unknown name, or a list of names: _OTHER. */
enum pw_encoding pw_fdt_text_encoding(struct pw_fdt_text t);
/* The reverse; NULL for _IDENTITY, which is the default, and for _OTHER. */
const char *pw_fdt_encoding_name(enum pw_encoding e);

#endif
