/* SPDX-License-Identifier: BSD-3-Clause */
#include "replay/replay.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "file/guard.h"
#include "replay/inplace.h"
#include "send/lanes.h"

#define TICK_NS      100000000ull
#define LINK_LOOK_NS 250000000ull /* between two checks of the link */
#define DRAIN_NS \
	500000000ull /* so long without a freed packet at the end, and no more are waited for */
#define DRAIN_GAP_NS 50000ull

/* What a lane has of its own. */
struct replay_lane {
	struct pw_window win; /* a copy, but for the first lane */
	struct pw_replay_inplace inplace;
	struct pw_replay_feed feed;
	struct pw_scan scan;
	struct pw_filter *filter; /* a copy, but for the first lane */
	struct pw_late late;
	struct pw_err
		failed; /* the capture is at fault: every lane finds the same, and sends the frames before */
	bool attached, owns_extents;
};

struct pw_replay {
	struct pw_replay_config cfg;
	struct pw_send_lanes lanes;
	struct replay_lane **v; /* one for each lane, aligned so that n_out has a cache line */
	struct pw_replay_ring *ring;
	int guard;
	uint64_t next_tick_ns, asked_ns, down_ns;
};

static uint32_t n_lanes(const struct pw_replay_config *cfg)
{
	return cfg->n_ports * cfg->n_queues;
}

/* Frames have due times. Several lanes hold a rate by them: each knows what all have sent. */
static bool has_due(const struct pw_replay_config *cfg)
{
	return cfg->timing == PW_TIMING_CAPTURE ||
	       (cfg->timing == PW_TIMING_RATE && n_lanes(cfg) > 1);
}

static int check_path(struct pw_replay *rp, uint64_t now_ns, struct pw_err *err)
{
	const struct pw_replay_config *cfg = &rp->cfg;
	const struct pw_tx_ops *ops = cfg->ops;
	const bool ask = now_ns - rp->asked_ns >= LINK_LOOK_NS;
	const char *down = NULL;
	uint32_t i;

	for (i = 0; i < cfg->n_ports; i++) {
		void *path = cfg->paths[i * cfg->n_queues];
		const char *fault = ops->fault ? ops->fault(path) : NULL;

		if (fault)
			return pw_err_set(err, ECONNABORTED, "cannot send on %s: %s",
				cfg->port_texts[i], fault);
		if (ask && !ops->alive(path))
			down = cfg->port_texts[i];
	}
	if (!ask)
		return 0;
	rp->asked_ns = now_ns;
	rp->down_ns = !down ? 0 : rp->down_ns ? rp->down_ns : now_ns;
	atomic_store(&rp->lanes.shared.down_ns, rp->down_ns);
	if (!down || now_ns - rp->down_ns <= cfg->link_grace_ns)
		return 0;
	return pw_err_set(err, ENOLINK,
		"cannot send on %s: its link went down, the peer is gone; start the receiver and "
		"replay again",
		down);
}

void pw_replay_late(const struct pw_replay *rp, struct pw_late *late)
{
	uint32_t i;

	*late = (struct pw_late){0};
	for (i = 0; i < rp->lanes.n; i++)
		pw_late_merge(late, &rp->v[i]->late);
}

static void tick(struct pw_replay *rp, uint64_t now_ns)
{
	const struct pw_scan *scan = &rp->v[0]->scan;
	int64_t time_ns;
	const struct pw_replay_status st = {
		.frames = pw_send_lanes_packets(&rp->lanes),
		.bytes = pw_send_lanes_bytes(&rp->lanes),
		.position = scan->capture.at,
		.pass = scan->found.passes + 1,
		.time_ns = scan->time_ns && !__builtin_sub_overflow(
						    scan->time_ns, scan->first.ns, &time_ns)
				   ? time_ns
				   : 0,
		.start_ns = rp->lanes.v[0].pace.start_ns,
		.replay = rp,
	};

	rp->next_tick_ns = now_ns + TICK_NS;
	if (rp->cfg.tick)
		rp->cfg.tick(rp->cfg.tick_ctx, &st);
}

