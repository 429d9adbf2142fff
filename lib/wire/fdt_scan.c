/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/fdt_scan.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "wire/fdt_text.h"

#define SLOTS (2 * PW_FDT_MAX_NAMES)

struct name {
	const char *p;
	size_t len;
};

struct scan {
	const char *p, *end;
	unsigned depth;
	unsigned n_names;
	size_t hidden; /* bytes, see PW_FDT_MAX_HIDDEN */
	struct name slots[SLOTS];
	struct pw_err *err;
};

static int malformed(struct scan *s)
{
	return pw_err_set(s->err, EBADMSG, "cannot read the file table: not well-formed XML");
}

static int too_many(struct scan *s, const char *what, unsigned limit)
{
	return pw_err_set(
		s->err, EFBIG, "cannot read the file table: more than %u %s", limit, what);
}

static void skip_space(struct scan *s)
{
	while (s->p < s->end && pw_fdt_is_space(*s->p))
		s->p++;
}

static bool starts(const struct scan *s, const char *text)
{
	size_t len = strlen(text);

	return (size_t)(s->end - s->p) >= len && !memcmp(s->p, text, len);
}

/* Goes on after the next `text`. Returns the number of bytes before it if they contain a '<', else 0. */
static ssize_t skip_past(struct scan *s, const char *text)
{
	const char *start = s->p, *hit = memmem(s->p, (size_t)(s->end - s->p), text, strlen(text));

	if (!hit)
		return malformed(s);
	s->p = hit + strlen(text);
	return memchr(start, '<', (size_t)(hit - start)) ? hit - start : 0;
}

/* For values and end tags, which contain no '<'. */
static int skip_plain(struct scan *s, const char *text)
{
	ssize_t markup = skip_past(s, text);

	return markup > 0 ? malformed(s) : (int)markup;
}

/* For comments and the like. */
static int skip_hidden(struct scan *s, const char *text)
{
	ssize_t markup = skip_past(s, text);

	if (markup <= 0)
		return (int)markup;
	s->hidden += (size_t)markup;
	return s->hidden <= PW_FDT_MAX_HIDDEN
		       ? 0
		       : too_many(s, "bytes of comments with markup", PW_FDT_MAX_HIDDEN);
}

/* Adds a name to the set. -EFBIG: the set is full. */
static int note_name(struct scan *s, const char *p, size_t len)
{
	uint32_t slot = 2166136261u;
	size_t i;

	for (i = 0; i < len; i++)
		slot = (slot ^ (uint8_t)p[i]) * 16777619u;
	for (slot %= SLOTS; s->slots[slot].p; slot = (slot + 1) % SLOTS)
		if (s->slots[slot].len == len && !memcmp(s->slots[slot].p, p, len))
			return 0;
	if (s->n_names == PW_FDT_MAX_NAMES)
		return too_many(s, "different names", PW_FDT_MAX_NAMES);
	s->n_names++;
	s->slots[slot] = (struct name){p, len};
	return 0;
}

static int read_name(struct scan *s)
{
	const char *start = s->p;

	while (s->p < s->end && !pw_fdt_is_space(*s->p) && !strchr("=/><\"'", *s->p))
		s->p++;
	if (s->p == start)
		return malformed(s);
	if (s->p - start > PW_FDT_MAX_NAME)
		return too_many(s, "bytes in a name", PW_FDT_MAX_NAME);
	return note_name(s, start, (size_t)(s->p - start));
}

/* NAME = "VALUE" */
static int read_attribute(struct scan *s)
{
	const char *quote;
	int r = read_name(s);

	if (r)
		return r;
	skip_space(s);
	if (s->p == s->end || *s->p++ != '=')
		return malformed(s);
	skip_space(s);
	if (starts(s, "\""))
		quote = "\"";
	else if (starts(s, "'"))
		quote = "'";
	else
		return malformed(s);
	s->p++;
	return skip_plain(s, quote);
}

static int read_tag(struct scan *s)
{
	unsigned n = 0;
	int r;

	s->p++;
	r = read_name(s);
	for (skip_space(s); r == 0; skip_space(s)) {
		if (starts(s, "/>")) {
			s->p += 2;
			return 0;
		}
		if (starts(s, ">")) {
			s->p++;
			if (++s->depth > PW_FDT_MAX_DEPTH)
				return too_many(s, "levels of elements", PW_FDT_MAX_DEPTH);
			return 0;
		}
		if (++n > PW_FDT_MAX_ATTRS)
			return too_many(s, "attributes in an element", PW_FDT_MAX_ATTRS);
		r = read_attribute(s);
	}
	return r;
}

/* s->p is a '<'. */
static int read_markup(struct scan *s)
{
	static const struct {
		const char *open, *close;
	} skipped[] = {{"<!--", "-->"}, {"<![CDATA[", "]]>"}, {"<?", "?>"}};
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(skipped); i++)
		if (starts(s, skipped[i].open)) {
			s->p += strlen(skipped[i].open);
			return skip_hidden(s, skipped[i].close);
		}
	if (starts(s, "<!"))
		return pw_err_set(s->err, EBADMSG,
			"cannot read the file table: it declares a document type or entities");
	if (!starts(s, "</"))
		return read_tag(s);
	if (s->depth-- == 0)
		return malformed(s);
	s->p += 2;
	return skip_plain(s, ">");
}

int pw_fdt_scan(const char *xml, size_t len, struct pw_err *err)
{
	struct scan s = {.p = xml, .end = xml + len, .err = err};
	int r = 0;

	if (memchr(xml, '\0', len)) /* UTF-16 or UTF-32, which this scan cannot read */
		return pw_err_set(err, EBADMSG, "cannot read the file table: not UTF-8 text");
	while (r == 0) {
		s.p = memchr(s.p, '<', (size_t)(s.end - s.p));
		if (!s.p)
			return 0;
		r = read_markup(&s);
	}
	return r;
}
