/* SPDX-License-Identifier: BSD-3-Clause */
/* From a Content-Location to the name of a file. The rule stands in wire/fdt.h. */
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

/* Takes away the segments that are "." and their slash. A query is not a path: it stays. */
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

/* Undoes percent-encoding, in place; false for an encoded NUL. A '%' that starts no pair stands for
 * itself. */
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
	if (start) /* there may be new ones, as in "http://h/.//x" */
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
