/* SPDX-License-Identifier: BSD-3-Clause */
#include "repair/http_body.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"

#define MAX_LINES 32u /* headers of a part; lines before a part */

/* Digits at *s; at most INT64_MAX. */
static bool number(const char **s, uint64_t *n)
{
	const char *p = *s;

	for (*n = 0; *p >= '0' && *p <= '9'; p++) {
		if (*n > (INT64_MAX - 9) / 10)
			return false;
		*n = *n * 10 + (uint64_t)(*p - '0');
	}
	if (p == *s)
		return false;
	*s = p;
	return true;
}

bool pw_http_content_range(const char *s, uint64_t *from, uint64_t *to, uint64_t *len)
{
	while (*s == ' ' || *s == '\t')
		s++;
	if (strncasecmp(s, "bytes ", 6) != 0)
		return false;
	s += 6;
	if (!number(&s, from) || *s++ != '-' || !number(&s, to) || *s++ != '/')
		return false;
	if (*s == '*') {
		*len = UINT64_MAX;
		s++;
	} else if (!number(&s, len)) {
		return false;
	}
	while (*s == ' ' || *s == '\t')
		s++;
	if (*s || *to < *from || *to >= *len)
		return false;
	++*to;
	return true;
}

bool pw_http_is_multipart(const char *type)
{
	static const char name[] = "multipart/byteranges";
	const size_t n = sizeof(name) - 1;

	return type && strncasecmp(type, name, n) == 0 &&
	       (type[n] == ';' || type[n] == ' ' || type[n] == '\t' || !type[n]);
}

/* The boundary parameter, quoted or not, with the dashes that begin a delimiter. */
static bool read_boundary(struct pw_http_body *b, const char *type)
{
	const char *p = strcasestr(type, "boundary=");
	size_t n;

	if (!p)
		return false;
	p += strlen("boundary=");
	n = *p == '"' ? strcspn(++p, "\"") : strcspn(p, "; \t");
	if (n == 0 || n > PW_HTTP_BOUNDARY_MAX)
		return false;
	snprintf(b->boundary, sizeof(b->boundary), "--%.*s", (int)n, p);
	return true;
}

static int bad(struct pw_err *err, const char *why)
{
	return pw_err_set(err, EBADMSG, "%s", why);
}

static int begin_range(struct pw_http_body *b, const char *value, struct pw_err *err)
{
	const uint64_t first = b->want[0].from, last = b->want[b->n_want - 1].to;
	uint64_t len;

	if (!pw_http_content_range(value, &b->at, &b->to, &len))
		return bad(err, "its Content-Range cannot be read");
	if (len != UINT64_MAX && len != b->file_len)
		return pw_err_set(err, EBADMSG, "its file has %llu bytes, the sender's %llu",
			(unsigned long long)len, (unsigned long long)b->file_len);
	if (b->at < first || b->to > last || b->to - b->at > b->budget)
		return bad(err, "it sends bytes that were not asked for");
	b->first = b->at;
	b->budget -= b->to - b->at;
	b->next = 0;
	b->has_range = true;
	return 0;
}

int pw_http_body_begin(struct pw_http_body *b, unsigned int status, const char *content_type,
	const char *content_range, struct pw_err *err)
{
	b->budget = b->want[b->n_want - 1].to - b->want[0].from;
	if (status == 200) {
		b->kind = PW_HTTP_WHOLE;
		b->at = 0;
		b->to = b->file_len;
		return 0;
	}
	if (pw_http_is_multipart(content_type)) {
		b->kind = PW_HTTP_PARTS;
		return read_boundary(b, content_type)
			       ? 0
			       : bad(err, "its multipart answer names no boundary");
	}
	b->kind = PW_HTTP_RANGE;
	return content_range ? begin_range(b, content_range, err)
			     : bad(err, "its partial answer names no Content-Range");
}

/* Passes on what is wanted of [at, at + len), and goes on behind it. */
static int pass(struct pw_http_body *b, const uint8_t *data, size_t len)
{
	const uint64_t begin = b->at, end = b->at + len;

	b->at = end;
	for (; b->next < b->n_want && b->want[b->next].from < end; b->next++) {
		const struct pw_range *w = &b->want[b->next];
		const uint64_t from = pw_max_u64(begin, w->from), to = pw_min_u64(end, w->to);

		if (from < to)
			b->put_error = b->put(b->ctx, from, data + (from - begin), to - from);
		if (b->put_error || w->to > end)
			return b->put_error;
	}
	return 0;
}

