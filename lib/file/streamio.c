/* SPDX-License-Identifier: BSD-3-Clause */
/* The reads of a stream: which slot, from where, what became of it. */
#include <errno.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "file/filereader.h"
#include "file/stream_private.h"
#include "host/uring.h"

#define SETTLE_NS  100000000ull
#define SETTLE_MAX 100 /* times that, without a word of the disk */
#define MAX_SHORT  3

static struct pw_stream_slot *slot_of(struct pw_stream *s, uint64_t n)
{
	return &s->slots[n % s->n_slots];
}

static struct pw_filereader *file_of(const struct pw_stream_slot *slot)
{
	return slot->piece.file->priv;
}

static int fail(struct pw_stream *s, const struct pw_stream_slot *slot, int code)
{
	const struct pw_filereader *in = file_of(slot);
	uint64_t at = slot->from + slot->done_bytes;

	if (s->failed.code)
		return -s->failed.code;
	if (code == ESTALE)
		return pw_err_set(&s->failed, ESTALE,
			"read %s: it ended at byte %llu of %llu, truncated while it was being "
			"sent; keep it still and send it again",
			in->path, (unsigned long long)at, (unsigned long long)in->len_bytes);
	return pw_err_sys(
		&s->failed, code, "read %s at byte %llu", in->path, (unsigned long long)at);
}

static bool submit(struct pw_stream *s, struct pw_stream_slot *slot)
{
	struct pw_filereader *in = file_of(slot);
	struct io_uring_sqe *sqe = io_uring_get_sqe(&s->ring);
	uint64_t left = slot->len_bytes - slot->done_bytes;
	uint8_t *to = slot->mem + slot->done_bytes;
	uint32_t len;

	if (!sqe)
		return false;
	len = (uint32_t)(in->direct ? pw_align_up(left, PW_FILEREADER_ALIGN) : left);
	if (s->registered)
		io_uring_prep_read_fixed(sqe, in->fd, to, len, slot->from + slot->done_bytes,
			(int)(slot - s->slots));
	else
		io_uring_prep_read(sqe, in->fd, to, len, slot->from + slot->done_bytes);
	io_uring_sqe_set_data(sqe, slot);
	slot->direct = in->direct;
	slot->state = PW_SLOT_READING;
	s->n_reading++;
	return true;
}

/* Its runs now show the piece: they end with it, because a packet is cut to what its run has. */
static void lay_out(struct pw_stream_slot *slot, uint64_t slot_memory)
{
	struct pw_window *w = &slot->win;
	uint32_t i;

	for (i = 0; i < w->n_extents; i++) {
		struct pw_extent *run = &w->extents[i];
		uint64_t at = (uint64_t)(run->va - slot->mem);
		uint64_t end =
			i + 1 < w->n_extents ? (uint64_t)(run[1].va - slot->mem) : slot_memory;

		run->offset = slot->from + at;
		end = pw_min_u64(end, slot->len_bytes);
		run->len_bytes = end > at ? end - at : 0;
	}
}

static bool start_next(struct pw_stream *s)
{
	struct pw_stream_slot *slot = slot_of(s, s->n_started);

	if (s->n_started - s->n_sent == s->n_slots || slot->win.n_out ||
		!s->cfg.next(s->cfg.ctx, &slot->piece))
		return false;
	slot->from = pw_align_down(slot->piece.offset, PW_FILEREADER_ALIGN);
	slot->len_bytes = slot->piece.offset + slot->piece.len_bytes - slot->from;
	slot->done_bytes = 0;
	slot->n_short = 0;
	slot->state = PW_SLOT_AGAIN;
	lay_out(slot, s->slot_memory);
	s->n_again++;
	s->n_started++;
	return true;
}

/* Pieces that were read in part go on first: they are the next to be sent. */
static void start_reads(struct pw_stream *s)
{
	uint64_t n;

	while (s->n_reading + s->n_again < s->depth && start_next(s))
		;
	for (n = s->n_sent; s->n_again && n < s->n_started; n++) {
		struct pw_stream_slot *slot = slot_of(s, n);

		if (slot->state != PW_SLOT_AGAIN)
			continue;
		if (!submit(s, slot))
			return;
		s->n_again--;
	}
}

/* This file system does not do after all what it said it does. */
static bool fall_back(struct pw_stream_slot *slot, int code)
{
	if (!slot->direct || (code != EINVAL && code != EOPNOTSUPP) ||
		!pw_filereader_go_buffered(file_of(slot)))
		return false;
	slot->piece.file->cpu_copies = 1;
	return true;
}

static void again(struct pw_stream *s, struct pw_stream_slot *slot)
{
	slot->state = PW_SLOT_AGAIN;
	s->n_again++;
}

