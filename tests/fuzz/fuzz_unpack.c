/* SPDX-License-Identifier: BSD-3-Clause */
/* A compressed stream, from a source that gives it in pieces; the first byte of the input is the pieces' size. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "file/unpack.h"

#define OUT_MAX (1u << 20) /* a small input makes any number of bytes */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct feed {
	const uint8_t *at;
	size_t left, piece;
};

static ssize_t feed_read(void *ctx, void *buf, size_t len, struct pw_err *err)
{
	struct feed *f = ctx;
	size_t n = pw_min_u64(pw_min_u64(len, f->piece), f->left);

	(void)err;
	memcpy(buf, f->at, n);
	f->at += n;
	f->left -= n;
	return (ssize_t)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed f = {data + 1, size - 1, size ? data[0] + 1u : 0};
	const struct pw_unpack_source source = {feed_read, &f, "fuzz"};
	struct pw_err err = {0};
	struct pw_unpack *u;
	uint8_t out[5000];
	size_t done = 0;
	ssize_t n;

	if (size == 0 || pw_unpack_open(&u, &source, &err))
		return 0;
	do {
		n = pw_unpack_read(u, out, sizeof(out), &err);
		assert(n <= (ssize_t)sizeof(out) && (n >= 0 || err.code == -n));
		done += n > 0 ? (size_t)n : 0;
	} while (n > 0 && done < OUT_MAX);
	assert(n > 0 || pw_unpack_read(u, out, sizeof(out), &err) == n);
	assert(n || f.left == 0);
	pw_unpack_close(u);
	return 0;
}
