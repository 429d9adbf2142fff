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

struct slot {
	struct pw_window win;
	struct pw_tx_object obj;
	uint8_t *mem;
	uint64_t from, len; /* of the capture, behind the room */
	bool is_last;       /* of its pass: empty, behind the capture's last byte */
};

struct pw_replay_ring {
	struct pw_replay_ring_config cfg;
	struct pw_replay_input in;
	struct slot *slots;
	uint32_t n_slots;
	pthread_t thread;
	bool started;
	/* counts of slots, from the start */
	_Atomic uint64_t n_read; /* the reading thread's */
	_Atomic uint64_t n_free; /* the lane's: given back */
	uint64_t at;             /* the one that is shown, plus 1; 0: none yet */
	uint64_t n_taken;        /* all frames of those before are with the path */
	uint64_t
		held; /* the first that has frames which the path has not taken; UINT64_MAX: none */
	uint64_t from, to; /* bytes of the capture that are shown */
	uint64_t seam_bytes;
	_Atomic uint64_t bytes;
	atomic_bool stop, failed;
	struct pw_err err; /* with failed */
	struct pw_send_lane *lane;
};

static struct slot *slot_of(const struct pw_replay_ring *g, uint64_t i)
{
	return &g->slots[i % g->n_slots];
}

static bool await_free(struct pw_replay_ring *g, uint64_t i)
{
	while (i - atomic_load_explicit(&g->n_free, memory_order_acquire) >= g->n_slots) {
		if (atomic_load_explicit(&g->stop, memory_order_relaxed))
			return false;
		pw_lane_nap(WAIT_NS);
	}
	return !atomic_load_explicit(&g->stop, memory_order_relaxed);
}

/* One pass over the capture; 0, or -errno. */
static int read_pass(struct pw_replay_ring *g, struct pw_err *err)
{
	uint64_t offset = 0, i = atomic_load(&g->n_read);
	bool is_last = false;

	for (; !is_last && await_free(g, i); i++) {
		struct slot *s = slot_of(g, i);
		ssize_t n = pw_replay_input_read(
			&g->in, s->mem + PW_RING_ROOM_BYTES, PW_RING_SLOT_BYTES, err);

		if (n < 0)
			return (int)n;
		is_last = n == 0; /* a short read may be one before an error */
		s->from = offset;
		s->len = (uint64_t)n;
		s->is_last = is_last;
		offset += (uint64_t)n;
		atomic_fetch_add_explicit(&g->bytes, (uint64_t)n, memory_order_relaxed);
		atomic_store_explicit(&g->n_read, i + 1, memory_order_release);
	}
	return is_last ? 0 : -ECANCELED;
}

static void *thread_main(void *arg)
{
	struct pw_replay_ring *g = arg;
	uint64_t pass = 0;
	int r = 0;

	for (pass = 1; r == 0 && (g->cfg.loops == 0 || pass <= g->cfg.loops); pass++) {
		if (pass > 1)
			r = pw_replay_input_rewind(&g->in, &g->err);
		if (r == 0)
			r = read_pass(g, &g->err);
	}
	if (r && r != -ECANCELED)
		atomic_store_explicit(&g->failed, true, memory_order_release);
	return NULL;
}

static void reclaim(struct pw_replay_ring *g)
{
	uint64_t n = atomic_load_explicit(&g->n_free, memory_order_relaxed);

	while (n < g->n_taken && slot_of(g, n)->win.n_out == 0)
		n++;
	atomic_store_explicit(&g->n_free, n, memory_order_release);
}

/* Some drivers give packets back only when they get new ones: one packet that is kept holds up the whole ring. */
static int check_kept(const struct pw_replay_ring *g, uint64_t since_ns, struct pw_err *err)
{
	const uint64_t n_free = atomic_load_explicit(&g->n_free, memory_order_relaxed);
	const bool is_full =
		atomic_load_explicit(&g->n_read, memory_order_relaxed) - n_free == g->n_slots;

	if (!is_full || slot_of(g, n_free)->win.n_out == 0 || pw_clock_ns() - since_ns < KEPT_NS)
		return 0;
	return pw_err_set(err, ETIMEDOUT,
		"cannot stream %s: the port keeps packets until it is handed more, for 30 s; use "
		"--pages stage or pagecache, or raise --stream-memory",
		g->cfg.path);
}

/* Waits for the slot behind the one that is shown. */
static int await_slot(struct pw_replay_ring *g, struct pw_err *err)
{
	const uint64_t start = pw_cycles(), start_ns = pw_clock_ns();
	int r = 0;

	reclaim(g);
	while (r == 0 && atomic_load_explicit(&g->n_read, memory_order_acquire) <= g->at) {
		if (atomic_load_explicit(&g->failed, memory_order_acquire)) {
			*err = g->err;
			return -err->code;
		}
		r = pw_lane_pause(g->lane, WAIT_NS, err);
		reclaim(g);
		if (r == 0)
			r = check_kept(g, start_ns, err);
	}
	g->lane->read_cycles += pw_cycles() - start;
	return r;
}

/* Shows the next slot. Bytes from `keep_from` on are copied into its room. */
static int show_next(struct pw_replay_ring *g, uint64_t keep_from, struct pw_err *err)
{
	const struct slot *old = g->at ? slot_of(g, g->at - 1) : NULL;
	uint64_t keep = old && keep_from < g->to ? g->to - pw_max_u64(keep_from, g->from) : 0;
	struct slot *s;
	int r;

	/* slots without a frame to send are free as soon as they were shown */
	if (old)
		g->n_taken = pw_min_u64(g->held, g->at - 1);
	r = await_slot(g, err);
	if (r)
		return r;
	s = slot_of(g, g->at);
	if (keep >
		PW_RING_ROOM_BYTES) /* a long block that is skipped: what may be looked at again */
		keep = PW_CAPTURE_LOOK_MAX;
	if (keep) {
		memcpy(s->mem + PW_RING_ROOM_BYTES - keep,
			old->mem + PW_RING_ROOM_BYTES + (g->to - keep - old->from), keep);
		g->seam_bytes += keep;
	}
	g->from = s->from - keep;
	g->to = s->from + s->len;
	g->at++;
	return 0;
}