/* Less than was asked for, and no whole blocks: the file has ended, or the disk is at its wits' end
 * and is asked once more from the last whole block. */
static int take_short(struct pw_stream *s, struct pw_stream_slot *slot)
{
	struct stat st;

	if (fstat(file_of(slot)->fd, &st) == 0 &&
		(uint64_t)st.st_size < slot->from + slot->len_bytes)
		return fail(s, slot, ESTALE);
	if (slot->n_short++ == MAX_SHORT)
		return fail(s, slot, EIO);
	slot->done_bytes = pw_align_down(slot->done_bytes, PW_FILEREADER_ALIGN);
	again(s, slot);
	return 0;
}

/* One read's end: all of it, a part of it, or a reason. */
static int take(struct pw_stream *s, struct pw_stream_slot *slot, int res)
{
	s->n_reading--;
	slot->state = PW_SLOT_IDLE;
	if (res == -EINTR || res == -EAGAIN || (res < 0 && fall_back(slot, -res))) {
		again(s, slot);
		return 0;
	}
	if (res < 0)
		return fail(s, slot, -res);
	/* the last block's rest is no byte of the file, or of a file that grew */
	slot->done_bytes = pw_min_u64(slot->done_bytes + (uint64_t)res, slot->len_bytes);
	if (slot->done_bytes == slot->len_bytes) {
		slot->state = PW_SLOT_READY;
		return 0;
	}
	if (res == 0 || slot->done_bytes % PW_FILEREADER_ALIGN)
		return take_short(s, slot);
	again(s, slot);
	return 0;
}

static int take_all(struct pw_stream *s)
{
	struct io_uring_cqe *cqe;
	int ret = 0;

	while (io_uring_peek_cqe(&s->ring, &cqe) == 0) {
		int r = take(s, io_uring_cqe_get_data(cqe), cqe->res);

		io_uring_cqe_seen(&s->ring, cqe);
		ret = ret ? ret : r;
	}
	return ret;
}

int pw_stream_pump(struct pw_stream *s, uint64_t wait_ns, struct pw_err *err)
{
	struct pw_window *unused;
	int ret = s->failed.code ? -s->failed.code : take_all(s);

	if (ret == 0)
		start_reads(s);
	if (ret == 0 && wait_ns && s->n_reading && !pw_stream_ready(s, &unused)) {
		ret = pw_uring_wait(&s->ring, 1, wait_ns);
		ret = ret == -EINTR ? 0 : ret;
	} else if (ret == 0 && io_uring_sq_ready(&s->ring)) {
		ret = io_uring_submit(&s->ring);
		ret = ret >= 0 || ret == -EAGAIN || ret == -EBUSY || ret == -EINTR ? 0 : ret;
	}
	if (ret < 0 && !s->failed.code)
		pw_err_sys(&s->failed, -ret, "read by io_uring");
	if (ret == 0)
		ret = take_all(s);
	if (ret < 0 && err)
		*err = s->failed;
	return ret;
}

const struct pw_stream_piece *pw_stream_ready(struct pw_stream *s, struct pw_window **win)
{
	struct pw_stream_slot *slot = slot_of(s, s->n_sent);

	if (s->n_sent == s->n_started || slot->state != PW_SLOT_READY)
		return NULL;
	*win = &slot->win;
	return &slot->piece;
}

void pw_stream_sent(struct pw_stream *s)
{
	slot_of(s, s->n_sent)->state = PW_SLOT_IDLE;
	s->n_sent++;
}

const struct pw_stream_piece *pw_stream_owed(const struct pw_stream *s)
{
	uint64_t n;

	for (n = s->n_sent; n < s->n_started; n++) {
		const struct pw_stream_slot *slot = &s->slots[n % s->n_slots];

		if (slot->state != PW_SLOT_READY)
			return &slot->piece;
	}
	return NULL;
}

void pw_stream_drop(struct pw_stream *s)
{
	s->stuck = s->stuck || !pw_stream_settle(s);
	for (; s->n_sent < s->n_started; s->n_sent++)
		slot_of(s, s->n_sent)->state = PW_SLOT_IDLE;
	s->n_again = 0;
}

bool pw_stream_settle(struct pw_stream *s)
{
	unsigned int silent = 0;

	while (s->n_reading && silent < SETTLE_MAX) {
		uint32_t before = s->n_reading;
		int ret = pw_uring_wait(&s->ring, 1, SETTLE_NS);

		if (ret < 0 && ret != -EINTR)
			break;
		take_all(s);
		silent = s->n_reading == before ? silent + 1 : 0;
	}
	return s->n_reading == 0;
}
