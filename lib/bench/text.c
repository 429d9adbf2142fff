/* SPDX-License-Identifier: BSD-3-Clause */
/* Converts text and numbers for JSON and HTML. */
#include "bench/text.h"

#include <math.h>

#include "base/utf8.h"

json_t *pw_json_reason(const char *s)
{
	return pw_json_text(s && *s ? s : NULL);
}

json_t *pw_json_number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

void pw_json_put(json_t *object, const char *key, json_t *v, bool *failed)
{
	if (json_object_set_new(object, key, v))
		*failed = true;
}

static const char *entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void pw_html_text(FILE *out, const char *s)
{
	size_t n;

	for (; *s; s += n) {
		n = pw_utf8_len(s);
		if (n == 0 || (unsigned char)*s < ' ' || *s == 0x7f) {
			fputc('?', out);
			n = 1;
		} else if (entity(*s)) {
			fputs(entity(*s), out);
		} else {
			fwrite(s, 1, n, out);
		}
	}
}