static int check_pages(const struct pw_replay *rp, struct pw_err *err)
{
	if (!pw_guard_any_lost() || !pw_guard_lost(rp->guard))
		return 0;
	return pw_err_set(err, EIO,
		"cannot replay %s: it was truncated while it was sent, and its pages are gone; the "
		"last "
		"frames may be wrong",
		rp->cfg.file);
}

/* The scanner's frames; none of those that it found in pages that are gone. */
static int next_range(
	void *ctx, struct pw_send_lane *lane, struct pw_send_range *range, struct pw_err *err)
{
	struct pw_replay *rp = ctx;
	struct replay_lane *l = rp->v[lane->index];
	const int r = pw_scan_next(&l->scan, lane, range, err);
	const int lost = check_pages(rp, err);

	if (lost || r >= 0 || r == -ECANCELED || r == -ETIMEDOUT)
		return lost ? lost : r;
	l->failed = *err;
	return 0;
}

static int look(struct pw_send_lane *lane, uint64_t now_ns, uint64_t stalled_ns, struct pw_err *err)
{
	struct pw_replay *rp = lane->owner;
	int r = check_path(rp, now_ns, err);

	(void)stalled_ns;
	if (r == 0)
		r = check_pages(rp, err);
	if (r == 0)
		r = pw_send_lanes_failed(&rp->lanes, err);
	if (r)
		return r;
	if (now_ns >= rp->next_tick_ns)
		tick(rp, now_ns);
	return rp->cfg.stopped && rp->cfg.stopped() ? -ECANCELED : 0;
}

static int open_ring(struct pw_replay *rp, struct pw_err *err)
{
	const struct pw_replay_config *cfg = &rp->cfg;
	struct pw_replay_ring_config ring = cfg->ring;
	uint32_t i;
	int r;

	ring.path = cfg->file;
	ring.ops = cfg->ops;
	ring.paths = cfg->paths;
	ring.n_lanes = n_lanes(cfg);
	ring.loops = cfg->set.loops;
	ring.stopped = cfg->stopped;
	r = pw_replay_ring_create(&rp->ring, &ring, err);
	for (i = 0; r == 0 && i < n_lanes(cfg); i++)
		rp->v[i]->feed =
			pw_replay_ring_feed(rp->ring, &rp->lanes.v[i], &rp->v[i]->scan.capture);
	return r;
}

/* A port may split the extents of its window in another way than the other port. */
static int copy_extents(struct pw_window *win, const char *file, struct pw_err *err)
{
	const size_t bytes = win->n_extents * sizeof(*win->extents);
	struct pw_extent *copy = malloc(bytes ? bytes : 1);

	if (!copy)
		return pw_err_set(err, ENOMEM, "cannot replay %s: out of memory", file);
	win->extents = memcpy(copy, win->extents, bytes);
	return 0;
}

/* The window of each port's first lane is attached; its other lanes have copies of it. */
static int open_port_window(struct pw_replay *rp, uint32_t from, struct pw_err *err)
{
	const struct pw_replay_config *cfg = &rp->cfg;
	struct replay_lane *first = rp->v[from];
	uint32_t i;
	int r = cfg->ops->attach(cfg->paths[from], &first->inplace.obj, err);

	first->attached = r == 0;
	for (i = from; r == 0 && i < from + cfg->n_queues; i++) {
		struct replay_lane *l = rp->v[i];

		if (l != first) {
			l->win = *first->inplace.obj.win;
			l->inplace.obj = first->inplace.obj;
			l->inplace.obj.win = &l->win;
		}
		l->inplace.path = cfg->file;
		l->feed = pw_replay_inplace_feed(&l->inplace);
	}
	return r;
}

