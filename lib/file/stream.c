/* SPDX-License-Identifier: BSD-3-Clause */
#include "file/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/units.h"
#include "file/filereader.h"
#include "file/regfile.h"
#include "file/stream_private.h"
#include "host/uring.h"

#define SLOT_TARGET (1u << 20) /* large for a disk, small against the ring */
#define SLOT_FLOOR  (64u << 10)
#define SLOT_SHARE  16    /* a small ring has at least this many slots */
#define HEAP_BYTES  8192u /* of a heap, for an element that is aligned to a block */
#define DEPTH       32u   /* reads in flight */

static uint64_t gcd(uint64_t a, uint64_t b)
{
	return b ? gcd(b, a % b) : a;
}

/* A piece may start inside a block. */
static uint64_t slot_memory(uint64_t slot_bytes)
{
	return pw_align_up(slot_bytes, PW_FILEREADER_ALIGN) + PW_FILEREADER_ALIGN;
}

static uint64_t slot_cost(uint64_t slot_bytes)
{
	return slot_memory(slot_bytes) + HEAP_BYTES;
}

/* Whole blocks and whole symbols, where that fits: no block is read twice then. */
static uint64_t choose_slot(uint64_t memory_bytes, uint32_t symbol_len)
{
	uint64_t target = pw_min_u64(SLOT_TARGET, memory_bytes / SLOT_SHARE);
	uint64_t both = symbol_len / gcd(symbol_len, PW_FILEREADER_ALIGN) * PW_FILEREADER_ALIGN;

	target = pw_max_u64(target, pw_max_u64(SLOT_FLOOR, symbol_len));
	return pw_align_down(target, both <= target ? both : symbol_len);
}

int pw_stream_plan(struct pw_stream_plan *p, const struct pw_stream_need *need, struct pw_err *err)
{
	uint64_t room, least, most;
	char have[32], want[32], out[32];

	if (need->symbol_len == 0)
		return pw_err_set(err, EINVAL, "stream: symbol length is 0");
	p->slot_bytes = choose_slot(need->memory_bytes, need->symbol_len);
	room = need->memory_bytes / slot_cost(p->slot_bytes);
	/* the slots that the driver may keep, one that is sent, and one that is read */
	least = pw_div_ceil(need->out_bytes, p->slot_bytes) + 3;
	if (room < least)
		return pw_err_set(err, ENOMEM,
			"stream through %s: the port may keep %s of packets to itself until it is "
			"handed more; raise --stream-memory to %s, or lower --queue-size",
			pw_units_size(have, sizeof(have), need->memory_bytes),
			pw_units_size(out, sizeof(out), need->out_bytes),
			pw_units_size(want, sizeof(want),
				pw_align_up(least * slot_cost(p->slot_bytes), 1u << 20)));
	most = pw_div_ceil(need->file_bytes, p->slot_bytes) + need->n_parts;
	p->n_slots = (uint32_t)pw_min_u64(room, pw_max_u64(least, most));
	p->band_slots = (uint32_t)((room - pw_div_ceil(need->out_bytes, p->slot_bytes)) / 2);
	return 0;
}

uint64_t pw_stream_band_memory(const struct pw_stream_need *need, uint64_t band_bytes)
{
	struct pw_stream_need more = *need;
	struct pw_stream_plan p;

	more.memory_bytes = pw_align_up(2 * band_bytes + need->out_bytes, 1u << 20);
	while (pw_stream_plan(&p, &more, NULL) ||
		p.band_slots < pw_div_ceil(band_bytes, p.slot_bytes) + 2)
		more.memory_bytes += 1u << 20;
	return more.memory_bytes;
}

uint64_t pw_stream_plan_bytes(const struct pw_stream_plan *p)
{
	return p->n_slots * slot_cost(p->slot_bytes);
}

static void release(struct pw_window *w)
{
	free(w->priv);
}

int pw_stream_file_open(struct pw_window *w, const char *path, struct pw_err *err)
{
	struct pw_filereader *in = calloc(1, sizeof(*in));
	int ret;

	*w = (struct pw_window){0};
	if (!in)
		return pw_err_sys(err, ENOMEM, "stream %s", path);
	ret = pw_filereader_open(in, path, "stream", err);
	if (ret < 0) {
		free(in);
		return ret;
	}
	w->pages = PW_PAGES_STREAM;
	w->len_bytes = in->len_bytes;
	w->mtime_ns = pw_regfile_mtime_ns(&in->st);
	w->page_bytes = PW_FILEREADER_ALIGN;
	w->cpu_copies = !in->direct;
	w->fd = in->fd; /* closed with the window */
	w->priv = in;
	w->release = release;
	return 0;
}

