/* SPDX-License-Identifier: BSD-3-Clause */
#include "replay/replay.h"

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

struct pw_replay {
	struct pw_replay_config cfg;
	struct pw_send_lanes lanes;
	struct pw_replay_inplace inplace;
	struct pw_replay_ring *ring;
	struct pw_replay_feed feed;
	struct pw_scan scan;
	struct pw_late late;
	bool attached;
	int guard;
	uint64_t next_tick_ns, asked_ns, down_ns;
};

static int check_path(struct pw_replay *rp, uint64_t now_ns, struct pw_err *err)
{
	const struct pw_tx_ops *ops = rp->cfg.ops;
	const char *fault = ops->fault ? ops->fault(rp->cfg.tx) : NULL;

	if (fault)
		return pw_err_set(
			err, ECONNABORTED, "cannot send on %s: %s", rp->cfg.path_text, fault);
	if (now_ns - rp->asked_ns < LINK_LOOK_NS)
		return 0;
	rp->asked_ns = now_ns;
	if (ops->alive(rp->cfg.tx))
		rp->down_ns = 0;
	else if (rp->down_ns == 0)
		rp->down_ns = now_ns;
	atomic_store(&rp->lanes.shared.down_ns, rp->down_ns);
	if (rp->down_ns == 0 || now_ns - rp->down_ns <= rp->cfg.link_grace_ns)
		return 0;
	return pw_err_set(err, ENOLINK,
		"cannot send on %s: its link went down, the peer is gone; start the receiver and "
		"replay again",
		rp->cfg.path_text);
}

static void tick(struct pw_replay *rp, uint64_t now_ns)
{
	const struct pw_replay_status st = {
		.frames = pw_send_lanes_packets(&rp->lanes),
		.bytes = pw_send_lanes_bytes(&rp->lanes),
		.position = rp->scan.capture.at,
		.pass = rp->scan.n.passes + 1,
		.late_ns = pw_late_quantile(&rp->late, 0.99),
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
	const int r = pw_scan_next(&rp->scan, lane, range, err);
	const int lost = check_pages(rp, err);

	return lost ? lost : r;
}

static int look(struct pw_send_lane *lane, uint64_t now_ns, uint64_t stalled_ns, struct pw_err *err)
{
	struct pw_replay *rp = lane->owner;
	int r = check_path(rp, now_ns, err);

	(void)stalled_ns;
	if (r == 0)
		r = check_pages(rp, err);
	if (r)
		return r;
	if (now_ns >= rp->next_tick_ns)
		tick(rp, now_ns);
	return rp->cfg.stopped && rp->cfg.stopped() ? -ECANCELED : 0;
}

static int open_feed(struct pw_replay *rp, struct pw_err *err)
{
	const struct pw_replay_config *cfg = &rp->cfg;
	struct pw_replay_ring_config ring = cfg->ring;
	struct pw_window *win = cfg->win;
	int r;

	if (!win) {
		ring.path = cfg->file;
		ring.ops = cfg->ops;
		ring.tx = cfg->tx;
		ring.loops = cfg->set.loops;
		ring.capture = &rp->scan.capture;
		ring.stopped = cfg->stopped;
		r = pw_replay_ring_create(&rp->ring, &ring, err);
		if (r == 0)
			rp->feed = pw_replay_ring_feed(rp->ring, &rp->lanes.v[0]);
		return r;
	}
	rp->inplace.path = cfg->file;
	rp->inplace.obj.win = win;
	rp->feed = pw_replay_inplace_feed(&rp->inplace);
	if (win->map)
		rp->guard = pw_guard_add(win->map, win->map_bytes, win->page_bytes);
	r = cfg->ops->attach(cfg->tx, &rp->inplace.obj, err);
	rp->attached = r == 0;
	return r;
}

int pw_replay_create(struct pw_replay **out, const struct pw_replay_config *cfg, struct pw_err *err)
{
	const struct pw_send_config lanes = {
		.ops = cfg->ops,
		.paths = &cfg->tx,
		.n_paths = 1,
		.path_text = cfg->path_text,
		.log = cfg->log,
		.set.rate = cfg->timing == PW_TIMING_RATE ? cfg->rate : (struct pw_rate){0},
	};
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
	r = pw_send_lanes_create(&rp->lanes, &lanes, look, NULL, rp, err);
	return r ? r : open_feed(rp, err);
}

/* Waits until the driver has sent what it took, as far as it tells. */
static void drain(struct pw_replay *rp)
{
	struct pw_send_lane *lane = &rp->lanes.v[0];
	uint32_t before = UINT32_MAX, left;
	uint64_t since = pw_clock_ns();

	while ((left = lane->ops->outstanding(lane->path)) > 0) {
		const uint64_t now = pw_clock_ns();

		if (left != before)
			since = now;
		else if (now - since > DRAIN_NS)
			break;
		before = left;
		lane->ops->reap(lane->path);
		pw_lane_nap(DRAIN_GAP_NS);
	}
}

static int run(struct pw_replay *rp, struct pw_replay_result *result, struct pw_err *err)
{
	const struct pw_replay_config *cfg = &rp->cfg;
	struct pw_send_lane *lane = &rp->lanes.v[0];
	const struct pw_send_source source = {.next = next_range, .ctx = rp};
	uint64_t start;
	int r = pw_scan_open(&rp->scan, &rp->feed, cfg->file, &cfg->set, cfg->frame_max,
		cfg->timing == PW_TIMING_CAPTURE ? cfg->speed : 1, err);

	if (r)
		return r;
	if (cfg->timing == PW_TIMING_CAPTURE) {
		pw_pace_init_due(&lane->pace);
		lane->late = &rp->late;
	}
	/* a sleep between two frames ends when it should: the kernel adds up to 50 us otherwise */
	prctl(PR_SET_TIMERSLACK, 1ul);
	start = pw_clock_ns();
	pw_send_lanes_pace_start(&rp->lanes, start);
	r = pw_send_lanes_run(&rp->lanes, &source, err);
	result->data_ns = pw_clock_ns() - start;
	drain(rp);
	return r;
}

int pw_replay_run(struct pw_replay *rp, struct pw_replay_result *result, struct pw_err *err)
{
	const struct pw_send_lane *lane = &rp->lanes.v[0];
	int r;

	memset(result, 0, sizeof(*result));
	r = run(rp, result, err);
	if (r == -ECANCELED) {
		result->interrupted = true;
		r = 0;
	}
	result->scan = rp->scan.n;
	result->due = rp->scan.due;
	result->late = rp->late;
	result->busy_cycles = lane->busy_cycles;
	if (rp->ring)
		pw_replay_ring_counts(rp->ring, &result->ring);
	return r;
}

void pw_replay_destroy(struct pw_replay *rp)
{
	if (!rp)
		return;
	pw_scan_finish(&rp->scan);
	if (rp->attached)
		rp->cfg.ops->detach(rp->cfg.tx, &rp->inplace.obj);
	pw_guard_remove(rp->guard);
	pw_replay_ring_destroy(rp->ring);
	pw_send_lanes_destroy(&rp->lanes);
	free(rp);
}
