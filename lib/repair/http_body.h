/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The answer of a web server to a request for ranges of a file, as it comes in:
 *
 *   206, multipart/byteranges   parts, each with a Content-Range     RFC 9110 section 14.6
 *   206                         one range, or neighbours as one      RFC 9110 section 15.3.7
 *   200                         the whole file: Range was ignored    RFC 9110 section 14.2
 *
 * The server is hostile: every line, part and length is bounded. Only bytes of the wanted ranges are passed
 * on. No allocation, no input or output; one thread.
 */
#ifndef PW_REPAIR_HTTP_BODY_H
#define PW_REPAIR_HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "recv/gaps.h"

#define PW_HTTP_LINE_MAX     1024u /* of a part's header */
#define PW_HTTP_BOUNDARY_MAX 70u   /* RFC 2046 section 5.1.1 */

/* Takes bytes [at, at + len) of the file, which lie in a wanted range. A piece may end anywhere. Returns 0, or
 * -errno to end the transfer. */
typedef int (*pw_http_put)(void *ctx, uint64_t at, const void *data, size_t len);

enum pw_http_kind { PW_HTTP_PARTS, PW_HTTP_RANGE, PW_HTTP_WHOLE };

struct pw_http_body {
	enum pw_http_kind kind;
	uint64_t file_len;
	const struct pw_range *want; /* sorted, disjoint; the caller's */
	size_t n_want;               /* 1.. */
	pw_http_put put;
	void *ctx;
	uint64_t at, to;      /* the current range: its next byte, its end */
	uint64_t first;       /* its first byte */
	uint64_t budget;      /* bytes of ranges that may still come */
	size_t next;          /* index in want of the last byte's range */
	unsigned int n_lines; /* of the headers of this part, or between two parts */
	unsigned int n_parts;
	bool in_headers, has_range, ended;
	char boundary[PW_HTTP_BOUNDARY_MAX + 3]; /* with the two dashes before it */
	size_t line_len;
	char line[PW_HTTP_LINE_MAX];
	int put_error; /* what put() returned */
};

/* "bytes 0-499/1234": [*from, *to) of *len bytes; *len is UINT64_MAX for "*". false: anything else. */
bool pw_http_content_range(const char *s, uint64_t *from, uint64_t *to, uint64_t *len);
/* Whether the media type is multipart/byteranges. */
bool pw_http_is_multipart(const char *content_type);

/* status is 200 or 206; the values of the headers are NULL if they were absent. */
int pw_http_body_begin(struct pw_http_body *b, unsigned int status, const char *content_type,
	const char *content_range, struct pw_err *err);
/* -EBADMSG: the server contradicts HTTP, or itself. */
int pw_http_body_take(struct pw_http_body *b, const uint8_t *data, size_t len, struct pw_err *err);
/* Whether nothing more is wanted of this answer: the caller may close the connection. */
bool pw_http_body_is_done(const struct pw_http_body *b);
/* How many of the wanted ranges, from the front, the answer was about: all, unless one range came in place of
 * several. */
size_t pw_http_body_taken(const struct pw_http_body *b);
/* The answer has ended. -EBADMSG: it is too short. */
int pw_http_body_end(const struct pw_http_body *b, struct pw_err *err);

#endif