static int open_window(struct pw_replay *rp, struct pw_err *err)
{
	const struct pw_replay_config *cfg = &rp->cfg;
	struct pw_window *win = cfg->win;
	uint32_t i;
	int r = 0;

	if (win->map)
		rp->guard = pw_guard_add(win->map, win->map_bytes, win->page_bytes);
	rp->v[0]->inplace.obj.win = win;
	for (i = cfg->n_queues; r == 0 && i < n_lanes(cfg); i += cfg->n_queues) {
		struct replay_lane *l = rp->v[i];

		l->win = *win;
		l->inplace.obj.win = &l->win;
		r = copy_extents(&l->win, cfg->file, err);
		l->owns_extents = r == 0;
	}
	for (i = 0; r == 0 && i < n_lanes(cfg); i += cfg->n_queues)
		r = open_port_window(rp, i, err);
	return r;
}

static int make_lanes(struct pw_replay *rp, struct pw_err *err)
{
	const struct pw_replay_config *cfg = &rp->cfg;
	const struct pw_send_config lanes = {
		.ops = cfg->ops,
		.paths = cfg->paths,
		.n_paths = n_lanes(cfg),
		.path_text = cfg->port_texts[0],
		.log = cfg->log,
		.set.rate = cfg->timing == PW_TIMING_RATE ? cfg->rate : (struct pw_rate){0},
	};
	uint32_t i;
	int r;

	rp->v = calloc(n_lanes(cfg), sizeof(struct replay_lane *));
	for (i = 0; rp->v && i < n_lanes(cfg); i++) {
		rp->v[i] = aligned_alloc(64, pw_align_up(sizeof(*rp->v[i]), 64));
		if (!rp->v[i])
			break;
		memset(rp->v[i], 0, sizeof(*rp->v[i]));
	}
	if (!rp->v || i < n_lanes(cfg))
		return pw_err_set(err, ENOMEM, "cannot replay: out of memory");
	/* a sleep between two frames ends when it should: the kernel adds up to 50 us otherwise. Threads inherit it. */
	prctl(PR_SET_TIMERSLACK, 1ul);
	r = pw_send_lanes_create(&rp->lanes, &lanes, look, NULL, rp, err);
	for (i = 0; r == 0 && i < n_lanes(cfg); i++) {
		rp->lanes.v[i].path_text = cfg->port_texts[i / cfg->n_queues];
		rp->lanes.v[i].queue = i % cfg->n_queues;
	}
	return r;
}

int pw_replay_create(struct pw_replay **out, const struct pw_replay_config *cfg, struct pw_err *err)
{
	struct pw_replay *rp;
	int r = pw_guard_init(err);

	*out = NULL;
	if (r)
		return r;
	rp = calloc(1, sizeof(*rp));
	if (!rp)
		return pw_err_set(err, ENOMEM, "cannot replay: out of memory");
	*out = rp;
	rp->cfg = *cfg;
	rp->guard = -1;
	r = make_lanes(rp, err);
	if (r)
		return r;
	return cfg->win ? open_window(rp, err) : open_ring(rp, err);
}

/* Waits until the driver has sent what it took, as far as it tells. The lanes are parked. */
static void drain(struct pw_replay *rp)
{
	uint32_t before = UINT32_MAX, left;
	uint64_t since = pw_clock_ns();

	while ((left = pw_send_lanes_outstanding(&rp->lanes)) > 0) {
		const uint64_t now = pw_clock_ns();

		if (left != before)
			since = now;
		else if (now - since > DRAIN_NS)
			break;
		before = left;
		pw_send_lanes_reap(&rp->lanes);
		pw_lane_nap(DRAIN_GAP_NS);
	}
}

