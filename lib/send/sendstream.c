/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Streamed files: the ring is read ahead over all files of a group, and each piece of it, a page
 * window of its own, stands in for the object's while its symbols go.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "file/digest.h"
#include "send/send_private.h"

#define WAIT_NS     1000000ull    /* asleep for the disk, between two looks at the driver */
#define PATIENCE_NS 5000000000ull /* a disk that says nothing for so long is reported */
#define KEPT_NS     30000000000ull

struct pw_sendstream {
	struct pw_stream *ring;
	/* what is read next: symbols of a file of the group */
	size_t file;
	struct pw_send_ranges ranges;
	uint64_t from, to;
};

/* The next symbols to be read, in the order in which they will be sent. */
static bool next_symbols(struct pw_send *s, struct pw_sendstream *st)
{
	while (st->from == st->to) {
		if (st->ranges.slot && pw_send_next_range(&st->ranges, &st->from, &st->to))
			return true;
		st->ranges = (struct pw_send_ranges){0};
		if (st->file == s->n_group)
			return false;
		if (s->group[st->file]->win.pages == PW_PAGES_STREAM)
			st->ranges.slot = s->group[st->file];
		st->file++;
	}
	return true;
}

static bool next_piece(void *ctx, struct pw_stream_piece *piece)
{
	struct pw_send *s = ctx;
	struct pw_sendstream *st = s->stream;
	const uint32_t symbol = s->cfg.symbol_len;
	struct pw_send_slot *slot;
	uint64_t n;

	if (!next_symbols(s, st))
		return false;
	slot = s->group[st->file - 1];
	n = pw_min_u64(st->to - st->from, s->cfg.stream.slot_bytes / symbol);
	piece->file = &slot->win;
	piece->owner = slot;
	piece->offset = st->from * symbol;
	piece->len_bytes = pw_min_u64(n * symbol, slot->win.len_bytes - piece->offset);
	st->from += n;
	return true;
}

static int attach_ring(struct pw_send *s, struct pw_stream *ring, struct pw_err *err)
{
	uint32_t i;
	int r = 0;

	/* EAL's memory is mapped with EAL: there is nothing to detach */
	for (i = 0; r == 0 && i < pw_stream_n_slots(ring); i++) {
		struct pw_tx_object obj = {.win = pw_stream_slot(ring, i)};

		r = s->cfg.ops->attach(s->cfg.path, &obj, err);
	}
	return r;
}

static int make_ring(struct pw_send *s, struct pw_err *err)
{
	struct pw_stream_config cfg = {
		.plan = s->cfg.stream, .mem = s->cfg.stream_mem, .next = next_piece, .ctx = s};
	struct pw_sendstream *st = calloc(1, sizeof(*st));
	int r;

	if (!st)
		return pw_err_set(err, ENOMEM, "stream: out of memory");
	r = pw_stream_create(&st->ring, &cfg, err);
	if (r == 0)
		r = attach_ring(s, st->ring, err);
	if (r) {
		pw_stream_destroy(st->ring);
		free(st);
		return r;
	}
	s->stream = st;
	return 0;
}

/* A repair reads only what is missing: the digest is what the manifest says it is. */
static int open_digests(struct pw_send *s, struct pw_send_slot *slot, struct pw_err *err)
{
	struct pw_file *file = slot->file;
	int r = 0;

	if (file->gap) {
		if (s->cfg.set.digest != PW_DIGEST_NONE)
			file->digest = file->gap->digest;
		return 0;
	}
	if (s->cfg.set.digest != PW_DIGEST_NONE && file->digest.kind == PW_DIGEST_NONE)
		r = pw_digest_create(&slot->digest, s->cfg.set.digest, err);
	if (r == 0 && s->cfg.set.md5 && file->md5.kind == PW_DIGEST_NONE)
		r = pw_digest_create(&slot->md5, PW_DIGEST_MD5, err);
	return r;
}

static void finish_digest(struct pw_send *s, struct pw_digest_state **st, struct pw_digest *out)
{
	if (!*st)
		return;
	pw_digest_final(*st, out);
	pw_digest_destroy(*st);
	*st = NULL;
	s->fdt_news = true;
}

static void finish_digests(struct pw_send *s, struct pw_send_slot *slot)
{
	finish_digest(s, &slot->digest, &slot->file->digest);
	finish_digest(s, &slot->md5, &slot->file->md5);
}

int pw_sendstream_open(struct pw_send *s, struct pw_send_slot *slot, struct pw_err *err)
{
	int r = s->stream ? 0 : make_ring(s, err);

	if (r == 0)
		r = open_digests(s, slot, err);
	if (r == 0 && slot->win.len_bytes == 0)
		finish_digests(s, slot);
	return r;
}

