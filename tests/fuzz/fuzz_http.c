/* SPDX-License-Identifier: BSD-3-Clause */
/* A web server's answer: STATUS is '2' (206) or else 200; then Content-Type, Content-Range and the body, a line
 * each, but the body is the rest. Only wanted bytes are passed on, and no more than the answer had. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "repair/http_body.h"

#define FILE_LEN 100u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pw_range want[] = {{3, 9}, {20, 21}, {60, 100}};

static void check(int condition)
{
	if (!condition)
		abort();
}

static int put(void *ctx, uint64_t at, const void *data, size_t len)
{
	size_t *left = ctx, i;

	for (i = 0; i < 3 && (at < want[i].from || at >= want[i].to); i++)
		;
	check(i < 3 && len > 0 && at + len <= want[i].to && len <= *left);
	*left -= len;
	for (i = 0; i < len; i++)
		(void)((const volatile uint8_t *)data)[i];
	return 0;
}

/* The next line as a string, NULL if it is empty or is none; malloc. */
static char *line(const uint8_t **data, size_t *size)
{
	const uint8_t *end = memchr(*data, '\n', *size);
	const size_t n = end ? (size_t)(end - *data) : 0;
	char *s = n ? strndup((const char *)*data, n) : NULL;

	*data += end ? n + 1 : 0;
	*size -= end ? n + 1 : 0;
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const unsigned int status = size && data[0] == '2' ? 206 : 200;
	const size_t step = size ? 1 + size % 61 : 1;
	struct pw_http_body b = {
		.file_len = FILE_LEN, .want = want, .n_want = 3, .put = put, .ctx = &size};
	char *type = line(&data, &size), *range;
	struct pw_err err = {0};
	size_t i, n, left;

	free(type); /* the status */
	type = line(&data, &size);
	range = line(&data, &size);
	left = size;
	b.ctx = &left;
	if (pw_http_body_begin(&b, status, type, range, &err) == 0) {
		for (i = 0; i < size; i += n) {
			n = step < size - i ? step : size - i;
			if (pw_http_body_take(&b, data + i, n, &err))
				break;
		}
		check(pw_http_body_taken(&b) <= 3);
		pw_http_body_end(&b, &err);
	}
	free(type);
	free(range);
	return 0;
}