static int open_scan(struct pw_replay *rp, uint32_t i, struct pw_err *err)
{
	const struct pw_replay_config *cfg = &rp->cfg;
	struct replay_lane *l = rp->v[i];
	struct pw_send_lane *lane = &rp->lanes.v[i];
	struct pw_scan_settings set = cfg->set;
	int r = 0;

	if (i && set.filter) {
		r = pw_filter_copy(&l->filter, set.filter, err);
		set.filter = l->filter;
	}
	if (r)
		return r;
	l->scan.share = (struct pw_share){.n_queues = cfg->n_queues,
		.queue = i % cfg->n_queues,
		.sides = cfg->n_ports > 1 ? cfg->sides : NULL,
		.side = i < cfg->n_queues ? PW_SIDE_CLIENT : PW_SIDE_SERVER};
	r = pw_share_init(&l->scan.share, err);
	if (r)
		return r;
	pw_due_init(
		&l->scan.due, cfg->timing == PW_TIMING_CAPTURE ? cfg->speed : 1, set.max_gap_ns);
	if (has_due(cfg)) {
		if (cfg->timing == PW_TIMING_RATE)
			pw_due_init_rate(&l->scan.due, &cfg->rate);
		pw_pace_init_due(&lane->pace);
		lane->late = &l->late;
	}
	return pw_scan_open(&l->scan, &l->feed, cfg->file, &set, cfg->max, err);
}

static int run(struct pw_replay *rp, struct pw_replay_result *result, struct pw_err *err)
{
	const struct pw_send_source source = {.next = next_range, .ctx = rp};
	uint64_t start;
	uint32_t i;
	int r = 0;

	for (i = 0; r == 0 && i < rp->lanes.n; i++)
		r = open_scan(rp, i, err);
	if (r)
		return r;
	start = pw_clock_ns();
	pw_send_lanes_pace_start(&rp->lanes, start);
	r = pw_send_lanes_run(&rp->lanes, &source, err);
	result->data_ns = pw_clock_ns() - start;
	for (i = 0; r == 0 && i < rp->lanes.n; i++)
		if (rp->v[i]->failed.code) {
			*err = rp->v[i]->failed;
			r = -err->code;
		}
	drain(rp);
	return r;
}

int pw_replay_run(struct pw_replay *rp, struct pw_replay_result *result, struct pw_err *err)
{
	uint32_t i;
	int r;

	static_assert(sizeof(result->scan) % sizeof(uint64_t) == 0, "counts are words");
	memset(result, 0, sizeof(*result));
	r = run(rp, result, err);
	if (r == -ECANCELED) {
		result->interrupted = true;
		r = 0;
	}
	result->found = rp->v[0]->scan.found;
	result->due = rp->v[0]->scan.due;
	result->n_beyond_table = rp->v[0]->scan.share.table.n_full;
	pw_replay_late(rp, &result->late);
	for (i = 0; i < rp->lanes.n; i++) {
		pw_words_add((uint64_t *)&result->scan, (const uint64_t *)&rp->v[i]->scan.n,
			sizeof(result->scan) / sizeof(uint64_t));
		result->busy_cycles += rp->lanes.v[i].busy_cycles;
	}
	if (rp->ring)
		pw_replay_ring_counts(rp->ring, &result->ring);
	return r;
}

static void destroy_lane(struct pw_replay *rp, void *path, struct replay_lane *l)
{
	pw_scan_finish(&l->scan);
	pw_filter_destroy(l->filter);
	pw_share_finish(&l->scan.share);
	if (l->attached)
		rp->cfg.ops->detach(path, &l->inplace.obj);
	if (rp->cfg.win)
		rp->cfg.win->n_out += l->win.n_out;
	if (l->owns_extents)
		free(l->win.extents);
	free(l);
}

void pw_replay_destroy(struct pw_replay *rp)
{
	uint32_t i;

	if (!rp)
		return;
	pw_send_lanes_destroy(&rp->lanes);
	for (i = 0; rp->v && i < n_lanes(&rp->cfg); i++)
		if (rp->v[i])
			destroy_lane(rp, rp->cfg.paths[i], rp->v[i]);
	pw_guard_remove(rp->guard);
	pw_replay_ring_destroy(rp->ring);
	free(rp->v);
	free(rp);
}