static int view(
	void *ctx, uint64_t offset, size_t len, struct pw_capture_view *v, struct pw_err *err)
{
	struct pw_replay_ring *g = ctx;
	const struct slot *s;

	while (g->at == 0 || offset + len > g->to) {
		int r;

		if (offset + len < offset || (g->at && slot_of(g, g->at - 1)->is_last))
			return 0;
		r = show_next(g, pw_min_u64(offset, g->cfg.capture->at), err);
		if (r)
			return r;
	}
	s = slot_of(g, g->at - 1);
	*v = (struct pw_capture_view){
		s->mem + PW_RING_ROOM_BYTES - (s->from - g->from), g->from, g->to};
	return 1;
}

static struct pw_tx_object *object(void *ctx, uint64_t offset, uint64_t *at)
{
	struct pw_replay_ring *g = ctx;
	struct slot *s = slot_of(g, g->at - 1);

	g->held = pw_min_u64(g->held, g->at - 1);
	*at = offset + PW_RING_ROOM_BYTES - s->from;
	return offset >= g->from ? &s->obj : NULL;
}

static const uint8_t *bytes(void *ctx, uint64_t offset, uint32_t len, uint8_t *room)
{
	const struct pw_replay_ring *g = ctx;
	const struct slot *s = slot_of(g, g->at - 1);

	(void)len;
	(void)room;
	return offset >= g->from ? s->mem + (offset + PW_RING_ROOM_BYTES - s->from) : NULL;
}

static void taken(void *ctx, bool kept)
{
	struct pw_replay_ring *g = ctx;

	g->n_taken = g->at ? g->at - 1 : 0;
	g->held = kept ? g->n_taken : UINT64_MAX;
	reclaim(g);
}

static int rewind_pass(void *ctx, struct pw_err *err)
{
	struct pw_replay_ring *g = ctx;
	bool is_last;

	do {
		is_last = slot_of(g, g->at - 1)->is_last;
		if (!is_last) {
			int r = show_next(g, UINT64_MAX, err);

			if (r)
				return r;
		}
	} while (!is_last);
	return show_next(g, UINT64_MAX, err);
}

struct pw_replay_feed pw_replay_ring_feed(struct pw_replay_ring *g, struct pw_send_lane *lane)
{
	g->lane = lane;
	return (struct pw_replay_feed){.view = view,
		.object = object,
		.bytes = bytes,
		.taken = taken,
		.rewind = rewind_pass,
		.ctx = g};
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

static int make_slot(struct pw_replay_ring *g, struct slot *s, struct pw_err *err)
{
	const struct pw_stage_mem *mem = &g->cfg.mem;
	const uint64_t bytes = PW_RING_ROOM_BYTES + PW_RING_SLOT_BYTES;

	s->mem = mem->alloc(mem->ctx, bytes, PW_FILEREADER_ALIGN);
	s->win.extents = calloc(1, sizeof(*s->win.extents));
	if (!s->mem || !s->win.extents)
		return pw_err_set(err, ENOMEM,
			"cannot stream %s: a slot of the ring finds no memory; raise --memory, add "
			"huge pages or lower --stream-memory (pagewire doctor: hugepages.free)",
			g->cfg.path);
	s->win.pages = PW_PAGES_STREAM;
	s->win.len_bytes = s->win.map_bytes = bytes;
	s->win.page_bytes = mem->page_bytes ? mem->page_bytes : PW_FILEREADER_ALIGN;
	s->win.writable = true;
	s->win.n_extents = 1;
	s->win.extents[0] =
		(struct pw_extent){.va = s->mem, .iova = PW_IOVA_NONE, .len_bytes = bytes};
	s->obj.win = &s->win;
	/* EAL's memory is mapped with EAL: nothing has to be detached */
	return g->cfg.ops->attach(g->cfg.tx, &s->obj, err);
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

int pw_replay_ring_create(
	struct pw_replay_ring **out, const struct pw_replay_ring_config *cfg, struct pw_err *err)
{
	struct pw_replay_ring *g = calloc(1, sizeof(*g));
	uint32_t i;
	int r = g ? check_room(cfg, err) : pw_err_set(err, ENOMEM, "cannot stream: out of memory");

	*out = g;
	if (r)
		return r;
	g->cfg = *cfg;
	g->in.fd = -1;
	g->held = UINT64_MAX;
	g->n_slots = (uint32_t)(cfg->bytes / SLOT_COST);
	g->slots = calloc(g->n_slots, sizeof(*g->slots));
	if (!g->slots)
		return pw_err_set(err, ENOMEM, "cannot stream %s: out of memory", cfg->path);
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

void pw_replay_ring_destroy(struct pw_replay_ring *g)
{
	uint32_t i;

	if (!g)
		return;
	atomic_store(&g->stop, true);
	if (g->started)
		pthread_join(g->thread, NULL);
	for (i = 0; g->slots && i < g->n_slots; i++) {
		/* memory that the driver still holds is leaked */
		if (g->slots[i].mem && g->slots[i].win.n_out == 0)
			g->cfg.mem.free(g->cfg.mem.ctx, g->slots[i].mem);
		free(g->slots[i].win.extents);
	}
	pw_replay_input_close(&g->in);
	free(g->slots);
	free(g);
}