int pw_sendstream_start(struct pw_send *s, struct pw_err *err)
{
	struct pw_sendstream *st = s->stream;

	if (!st)
		return 0;
	st->file = 0;
	st->from = st->to = 0;
	st->ranges = (struct pw_send_ranges){0};
	return pw_stream_pump(st->ring, 0, err);
}

struct wait {
	uint64_t since_ns;
	uint64_t say_ns; /* when it is time to say that nothing comes */
};

/* Nothing is ready: either the disk owes it, or the driver keeps every slot. */
static int still_waiting(struct pw_send *s, struct wait *w, struct pw_err *err)
{
	const struct pw_stream_piece *owed = pw_stream_owed(s->stream->ring);
	uint64_t now = pw_clock_ns();
	uint64_t patience = s->cfg.read_patience_ns ? s->cfg.read_patience_ns : PATIENCE_NS;
	int r;

	if (w->since_ns == 0) {
		w->since_ns = now;
		w->say_ns = now + patience;
	}
	s->cfg.ops->reap(s->cfg.path);
	r = pw_send_look(s, now, PW_SEND_SENDING, err);
	if (r == 0 && now >= s->next_fdt_ns)
		r = pw_send_fdt(s, false, err);
	if (r)
		return r;
	if (owed && now >= w->say_ns) {
		const struct pw_send_slot *slot = owed->owner;

		pw_warn(s->cfg.log,
			"read %s at byte %" PRIu64 ": the disk has not answered for %.1f s",
			slot->file->path, owed->offset, (double)(now - w->since_ns) / 1e9);
		w->say_ns = now + patience;
	}
	if (!owed && !s->down_ns && now - w->since_ns > KEPT_NS)
		return pw_err_set(err, ETIMEDOUT,
			"send on %s: it keeps %u packets and lets no memory go; raise "
			"--stream-memory",
			s->cfg.path_text, s->cfg.ops->outstanding(s->cfg.path));
	return 0;
}

static int await_piece(struct pw_send *s, const struct pw_stream_piece **piece,
	struct pw_window **win, struct pw_err *err)
{
	struct pw_stream *ring = s->stream->ring;
	struct wait w = {0};
	uint64_t start;
	int r = pw_stream_pump(ring, 0, err);

	*piece = pw_stream_ready(ring, win);
	if (r || *piece)
		return r;
	start = pw_cycles();
	while (r == 0 && !*piece) {
		r = still_waiting(s, &w, err);
		if (r == 0)
			r = pw_stream_pump(ring, WAIT_NS, err);
		*piece = pw_stream_ready(ring, win);
	}
	s->res->read_cycles += pw_cycles() - start;
	return r;
}

/* The one read by the CPU, while the bytes are near it: the port's copy, if it makes one, finds them
 * there. */
static void digest_piece(
	struct pw_send_slot *slot, const struct pw_window *win, const struct pw_stream_piece *piece)
{
	/* a slot is contiguous for the CPU, whatever its runs are for the device */
	const uint8_t *data = win->extents[0].va + (piece->offset - win->extents[0].offset);

	if (slot->digest)
		pw_digest_update(slot->digest, data, piece->len_bytes);
	if (slot->md5)
		pw_digest_update(slot->md5, data, piece->len_bytes);
}

static uint64_t count_symbols(const struct pw_send_slot *slot)
{
	struct pw_send_ranges ranges = {.slot = slot};
	uint64_t from, to, n = 0;

	while (pw_send_next_range(&ranges, &from, &to))
		n += to - from;
	return n;
}

int pw_sendstream_symbols(struct pw_send *s, struct pw_send_slot *slot, struct pw_err *err)
{
	uint64_t left = count_symbols(slot);
	int r = 0;

	while (r == 0 && left) {
		const struct pw_stream_piece *piece;
		struct pw_window *win;
		uint64_t first, n;

		r = await_piece(s, &piece, &win, err);
		if (r)
			break;
		first = piece->offset / s->cfg.symbol_len;
		n = pw_div_ceil(piece->len_bytes, s->cfg.symbol_len);
		digest_piece(slot, win, piece);
		slot->obj.win = win;
		r = pw_send_range(s, &slot->obj, first, first + n, err);
		slot->obj.win = &slot->win;
		pw_stream_sent(s->stream->ring);
		left -= n;
	}
	s->res->page_in_copies = (uint8_t)pw_max_u64(s->res->page_in_copies, slot->win.cpu_copies);
	if (r == 0)
		finish_digests(s, slot);
	return r;
}

void pw_sendstream_drop(struct pw_send *s)
{
	if (s->stream)
		pw_stream_drop(s->stream->ring);
}

void pw_sendstream_destroy(struct pw_send *s)
{
	if (!s->stream)
		return;
	pw_stream_destroy(s->stream->ring);
	free(s->stream);
	s->stream = NULL;
}
