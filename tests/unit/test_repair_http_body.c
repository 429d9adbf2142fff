/* SPDX-License-Identifier: BSD-3-Clause */
/* A web server's answers, cut into pieces of every size: which bytes are passed on, and what is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "repair/http_body.h"

#define FILE_LEN 1000u

static const struct pw_range want[] = {{10, 20}, {30, 31}, {900, 1000}};

struct sink {
	uint8_t file[FILE_LEN]; /* 0: did not come */
	unsigned int n_twice;
};

static int put(void *ctx, uint64_t at, const void *data, size_t len)
{
	struct sink *s = ctx;

	assert_true(at + len <= FILE_LEN);
	for (size_t i = 0; i < len; i++) {
		s->n_twice += s->file[at + i] != 0;
		s->file[at + i] = ((const uint8_t *)data)[i];
	}
	return 0;
}

/* Bytes [from, to) of the file: never 0. */
static char *bytes(char *out, uint64_t from, uint64_t to)
{
	for (; from < to; from++)
		*out++ = (char)(1 + from % 255);
	return out;
}

static void assert_wanted(const struct sink *s)
{
	uint64_t i, r = 0;

	assert_int_equal(s->n_twice, 0);
	for (i = 0; i < FILE_LEN; i++) {
		r += r < PW_ARRAY_LEN(want) && i >= want[r].to;
		if (r < PW_ARRAY_LEN(want) && i >= want[r].from)
			assert_int_equal(s->file[i], 1 + i % 255);
		else
			assert_int_equal(s->file[i], 0);
	}
}

/* Gives the answer in pieces of `step` bytes; returns the first error, or what the end says. */
static int answer(struct sink *s, unsigned int status, const char *type, const char *range,
	const char *text, size_t len, size_t step, struct pw_err *err)
{
	struct pw_http_body b = {.file_len = FILE_LEN,
		.want = want,
		.n_want = PW_ARRAY_LEN(want),
		.put = put,
		.ctx = s};
	int r = pw_http_body_begin(&b, status, type, range, err);

	memset(s, 0, sizeof(*s));
	for (size_t i = 0, n; r == 0 && i < len && !pw_http_body_is_done(&b); i += n) {
		/* a copy of its own: the sanitizer sees a read behind it */
		uint8_t *piece = malloc(n = pw_min_u64(step, len - i));

		memcpy(piece, text + i, n);
		r = pw_http_body_take(&b, piece, n, err);
		free(piece);
	}
	return r ? r : pw_http_body_end(&b, err);
}

static char *part(char *p, const char *range, uint64_t from, uint64_t to)
{
	p += sprintf(p, "\r\n--b=1\r\ncontent-type: a/b\r\nCONTENT-RANGE:  %s\r\n\r\n", range);
	return bytes(p, from, to);
}

static void parts_are_read_whatever_their_pieces(void **state)
{
	char text[4096], *p = text;
	struct sink s;

	(void)state;
	p += sprintf(p, "text before the first part");
	p = part(p, "bytes 10-19/1000", 10, 20);
	p = part(p, "bytes 30-30/*", 30, 31);
	p = part(p, "bytes 900-999/1000", 900, 1000);
	p += sprintf(p, "\r\n--b=1--\r\n");
	for (size_t step = 1; step < 200; step++) {
		struct pw_err err = {0};

		if (answer(&s, 206, "multipart/byteranges; boundary=\"b=1\"", NULL, text,
			    (size_t)(p - text), step, &err))
			fail_msg("pieces of %zu: %s", step, err.msg);
		assert_wanted(&s);
	}
}

static void ranges_that_the_server_joined_and_whole_files_are_read(void **state)
{
	char text[FILE_LEN];
	struct sink s;

	(void)state;
	bytes(text, 0, FILE_LEN);
	for (size_t step = 1; step < 200; step++) {
		assert_int_equal(answer(&s, 200, "a/b", NULL, text, FILE_LEN, step, NULL), 0);
		assert_wanted(&s);
		assert_int_equal(answer(&s, 206, NULL, "bytes 10-999/1000", text + 10,
					 FILE_LEN - 10, step, NULL),
			0);
		assert_wanted(&s);
	}
}

static void an_answer_that_is_too_short_is_refused(void **state)
{
	char text[4096], *p = text;
	struct sink s;
	size_t len;

	(void)state;
	bytes(text, 0, FILE_LEN);
	for (len = 0; len < FILE_LEN; len++)
		assert_int_equal(answer(&s, 200, NULL, NULL, text, len, 64, NULL), -EBADMSG);
	p = part(p, "bytes 10-19/1000", 10, 20);
	p += sprintf(p, "\r\n--b=1--\r\n");
	for (len = 0; len < (size_t)(p - text) - 2; len++)
		assert_int_equal(answer(&s, 206, "multipart/byteranges;boundary=b=1", NULL, text,
					 len, 64, NULL),
			-EBADMSG);
}