/* A line between two parts: empty, the delimiter, or text before the first one. */
static int take_delimiter(struct pw_http_body *b, struct pw_err *err)
{
	const size_t n = strlen(b->boundary);

	if (strncmp(b->line, b->boundary, n) != 0) {
		if (b->n_parts && b->line[0])
			return bad(err, "a part is longer than its Content-Range");
		return ++b->n_lines > MAX_LINES ? bad(err, "its first part does not begin") : 0;
	}
	if (strncmp(b->line + n, "--", 2) == 0) {
		b->ended = true;
		return 0;
	}
	if (b->line[n + strspn(b->line + n, " \t")])
		return bad(err, "a delimiter is not the boundary that it named");
	if (++b->n_parts > b->n_want)
		return bad(err, "it sends more parts than were asked for");
	b->in_headers = true;
	b->has_range = false;
	b->n_lines = 0;
	return 0;
}

static int take_header(struct pw_http_body *b, struct pw_err *err)
{
	static const char name[] = "content-range:";

	if (++b->n_lines > MAX_LINES)
		return bad(err, "a part has too many headers");
	if (b->line[0]) {
		if (strncasecmp(b->line, name, sizeof(name) - 1) != 0)
			return 0;
		return b->has_range ? bad(err, "a part has two Content-Ranges")
				    : begin_range(b, b->line + sizeof(name) - 1, err);
	}
	if (!b->has_range)
		return bad(err, "a part names no Content-Range");
	b->in_headers = false;
	b->n_lines = 0;
	return 0;
}

/* Takes bytes up to the end of a line; returns how many, or -EBADMSG. */
static int64_t take_line(
	struct pw_http_body *b, const uint8_t *data, size_t len, struct pw_err *err)
{
	const uint8_t *nl = memchr(data, '\n', len);
	const size_t n = nl ? (size_t)(nl - data) + 1 : len;
	int r;

	if (b->line_len + n > sizeof(b->line))
		return bad(err, "a line of its multipart answer is too long");
	memcpy(b->line + b->line_len, data, n);
	b->line_len += n;
	if (!nl)
		return (int64_t)n;
	b->line[--b->line_len] = '\0';
	if (b->line_len && b->line[b->line_len - 1] == '\r')
		b->line[--b->line_len] = '\0';
	if (memchr(b->line, '\0', b->line_len))
		return bad(err, "a header of a part has a NUL");
	b->line_len = 0;
	r = b->in_headers ? take_header(b, err) : take_delimiter(b, err);
	return r < 0 ? r : (int64_t)n;
}

int pw_http_body_take(struct pw_http_body *b, const uint8_t *data, size_t len, struct pw_err *err)
{
	int64_t n;

	while (len && !b->ended) {
		if (b->at < b->to && !b->in_headers) {
			n = (int64_t)pw_min_u64(len, b->to - b->at);
			if (pass(b, data, (size_t)n))
				return pw_err_set(
					err, -b->put_error, "the file took no more bytes");
		} else if (b->kind == PW_HTTP_PARTS) {
			n = take_line(b, data, len, err);
			if (n < 0)
				return (int)n;
		} else {
			return bad(err, "its answer is longer than it said");
		}
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

bool pw_http_body_is_done(const struct pw_http_body *b)
{
	return b->kind == PW_HTTP_PARTS ? b->ended : b->at >= b->want[b->n_want - 1].to;
}

size_t pw_http_body_taken(const struct pw_http_body *b)
{
	size_t n = 0;

	if (b->kind != PW_HTTP_RANGE)
		return b->n_want;
	while (n < b->n_want && b->first <= b->want[0].from && b->want[n].to <= b->at)
		n++;
	return n;
}

int pw_http_body_end(const struct pw_http_body *b, struct pw_err *err)
{
	if (pw_http_body_is_done(b) || (b->kind == PW_HTTP_RANGE && b->at == b->to))
		return 0;
	return bad(err, "its answer ended too early");
}
