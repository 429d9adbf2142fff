/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the attributes of an FDT say, as text. Inside lib/wire only. White space around a value does
 * not count: XML Schema collapses it for numbers, booleans, URIs and base64. All functions are
 * linear in the length, and none reads beyond it: the text has no NUL at its end.
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

struct pw_fdt_text pw_fdt_text_trim(struct pw_fdt_text t);

/* Each returns false, and leaves *out, when the text is no such value. Numbers are decimal, with any
 * number of leading zeros and perhaps a '+'. */
bool pw_fdt_text_u64(struct pw_fdt_text t, uint64_t max, uint64_t *out);
bool pw_fdt_text_i64(struct pw_fdt_text t, int64_t *out);
bool pw_fdt_text_octal(struct pw_fdt_text t, uint32_t *out); /* no sign */
bool pw_fdt_text_md5(struct pw_fdt_text t, struct pw_digest *out);

/* A content coding's name, in any case. One that we do not know, or a list of them: _OTHER. */
enum pw_encoding pw_fdt_text_encoding(struct pw_fdt_text t);
/* The reverse; NULL for _IDENTITY, which need not be said, and for _OTHER. */
const char *pw_fdt_encoding_name(enum pw_encoding e);

#endif
