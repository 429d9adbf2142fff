/* SPDX-License-Identifier: BSD-3-Clause */
#include "replay/inplace.h"

#include <string.h>

#include "base/bytes.h"

/* The extent that has the byte. Offsets grow, but for a new pass and for a few bytes. */
static uint32_t find(const struct pw_replay_inplace *f, uint64_t offset)
{
	const struct pw_window *win = f->obj.win;
	uint32_t i = f->extent;

	while (i > 0 && win->extents[i].offset > offset)
		i--;
	while (i + 1 < win->n_extents && win->extents[i + 1].offset <= offset)
		i++;
	return i;
}

static void copy_seam(const struct pw_replay_inplace *f, uint8_t *to, uint64_t offset, size_t len)
{
	const struct pw_extent *e = &f->obj.win->extents[f->extent];
	size_t done = 0;

	while (done < len) {
		const uint64_t skip = offset + done - e->offset;
		const size_t part = (size_t)pw_min_u64(len - done, e->len_bytes - skip);

		memcpy(to + done, e->va + skip, part);
		done += part;
		e++;
	}
}

static int view(
	void *ctx, uint64_t offset, size_t len, struct pw_capture_view *v, struct pw_err *err)
{
	struct pw_replay_inplace *f = ctx;
	const struct pw_window *win = f->obj.win;
	const struct pw_extent *e;

	(void)err;
	if (offset > win->len_bytes || len > win->len_bytes - offset)
		return 0;
	f->extent = find(f, offset);
	e = &win->extents[f->extent];
	if (offset + len <= e->offset + e->len_bytes) {
		*v = (struct pw_capture_view){e->va, e->offset, e->offset + e->len_bytes};
		return 1;
	}
	copy_seam(f, f->seam, offset, len);
	*v = (struct pw_capture_view){f->seam, offset, offset + len};
	return 1;
}

static struct pw_tx_object *object(void *ctx, uint64_t offset, uint64_t *at)
{
	struct pw_replay_inplace *f = ctx;

	*at = offset;
	return &f->obj;
}

static const uint8_t *bytes(void *ctx, uint64_t offset, uint32_t len, uint8_t *room)
{
	struct pw_replay_inplace *f = ctx;
	const struct pw_extent *e;

	f->extent = find(f, offset);
	e = &f->obj.win->extents[f->extent];
	if (offset + len <= e->offset + e->len_bytes)
		return e->va + (offset - e->offset);
	copy_seam(f, room, offset, len);
	return room;
}

static int rewind_pass(void *ctx, struct pw_err *err)
{
	struct pw_replay_inplace *f = ctx;

	f->extent = 0;
	return pw_window_check(f->obj.win, f->path, err);
}

struct pw_replay_feed pw_replay_inplace_feed(struct pw_replay_inplace *f)
{
	return (struct pw_replay_feed){
		.view = view, .object = object, .bytes = bytes, .rewind = rewind_pass, .ctx = f};
}