int pw_stream_probe(const char *path, bool *direct, struct pw_err *err)
{
	struct pw_window w;
	int ret = pw_stream_file_open(&w, path, err);

	if (ret < 0)
		return ret;
	*direct = w.cpu_copies == 0;
	pw_window_close(&w);
	return 0;
}

static void free_slots(struct pw_stream *s)
{
	uint32_t i;

	for (i = 0; i < s->n_slots; i++) {
		struct pw_stream_slot *slot = &s->slots[i];

		if (slot->win.n_out)
			continue;
		if (slot->mem)
			s->cfg.mem.free(s->cfg.mem.ctx, slot->mem);
		free(slot->win.extents);
	}
}

static void free_ring(struct pw_stream *s)
{
	if (!s)
		return;
	free(s->slots);
	free(s->order);
	free(s);
}

static int make_slot(struct pw_stream *s, struct pw_stream_slot *slot)
{
	slot->mem = s->cfg.mem.alloc(s->cfg.mem.ctx, s->slot_memory, PW_FILEREADER_ALIGN);
	slot->win.extents = calloc(1, sizeof(*slot->win.extents));
	if (!slot->mem || !slot->win.extents)
		return -ENOMEM;
	slot->is_free = true;
	slot->win.pages = PW_PAGES_STREAM;
	slot->win.len_bytes = slot->win.map_bytes = s->slot_memory;
	slot->win.page_bytes = s->cfg.mem.page_bytes ? s->cfg.mem.page_bytes : PW_FILEREADER_ALIGN;
	slot->win.writable = true;
	slot->win.n_extents = 1;
	slot->win.extents[0] = (struct pw_extent){
		.va = slot->mem, .iova = PW_IOVA_NONE, .len_bytes = s->slot_memory};
	return 0;
}

/* Pinned once instead of at each read. A memlock limit that is too low costs just that. */
static void register_buffers(struct pw_stream *s)
{
	struct iovec *v = calloc(s->n_slots, sizeof(*v));
	uint32_t i;

	for (i = 0; v && i < s->n_slots; i++)
		v[i] = (struct iovec){s->slots[i].mem, s->slot_memory};
	s->registered = v && io_uring_register_buffers(&s->ring, v, s->n_slots) == 0;
	free(v);
}

int pw_stream_create(struct pw_stream **out, const struct pw_stream_config *cfg, struct pw_err *err)
{
	static const struct pw_uring_want want = {
		.sq_entries = DEPTH,
		.cq_entries = 2 * DEPTH,
		.op = IORING_OP_READ_FIXED,
		.op_name = "IORING_OP_READ_FIXED",
		.since = "5.1",
	};
	struct pw_stream *s = calloc(1, sizeof(*s));
	uint32_t i;
	int ret = 0;

	*out = NULL;
	if (s) {
		s->slots = calloc(cfg->plan.n_slots, sizeof(*s->slots));
		s->order = calloc(cfg->plan.n_slots, sizeof(*s->order));
	}
	if (!s || !s->slots || !s->order) {
		free_ring(s);
		return pw_err_sys(err, ENOMEM, "cannot stream");
	}
	s->cfg = *cfg;
	s->n_slots = cfg->plan.n_slots;
	s->depth = DEPTH;
	s->slot_memory = slot_memory(cfg->plan.slot_bytes);
	for (i = 0; ret == 0 && i < s->n_slots; i++)
		ret = make_slot(s, &s->slots[i]);
	if (ret < 0)
		pw_err_set(err, ENOMEM,
			"cannot stream: slot %u of %u finds no memory; raise --memory, add huge "
			"pages or "
			"lower --stream-memory (pagewire doctor: hugepages.free)",
			i, s->n_slots);
	else
		ret = pw_uring_open(&s->ring, &want, err);
	if (ret < 0) {
		free_slots(s);
		free_ring(s);
		return ret;
	}
	register_buffers(s);
	*out = s;
	return 0;
}

uint32_t pw_stream_n_slots(const struct pw_stream *s)
{
	return s->n_slots;
}

struct pw_window *pw_stream_slot(struct pw_stream *s, uint32_t i)
{
	return &s->slots[i].win;
}

void pw_stream_destroy(struct pw_stream *s)
{
	if (!s)
		return;
	pw_stream_drop(s);
	if (s->stuck)
		return; /* the disk may still write to the slots */
	io_uring_queue_exit(&s->ring);
	free_slots(s);
	free_ring(s);
}
