/* SPDX-License-Identifier: BSD-3-Clause */
/* Turns a Content-Location into a file name. wire/fdt.h documents the rules. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/fdt.h"

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Where the path of an absolute URI with an authority starts (RFC 3986 section 3); NULL for any
 * other text. */
static const char *skip_authority(const char *uri)
{
	const char *s = uri;

	if (!is_alpha(*s))
		return NULL;
	while (is_alpha(*s) || (*s >= '0' && *s <= '9') || (*s && strchr("+-.", *s)))
		s++;
	if (strncmp(s, "://", 3) != 0)
		return NULL;
	s += 3;
	return s + strcspn(s, "/?#");
}

static void drop_leading_slashes(char *s)
{
	size_t n = strspn(s, "/");

	memmove(s, s + n, strlen(s + n) + 1);
}

/* Removes segments "." with their slash from the path; a query is kept. */
static void drop_dots(char *s)
{
	const char *in = s, *end = s + strcspn(s, "?");
	char *out = s;

	while (in < end) {
		size_t n = strcspn(in, "/?");
		bool dot = n == 1 && *in == '.';

		n += in[n] == '/';
		if (!dot) {
			memmove(out, in, n);
			out += n;
		}
		in += n;
	}
	memmove(out, in, strlen(in) + 1);
}

/* Decodes percent-encoding in place. False: an encoded NUL. A '%' without two hexadecimal digits is kept. */
static bool decode(char *s)
{
	char *out = s;

	for (; *s; s++) {
		int high = *s == '%' ? pw_hex_value(s[1]) : -1;
		int low = high >= 0 ? pw_hex_value(s[2]) : -1;

		if (low < 0) {
			*out++ = *s;
			continue;
		}
		if (high == 0 && low == 0)
			return false;
		*out++ = (char)(high << 4 | low);
		s += 2;
	}
	*out = '\0';
	return true;
}

int pw_fdt_location(const char *uri, char **path)
{
	const char *start = skip_authority(uri);
	char *s = strdup(start ? start : uri);
	int r = 0;

	*path = NULL;
	if (!s)
		return -ENOMEM;
	if (start) {
		s[strcspn(s, "#")] = '\0';
		drop_leading_slashes(s);
	}
	drop_dots(s);
	if (start) /* drop_dots() can expose more, as in "http://h/.//x" */
		drop_leading_slashes(s);
	if (!decode(s))
		r = -EBADMSG;
	else if (*s == '\0')
		r = -ENOENT;
	else if (strlen(s) > PW_NAME_MAX)
		r = -EFBIG;
	if (r)
		free(s);
	else
		*path = s;
	return r;
}
