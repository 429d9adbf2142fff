/* SPDX-License-Identifier: BSD-3-Clause */
/* Submits and completes the reads that fill the slots of a stream's ring. */
#include <errno.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "file/filereader.h"
#include "file/stream_private.h"
#include "host/uring.h"

#define SETTLE_NS  100000000ull
#define SETTLE_MAX 100 /* times SETTLE_NS without an answer of the disk */
#define MAX_SHORT  3

/* The slot of piece n, which was started and not taken. */
static struct pw_stream_slot *slot_of(const struct pw_stream *s, uint64_t n)
{
	return &s->slots[s->order[n % s->n_slots]];
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
			"cannot read %s: it was truncated to %llu of %llu bytes while it was being "
			"sent; send it again when nothing writes to it",
			in->path, (unsigned long long)at, (unsigned long long)in->len_bytes);
	return pw_err_sys(
		&s->failed, code, "cannot read %s at byte %llu", in->path, (unsigned long long)at);
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

/* The extents of its window now describe the piece. They end with it, because a packet is cut to what its
 * extent has. */
static void lay_out(struct pw_stream_slot *slot, uint64_t slot_memory)
{
	struct pw_window *w = &slot->win;
	uint32_t i;

	for (i = 0; i < w->n_extents; i++) {
		struct pw_extent *extent = &w->extents[i];
		uint64_t at = (uint64_t)(extent->va - slot->mem);
		uint64_t end =
			i + 1 < w->n_extents ? (uint64_t)(extent[1].va - slot->mem) : slot_memory;

		extent->offset = slot->from + at;
		end = pw_min_u64(end, slot->len_bytes);
		extent->len_bytes = end > at ? end - at : 0;
	}
}

static bool find_free(struct pw_stream *s, uint32_t *slot)
{
	uint32_t i;

	for (i = 0; i < s->n_slots; i++) {
		*slot = (s->next_slot + i) % s->n_slots;
		if (atomic_load_explicit(&s->slots[*slot].is_free, memory_order_acquire)) {
			s->next_slot = (*slot + 1) % s->n_slots;
			return true;
		}
	}
	return false;
}

static bool start_next(struct pw_stream *s)
{
	struct pw_stream_slot *slot;
	uint32_t i;

	if (!find_free(s, &i))
		return false;
	slot = &s->slots[i];
	if (!s->cfg.next(s->cfg.ctx, &slot->piece))
		return false;
	s->order[s->n_started % s->n_slots] = i;
	slot->from = pw_align_down(slot->piece.offset, PW_FILEREADER_ALIGN);
	slot->len_bytes = slot->piece.offset + slot->piece.len_bytes - slot->from;
	slot->done_bytes = 0;
	slot->n_short = 0;
	atomic_store_explicit(&slot->is_free, false, memory_order_relaxed);
	slot->state = slot->piece.file ? PW_SLOT_AGAIN : PW_SLOT_READY;
	lay_out(slot, s->slot_memory);
	s->n_again += slot->state == PW_SLOT_AGAIN;
	s->n_started++;
	return true;
}

/* Pieces that were read in part come first: they are the next to be sent. */
static void start_reads(struct pw_stream *s)
{
	uint64_t n;

	while (s->n_reading + s->n_again < s->depth && start_next(s))
		;
	for (n = s->n_taken; s->n_again && n < s->n_started; n++) {
		struct pw_stream_slot *slot = slot_of(s, n);

		if (slot->state != PW_SLOT_AGAIN)
			continue;
		if (!submit(s, slot))
			return;
		s->n_again--;
	}
}

/* The file system refuses a direct read although it accepted O_DIRECT. */
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

/* Short read that is no multiple of a block: the file has ended, or the read is tried again from the last
 * whole block. */
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

/* A read has ended: with all bytes, with a part of them, or with an error. */
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
	/* bytes after the piece, up to the end of the block, do not count */
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

static bool is_ready(struct pw_stream *s)
{
	return s->n_taken < s->n_started && slot_of(s, s->n_taken)->state == PW_SLOT_READY;
}

int pw_stream_pump(struct pw_stream *s, uint64_t wait_ns, struct pw_err *err)
{
	int ret = s->failed.code ? -s->failed.code : take_all(s);

	if (ret == 0)
		start_reads(s);
	if (ret == 0 && wait_ns && s->n_reading && !is_ready(s)) {
		ret = pw_uring_wait(&s->ring, 1, wait_ns);
		ret = ret == -EINTR ? 0 : ret;
	} else if (ret == 0 && io_uring_sq_ready(&s->ring)) {
		ret = io_uring_submit(&s->ring);
		ret = ret >= 0 || ret == -EAGAIN || ret == -EBUSY || ret == -EINTR ? 0 : ret;
	}
	if (ret < 0 && !s->failed.code)
		pw_err_sys(&s->failed, -ret, "cannot read by io_uring");
	if (ret == 0)
		ret = take_all(s);
	if (ret < 0 && err)
		*err = s->failed;
	return ret;
}

const struct pw_stream_piece *pw_stream_take(struct pw_stream *s, uint32_t *slot)
{
	if (!is_ready(s))
		return NULL;
	*slot = s->order[s->n_taken++ % s->n_slots];
	return &s->slots[*slot].piece;
}

void pw_stream_give_back(struct pw_stream *s, uint32_t slot)
{
	atomic_store_explicit(&s->slots[slot].is_free, true, memory_order_release);
}

const struct pw_stream_piece *pw_stream_owed(const struct pw_stream *s)
{
	uint64_t n;

	for (n = s->n_taken; n < s->n_started; n++) {
		if (slot_of(s, n)->state != PW_SLOT_READY)
			return &slot_of(s, n)->piece;
	}
	return NULL;
}

void pw_stream_drop(struct pw_stream *s)
{
	uint32_t i;

	s->stuck = s->stuck || !pw_stream_settle(s);
	for (i = 0; i < s->n_slots; i++) {
		s->slots[i].state = PW_SLOT_IDLE;
		pw_stream_give_back(s, i);
	}
	s->n_taken = s->n_started;
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
