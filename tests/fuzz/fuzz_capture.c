/* SPDX-License-Identifier: BSD-3-Clause */
/* A capture: frames lie in the file, in order, one behind the other; with any window of view() the same frames, and the
 * same if those that are plain are taken at once. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "wire/capture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct text {
	const uint8_t *bytes;
	size_t len, window;
};

static void check(int condition)
{
	if (!condition)
		abort();
}

static int view_bytes(
	void *ctx, uint64_t offset, size_t len, struct pw_capture_view *view, struct pw_err *err)
{
	const struct text *t = ctx;
	size_t n = t->window < len ? len : t->window;

	(void)err;
	check(len <= PW_CAPTURE_LOOK_MAX);
	if (offset > t->len || len > t->len - offset)
		return 0;
	n = n > t->len - offset ? t->len - offset : n;
	*view = (struct pw_capture_view){t->bytes + offset, offset, offset + n};
	return 1;
}

/* The next frame; with take by both functions, which have to find the same. */
static int next(struct pw_capture *c, bool take, struct pw_capture_frame *f, struct pw_err *err)
{
	const struct pw_capture_plain plain = {PW_LINK_ETHERNET, 1, PW_CAPTURE_FRAME_MAX / 2};
	struct pw_capture_frame taken;
	struct pw_capture was = *c;
	int r;

	if (!take || !pw_capture_take(c, &plain, &taken, 1))
		return pw_capture_next(c, f, err);
	check(was.at >= was.view.from && c->at <= was.view.to);
	r = pw_capture_next(&was, f, err);
	check(r == 1 && was.at == c->at && was.n_frames == c->n_frames);
	check(f->offset == taken.offset && f->len == taken.len && f->time_ns == taken.time_ns);
	check(f->link == plain.link && f->has_time && f->full_len <= f->len);
	check(f->len >= plain.min && f->len <= plain.max);
	return r;
}

/* A sum over all frames, to compare two readings. */
static uint64_t read_all(const uint8_t *data, size_t size, size_t window, bool take)
{
	struct text t = {data, size, window};
	const struct pw_capture_source source = {.view = view_bytes, .ctx = &t, .path = "x"};
	struct pw_capture_frame f;
	struct pw_capture c;
	struct pw_err err = {0};
	uint64_t sum = 0, end = 0;
	int r = pw_capture_open(&c, &source, &err);

	if (r == 0) {
		while ((r = next(&c, take, &f, &err)) > 0) {
			check(f.offset >= end && f.len <= PW_CAPTURE_FRAME_MAX);
			check(f.offset <= size && f.len <= size - f.offset);
			end = f.offset + f.len;
			sum = sum * 31 + f.offset + f.len + f.full_len + (uint64_t)f.time_ns +
			      f.link + f.interface;
		}
		check(c.at <= size);
	}
	check(r >= 0 ? err.code == 0 : err.code > 0 && err.msg[0]);
	pw_capture_finish(&c);
	return sum * 31 + (uint64_t)r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint64_t sum = read_all(data, size, size, false);

	check(read_all(data, size, 1, false) == sum);
	check(read_all(data, size, size, true) == sum);
	check(read_all(data, size, 100, true) == sum);
	return 0;
}
