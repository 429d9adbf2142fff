/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/fdt_text.h"

#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/bytes.h"

struct pw_fdt_text pw_fdt_text_trim(struct pw_fdt_text t)
{
	for (; t.len && pw_fdt_is_space(t.p[0]); t.p++)
		t.len--;
	while (t.len && pw_fdt_is_space(t.p[t.len - 1]))
		t.len--;
	return t;
}

static bool take(struct pw_fdt_text *t, char c)
{
	if (t->len == 0 || t->p[0] != c)
		return false;
	t->p++;
	t->len--;
	return true;
}

static bool read_digits(struct pw_fdt_text t, unsigned base, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < t.len; i++) {
		unsigned digit = (unsigned)(uint8_t)t.p[i] - '0';

		if (digit >= base || digit > max || v > (max - digit) / base)
			return false;
		v = v * base + digit;
	}
	if (t.len)
		*out = v;
	return t.len != 0;
}

bool pw_fdt_text_u64(struct pw_fdt_text t, uint64_t max, uint64_t *out)
{
	t = pw_fdt_text_trim(t);
	take(&t, '+');
	return read_digits(t, 10, max, out);
}

bool pw_fdt_text_i64(struct pw_fdt_text t, int64_t *out)
{
	uint64_t v;
	bool negative;

	t = pw_fdt_text_trim(t);
	negative = take(&t, '-');
	if (!negative)
		take(&t, '+');
	if (!read_digits(t, 10, (uint64_t)INT64_MAX + negative, &v))
		return false;
	*out = negative ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

bool pw_fdt_text_octal(struct pw_fdt_text t, uint32_t *out)
{
	uint64_t v;

	if (!read_digits(pw_fdt_text_trim(t), 8, UINT32_MAX, &v))
		return false;
	*out = (uint32_t)v;
	return true;
}

bool pw_fdt_text_md5(struct pw_fdt_text t, struct pw_digest *out)
{
	struct pw_digest md5 = {.kind = PW_DIGEST_MD5};

	t = pw_fdt_text_trim(t);
	if (!pw_base64_decode(t.p, t.len, md5.bytes, 16))
		return false;
	*out = md5;
	return true;
}

char *pw_fdt_format_md5(char text[PW_FDT_MD5_TEXT], const struct pw_digest *md5)
{
	pw_base64_encode(text, md5->bytes, 16);
	text[PW_FDT_MD5_TEXT - 1] = '\0';
	return text;
}

/* The first name of each encoding is the one that is written. "x-gzip" is HTTP's older name of gzip; "zlib" is
 * not HTTP's, but what some senders of RFC 6726's algorithm 1 write. */
static const struct {
	const char *name;
	enum pw_encoding encoding;
} encodings[] = {
	{"identity", PW_ENCODING_IDENTITY},
	{"gzip", PW_ENCODING_GZIP},
	{"x-gzip", PW_ENCODING_GZIP},
	{"deflate", PW_ENCODING_DEFLATE},
	{"zlib", PW_ENCODING_ZLIB},
};

enum pw_encoding pw_fdt_text_encoding(struct pw_fdt_text t)
{
	size_t i;

	t = pw_fdt_text_trim(t);
	for (i = 0; i < PW_ARRAY_LEN(encodings); i++)
		if (strlen(encodings[i].name) == t.len &&
			!strncasecmp(encodings[i].name, t.p, t.len))
			return encodings[i].encoding;
	return PW_ENCODING_OTHER;
}

const char *pw_fdt_encoding_name(enum pw_encoding e)
{
	size_t i;

	if (e == PW_ENCODING_IDENTITY)
		return NULL;
	for (i = 0; i < PW_ARRAY_LEN(encodings); i++)
		if (encodings[i].encoding == e)
			return encodings[i].name;
	return NULL;
}