static void content_ranges_are_read_exactly(void **state)
{
	static const char *const good[] = {"bytes 0-0/1", " bytes 5-9/10 ", "BYTES 0-8/*"};
	static const char *const bad[] = {"", "bytes", "bytes 0-1", "bytes 1-0/5", "bytes 0-5/5",
		"bytes -1-5/9", "bytes 0-1/2x", "bytes 0 - 1/2", "bytes */5", "items 0-1/2",
		"bytes 0-1/99999999999999999999", "bytes 99999999999999999999-1/*",
		"bytes 0-9223372036854775807/*", "bytes 0x0-1/2", "bytes 0-1/**"};
	uint64_t from, to, len;

	(void)state;
	for (size_t i = 0; i < PW_ARRAY_LEN(good); i++)
		assert_true(pw_http_content_range(good[i], &from, &to, &len));
	assert_int_equal(to, 9);
	assert_int_equal(len, UINT64_MAX);
	for (size_t i = 0; i < PW_ARRAY_LEN(bad); i++)
		if (pw_http_content_range(bad[i], &from, &to, &len))
			fail_msg("taken: %s", bad[i]);
}

/* Each would be read if its one fault were not there. */
static void what_contradicts_itself_is_refused(void **state)
{
	static const struct {
		const char *type, *range, *text;
	} cases[] = {
		{"multipart/byteranges", NULL, ""},
		{"multipart/byteranges; boundary=", NULL, ""},
		{"multipart/byteranges; boundary=12345678901234567890123456789012345678901234567890"
		 "12345678901234567890x",
			NULL, ""},
		{"text/plain", NULL, "abc"},
		{NULL, "bytes 0-9/1000", "abc"},
		{NULL, "bytes 10-19/1001", "abc"},
		{NULL, "bytes 10-1000/*", "abc"},
		{"multipart/byteranges; boundary=b", NULL, "--b\r\n\r\nabc"},
		{"multipart/byteranges; boundary=b", NULL,
			"--b\r\nContent-Range: bytes 10-10/1000\r\n\r\nxyz\r\n--b--\r\n"},
		{"multipart/byteranges; boundary=b", NULL,
			"--b\r\nContent-Range: bytes 10-10/1000\r\nContent-Range: bytes "
			"11-11/1000\r\n\r\nx\r\n--b--\r\n"},
		{"multipart/byteranges; boundary=b", NULL, "--bx\r\n"},
		{"multipart/byteranges; boundary=b", NULL,
			"\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n--"
			"b--"},
	};
	struct sink s;

	(void)state;
	for (size_t i = 0; i < PW_ARRAY_LEN(cases); i++)
		for (size_t step = 1; step < 100; step += 7)
			if (answer(&s, 206, cases[i].type, cases[i].range, cases[i].text,
				    strlen(cases[i].text), step, NULL) != -EBADMSG)
				fail_msg("case %zu was taken", i);
}

static void parts_and_lines_are_bounded(void **state)
{
	const char *type = "multipart/byteranges; boundary=b=1";
	char text[8192], *p = text;
	struct sink s;

	(void)state;
	for (uint64_t i = 10; i < 14; i++) /* one more than was asked for */
		p = part(p, "bytes 30-30/1000", 30, 31);
	assert_int_equal(answer(&s, 206, type, NULL, text, (size_t)(p - text), 64, NULL), -EBADMSG);
	memset(text, 'a', sizeof(text));
	assert_int_equal(answer(&s, 206, type, NULL, text, sizeof(text), 64, NULL), -EBADMSG);
	p = text + sprintf(text, "--b=1\r\n");
	for (int i = 0; i < 40; i++)
		p += sprintf(p, "A: b\r\n");
	assert_int_equal(answer(&s, 206, type, NULL, text, (size_t)(p - text), 64, NULL), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_are_read_whatever_their_pieces),
		cmocka_unit_test(ranges_that_the_server_joined_and_whole_files_are_read),
		cmocka_unit_test(an_answer_that_is_too_short_is_refused),
		cmocka_unit_test(content_ranges_are_read_exactly),
		cmocka_unit_test(what_contradicts_itself_is_refused),
		cmocka_unit_test(parts_and_lines_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
