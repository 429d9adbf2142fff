/* SPDX-License-Identifier: BSD-3-Clause */
#include "replay/ring.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/thread.h"
#include "base/units.h"
#include "replay/input.h"

#define WAIT_NS   20000ull
#define SLOT_COST (PW_RING_ROOM_BYTES + PW_RING_SLOT_BYTES + 8192u)
#define SLOTS_MIN \
	18u /* one that is read, and a block of 16 MiB behind a frame that is not yet sent */
#define KEPT_NS 30000000000ull

/* A slot as one lane uses it. */
struct slot_view {
	_Alignas(64) struct pw_window win;
	struct pw_tx_object obj;
	_Atomic uint64_t done; /* the lane has finished with this filling */
};

struct slot {
	uint8_t *mem;
	struct slot_view *views; /* one for each lane */
	uint64_t number;         /* of its filling, from 1; 0: none yet */
	uint64_t from, len;      /* of the capture, behind the room */
	bool is_last;            /* of its pass: empty, behind the capture's last byte */
	uint64_t has_seam; /* the filling for which the room is filled; under the ring's lock */
};

/* What a lane has of the ring. Fillings of slots are numbered from 1. */
struct reader {
	_Alignas(64) struct pw_replay_ring *g;
	struct pw_send_lane *lane;
	const struct pw_capture *capture;
	uint64_t at;      /* the filling that is shown; 0: none yet */
	uint64_t n_taken; /* all frames of those up to here are with the path */
	uint64_t
		held; /* the first that has frames which the path has not taken; UINT64_MAX: none */
	uint64_t n_open_from; /* those up to here were put in open[] */
	struct slot **open;   /* n_open slots whose packets are with the path, in any order */
	uint32_t n_open;
	uint64_t from, to; /* bytes of the capture that are shown */
};

struct pw_replay_ring {
	struct pw_replay_ring_config cfg;
	struct pw_replay_input in;
	struct slot *slots;
	uint32_t n_slots;
	_Atomic uint32_t *order; /* filling i is in slot order[i % n_slots] */
	struct reader *readers;
	pthread_t thread;
	bool started;
	_Atomic uint64_t n_read; /* fillings: the reading thread's */
	atomic_bool is_full;     /* it waits for a slot */
	_Atomic uint64_t bytes;
	pthread_mutex_t lock;
	uint64_t seam_bytes; /* under lock */
	atomic_bool stop, failed;
	struct pw_err err; /* with failed */
};

static struct slot *slot_of(const struct pw_replay_ring *g, uint64_t number)
{
	return &g->slots[atomic_load_explicit(
		&g->order[number % g->n_slots], memory_order_relaxed)];
}

static bool is_free(const struct pw_replay_ring *g, const struct slot *s)
{
	uint32_t i;

	for (i = 0; i < g->cfg.n_lanes; i++)
		if (atomic_load_explicit(&s->views[i].done, memory_order_acquire) != s->number)
			return false;
	return true;
}

/* A slot for the next filling, mostly the one after *last; NULL: stopped. */
static struct slot *await_free(struct pw_replay_ring *g, uint32_t *last)
{
	uint32_t i;

	while (!atomic_load_explicit(&g->stop, memory_order_relaxed)) {
		for (i = 1; i <= g->n_slots; i++) {
			const uint32_t at = (*last + i) % g->n_slots;

			if (!is_free(g, &g->slots[at]))
				continue;
			*last = at;
			atomic_store_explicit(&g->is_full, false, memory_order_relaxed);
			return &g->slots[at];
		}
		atomic_store_explicit(&g->is_full, true, memory_order_relaxed);
		pw_lane_nap(WAIT_NS);
	}
	return NULL;
}

/* One pass over the capture; 0, or -errno. */
static int read_pass(struct pw_replay_ring *g, uint32_t *last, struct pw_err *err)
{
	uint64_t offset = 0, number = atomic_load(&g->n_read);
	bool is_last = false;
	struct slot *s;

	while (!is_last && (s = await_free(g, last))) {
		ssize_t n = pw_replay_input_read(
			&g->in, s->mem + PW_RING_ROOM_BYTES, PW_RING_SLOT_BYTES, err);

		if (n < 0)
			return (int)n;
		is_last = n == 0; /* a short read may be one before an error */
		s->number = ++number;
		s->from = offset;
		s->len = (uint64_t)n;
		s->is_last = is_last;
		offset += (uint64_t)n;
		atomic_store_explicit(&g->order[number % g->n_slots], *last, memory_order_relaxed);
		atomic_fetch_add_explicit(&g->bytes, (uint64_t)n, memory_order_relaxed);
		atomic_store_explicit(&g->n_read, number, memory_order_release);
	}
	return is_last ? 0 : -ECANCELED;
}

static void *thread_main(void *arg)
{
	struct pw_replay_ring *g = arg;
	uint64_t pass = 0;
	uint32_t last = g->n_slots - 1;
	int r = 0;

	for (pass = 1; r == 0 && (g->cfg.loops == 0 || pass <= g->cfg.loops); pass++) {
		if (pass > 1)
			r = pw_replay_input_rewind(&g->in, &g->err);
		if (r == 0)
			r = read_pass(g, &last, &g->err);
	}
	if (r && r != -ECANCELED)
		atomic_store_explicit(&g->failed, true, memory_order_release);
	return NULL;
}

/* Gives slots back whose packets are sent. */
static void reclaim(struct reader *v)
{
	uint32_t i = 0;

	while (v->n_open_from < v->n_taken)
		v->open[v->n_open++] = slot_of(v->g, ++v->n_open_from);
	while (i < v->n_open) {
		const struct slot *s = v->open[i];
		struct slot_view *w = &s->views[v->lane->index];

		if (w->win.n_out) {
			i++;
			continue;
		}
		v->open[i] = v->open[--v->n_open];
		atomic_store_explicit(&w->done, s->number, memory_order_release);
	}
}

/* Some drivers give packets back only when they get new ones: packets that are kept may hold up the whole ring. */
static int check_kept(const struct reader *v, uint64_t since_ns, struct pw_err *err)
{
	if (!atomic_load_explicit(&v->g->is_full, memory_order_relaxed) || v->n_open == 0 ||
		pw_clock_ns() - since_ns < KEPT_NS)
		return 0;
	return pw_err_set(err, ETIMEDOUT,
		"cannot stream %s: the port keeps packets until it is handed more, for 30 s; use "
		"--pages stage or pagecache, or raise --stream-memory",
		v->g->cfg.path);
}

/* Waits for the slot behind the one that is shown. */
static int await_slot(struct reader *v, struct pw_err *err)
{
	const uint64_t start = pw_cycles(), start_ns = pw_clock_ns();
	struct pw_replay_ring *g = v->g;
	int r = 0;

	reclaim(v);
	while (r == 0 && atomic_load_explicit(&g->n_read, memory_order_acquire) <= v->at) {
		if (atomic_load_explicit(&g->failed, memory_order_acquire)) {
			*err = g->err;
			return -err->code;
		}
		r = pw_lane_pause(v->lane, WAIT_NS, err);
		reclaim(v);
		if (r == 0)
			r = check_kept(v, start_ns, err);
	}
	v->lane->read_cycles += pw_cycles() - start;
	return r;
}

/* Copies the last bytes of a slot into the room of the next one. All lanes ask for the same bytes. */
static void copy_seam(
	struct pw_replay_ring *g, struct slot *s, const struct slot *old, uint64_t keep)
{
	pthread_mutex_lock(&g->lock);
	if (s->has_seam != s->number) {
		memcpy(s->mem + PW_RING_ROOM_BYTES - keep,
			old->mem + PW_RING_ROOM_BYTES + old->len - keep, keep);
		s->has_seam = s->number;
		g->seam_bytes += keep;
	}
	pthread_mutex_unlock(&g->lock);
}

/* Shows the next slot. Bytes from `keep_from` on are copied into its room. */
static int show_next(struct reader *v, uint64_t keep_from, struct pw_err *err)
{
	struct pw_replay_ring *g = v->g;
	const struct slot *old = v->at ? slot_of(g, v->at) : NULL;
	uint64_t keep = old && keep_from < v->to ? v->to - pw_max_u64(keep_from, v->from) : 0;
	struct slot *s;
	int r;

	/* slots without a frame to send are free as soon as they were shown */
	if (old)
		v->n_taken = pw_min_u64(v->held, v->at) - 1;
	r = await_slot(v, err);
	if (r)
		return r;
	s = slot_of(g, v->at + 1);
	if (keep >
		PW_RING_ROOM_BYTES) /* a long block that is skipped: what may be looked at again */
		keep = PW_CAPTURE_LOOK_MAX;
	if (keep)
		copy_seam(g, s, old, keep);
	v->from = s->from - keep;
	v->to = s->from + s->len;
	v->at++;
	return 0;
}

static int view(
	void *ctx, uint64_t offset, size_t len, struct pw_capture_view *show, struct pw_err *err)
{
	struct reader *v = ctx;
	const struct slot *s;

	while (v->at == 0 || offset + len > v->to) {
		int r;

		if (offset + len < offset || (v->at && slot_of(v->g, v->at)->is_last))
			return 0;
		r = show_next(v, pw_min_u64(offset, v->capture->at), err);
		if (r)
			return r;
	}
	s = slot_of(v->g, v->at);
	*show = (struct pw_capture_view){
		s->mem + PW_RING_ROOM_BYTES - (s->from - v->from), v->from, v->to};
	return 1;
}

static struct pw_tx_object *object(void *ctx, uint64_t offset, uint64_t *at)
{
	struct reader *v = ctx;
	const struct slot *s = slot_of(v->g, v->at);

	v->held = pw_min_u64(v->held, v->at);
	*at = offset + PW_RING_ROOM_BYTES - s->from;
	return offset >= v->from ? &s->views[v->lane->index].obj : NULL;
}

static const uint8_t *bytes(void *ctx, uint64_t offset, uint32_t len, uint8_t *room)
{
	const struct reader *v = ctx;
	const struct slot *s = slot_of(v->g, v->at);

	(void)len;
	(void)room;
	return offset >= v->from ? s->mem + (offset + PW_RING_ROOM_BYTES - s->from) : NULL;
}

static void taken(void *ctx, bool kept)
{
	struct reader *v = ctx;

	v->n_taken = v->at ? v->at - 1 : 0;
	v->held = kept ? v->at : UINT64_MAX;
	reclaim(v);
}

static int rewind_pass(void *ctx, struct pw_err *err)
{
	struct reader *v = ctx;
	bool is_last;

	do {
		is_last = slot_of(v->g, v->at)->is_last;
		if (!is_last) {
			int r = show_next(v, UINT64_MAX, err);

			if (r)
				return r;
		}
	} while (!is_last);
	return show_next(v, UINT64_MAX, err);
}

struct pw_replay_feed pw_replay_ring_feed(
	struct pw_replay_ring *g, struct pw_send_lane *lane, const struct pw_capture *capture)
{
	struct reader *v = &g->readers[lane->index];

	v->lane = lane;
	v->capture = capture;
	return (struct pw_replay_feed){.view = view,
		.object = object,
		.bytes = bytes,
		.taken = taken,
		.rewind = rewind_pass,
		.ctx = v};
}

void pw_replay_ring_counts(const struct pw_replay_ring *g, struct pw_replay_ring_counts *c)
{
	*c = (struct pw_replay_ring_counts){.bytes = atomic_load(&g->bytes),
		.seam_bytes = g->seam_bytes,
		.copies = pw_replay_input_copies(&g->in)};
}

uint64_t pw_replay_ring_memory(uint64_t bytes)
{
	return pw_max_u64(bytes / SLOT_COST, SLOTS_MIN) * SLOT_COST;
}

static int no_memory(const struct pw_replay_ring *g, struct pw_err *err)
{
	return pw_err_set(err, ENOMEM,
		"cannot stream %s: a slot of the ring finds no memory; raise --memory, add "
		"huge pages or lower --stream-memory (pagewire doctor: hugepages.free)",
		g->cfg.path);
}

/* The slot as lane i uses it. EAL's memory is mapped with EAL: nothing has to be detached. */
static int make_view(struct pw_replay_ring *g, struct slot *s, uint32_t i, struct pw_err *err)
{
	const struct pw_stage_mem *mem = &g->cfg.mem;
	const uint64_t bytes = PW_RING_ROOM_BYTES + PW_RING_SLOT_BYTES;
	struct slot_view *w = &s->views[i];

	w->win.extents = calloc(1, sizeof(*w->win.extents));
	if (!w->win.extents)
		return no_memory(g, err);
	w->win.pages = PW_PAGES_STREAM;
	w->win.len_bytes = w->win.map_bytes = bytes;
	w->win.page_bytes = mem->page_bytes ? mem->page_bytes : PW_FILEREADER_ALIGN;
	w->win.writable = true;
	w->win.n_extents = 1;
	w->win.extents[0] =
		(struct pw_extent){.va = s->mem, .iova = PW_IOVA_NONE, .len_bytes = bytes};
	w->obj.win = &w->win;
	return g->cfg.ops->attach(g->cfg.paths[i], &w->obj, err);
}

static int make_slot(struct pw_replay_ring *g, struct slot *s, struct pw_err *err)
{
	const struct pw_stage_mem *mem = &g->cfg.mem;
	const uint64_t views_bytes = g->cfg.n_lanes * sizeof(*s->views);
	uint32_t i;
	int r = 0;

	s->mem = mem->alloc(mem->ctx, PW_RING_ROOM_BYTES + PW_RING_SLOT_BYTES, PW_FILEREADER_ALIGN);
	s->views = aligned_alloc(64, views_bytes);
	if (s->views)
		memset(s->views, 0, views_bytes);
	if (!s->mem || !s->views)
		return no_memory(g, err);
	for (i = 0; r == 0 && i < g->cfg.n_lanes; i++)
		r = make_view(g, s, i, err);
	return r;
}

static bool is_stopped(void *ctx)
{
	const struct pw_replay_ring *g = ctx;

	return atomic_load_explicit(&g->stop, memory_order_relaxed) ||
	       (g->cfg.stopped && g->cfg.stopped());
}

static int check_room(const struct pw_replay_ring_config *cfg, struct pw_err *err)
{
	const uint64_t least =
		(pw_div_ceil(cfg->out_bytes, PW_RING_SLOT_BYTES) + SLOTS_MIN) * SLOT_COST;
	char have[32], want[32];

	if (cfg->bytes >= least)
		return 0;
	return pw_err_set(err, ENOMEM,
		"cannot stream %s through %s: the port may keep as many packets to itself until it "
		"is "
		"handed more; raise --stream-memory to %s, or lower --queue-size",
		cfg->path, pw_units_size(have, sizeof(have), cfg->bytes),
		pw_units_size(want, sizeof(want), pw_align_up(least, 1u << 20)));
}

static int make_tables(struct pw_replay_ring *g, struct pw_err *err)
{
	const uint64_t readers_bytes = g->cfg.n_lanes * sizeof(*g->readers);
	uint32_t i;

	g->n_slots = (uint32_t)(g->cfg.bytes / SLOT_COST);
	g->slots = calloc(g->n_slots, sizeof(*g->slots));
	g->order = calloc(g->n_slots, sizeof(*g->order));
	g->readers = aligned_alloc(64, readers_bytes);
	if (!g->slots || !g->order || !g->readers)
		return pw_err_set(err, ENOMEM, "cannot stream %s: out of memory", g->cfg.path);
	memset(g->readers, 0, readers_bytes);
	for (i = 0; i < g->cfg.n_lanes; i++) {
		g->readers[i].g = g;
		g->readers[i].held = UINT64_MAX;
		g->readers[i].open = calloc(g->n_slots, sizeof(*g->readers[i].open));
		if (!g->readers[i].open)
			return pw_err_set(
				err, ENOMEM, "cannot stream %s: out of memory", g->cfg.path);
	}
	return 0;
}

int pw_replay_ring_create(
	struct pw_replay_ring **out, const struct pw_replay_ring_config *cfg, struct pw_err *err)
{
	struct pw_replay_ring *g = calloc(1, sizeof(*g));
	uint32_t i;
	int r = g ? check_room(cfg, err) : pw_err_set(err, ENOMEM, "cannot stream: out of memory");

	*out = g;
	if (!g)
		return r;
	pthread_mutex_init(&g->lock, NULL);
	g->cfg = *cfg;
	g->in.fd = -1;
	if (r == 0)
		r = make_tables(g, err);
	if (r)
		return r;
	r = pw_replay_input_open(&g->in, cfg->path, is_stopped, g, err);
	if (r == -ECANCELED)
		return pw_err_set(err, ECANCELED,
			"cannot replay %s: interrupted before its first bytes came", cfg->path);
	for (i = 0; r == 0 && i < g->n_slots; i++)
		r = make_slot(g, &g->slots[i], err);
	if (r)
		return r;
	r = pw_thread_start(&g->thread, thread_main, g);
	if (r)
		return pw_err_sys(err, r, "cannot start a thread to read %s", cfg->path);
	g->started = true;
	return 0;
}

/* Memory that the driver still holds is leaked. */
static void free_slot(const struct pw_replay_ring *g, struct slot *s)
{
	bool is_out = false;
	uint32_t i;

	for (i = 0; s->views && i < g->cfg.n_lanes; i++) {
		is_out |= s->views[i].win.n_out > 0;
		free(s->views[i].win.extents);
	}
	if (s->mem && !is_out)
		g->cfg.mem.free(g->cfg.mem.ctx, s->mem);
	free(s->views);
}

void pw_replay_ring_destroy(struct pw_replay_ring *g)
{
	uint32_t i;

	if (!g)
		return;
	atomic_store(&g->stop, true);
	if (g->started)
		pthread_join(g->thread, NULL);
	for (i = 0; g->slots && i < g->n_slots; i++)
		free_slot(g, &g->slots[i]);
	pw_replay_input_close(&g->in);
	pthread_mutex_destroy(&g->lock);
	free(g->slots);
	free(g->order);
	for (i = 0; g->readers && i < g->cfg.n_lanes; i++)
		free(g->readers[i].open);
	free(g->readers);
	free(g);
}
