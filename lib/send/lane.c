/* SPDX-License-Identifier: BSD-3-Clause */
/* The loop that sends through a path: bursts of symbols or frames, the rate, and waiting while the path is full. */
#include "send/lane.h"

#include <errno.h>
#include <sched.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "path/frames.h"

#define LOOK_BURSTS    256            /* bursts between two calls of look(), without a rate */
#define LOOK_NS        500000ull      /* the same with a rate, which needs the clock anyway */
#define STALL_POLLS    512            /* the same while the path takes nothing: calls of send() */
#define STALL_SAY_NS   2000000000ull  /* a path that takes nothing for so long is told once */
#define STALL_LIMIT_NS 30000000000ull /* a connected peer that takes nothing for so long is stuck */
#define LINK_GAP_NS    10000000ull    /* between two calls of look() while the link is down */
#define SLEEP_OVER_NS  200000ull      /* shorter waits spin: a sleep takes 50 us and more */
#define SLEEP_MAX_NS   10000000ull

void pw_lane_nap(uint64_t ns)
{
	nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
}

int pw_lane_pause(struct pw_send_lane *lane, uint64_t ns, struct pw_err *err)
{
	uint64_t now = pw_clock_ns(), end = now + ns;
	int r = 0;

	while (r == 0 && now < end) {
		uint64_t rest = end - now;

		lane->ops->reap(lane->path);
		if (rest > SLEEP_OVER_NS)
			pw_lane_nap(pw_min_u64(rest - SLEEP_OVER_NS / 2, SLEEP_MAX_NS));
		now = pw_clock_ns();
		r = lane->look(lane, now, 0, err);
	}
	return r;
}

/* *now_ns: when the next burst may go. */
static int wait_for_rate(struct pw_send_lane *lane, uint64_t *now_ns, struct pw_err *err)
{
	uint64_t start = 0, wait;
	int r = 0;

	while (r == 0 && (wait = pw_pace_wait(&lane->pace, *now_ns))) {
		start = start ? start : pw_cycles();
		if (wait > SLEEP_OVER_NS)
			r = pw_lane_pause(lane, wait, err);
		*now_ns = pw_quick_ns(&lane->clock);
	}
	if (start)
		lane->pace_cycles += pw_cycles() - start;
	return r;
}

int pw_lane_await_rate(struct pw_send_lane *lane, struct pw_err *err)
{
	uint64_t now = pw_quick_ns(&lane->clock);

	return lane->pace.on ? wait_for_rate(lane, &now, err) : 0;
}

/* Packets that go now are lost, and the driver may not even report it. */
static int wait_for_link(struct pw_send_lane *lane, struct pw_err *err)
{
	uint64_t start = pw_cycles();
	int r = 0;

	while (r == 0 && atomic_load_explicit(&lane->shared->down_ns, memory_order_relaxed))
		r = pw_lane_pause(lane, LINK_GAP_NS, err);
	lane->stall_cycles += pw_cycles() - start;
	return r;
}

/* With --rate auto the session's thread changes the rate. */
static void follow_rate(struct pw_send_lane *lane)
{
	const uint64_t bps = atomic_load_explicit(&lane->shared->lane_bps, memory_order_relaxed);

	if (bps == lane->bps)
		return;
	lane->bps = bps;
	pw_pace_set_bps(&lane->pace, (double)bps);
}

static int look(struct pw_send_lane *lane, struct pw_err *err)
{
	int r = lane->look(lane, pw_clock_ns(), 0, err);

	follow_rate(lane);
	if (r == 0 && lane->ops->polls &&
		atomic_load_explicit(&lane->shared->down_ns, memory_order_relaxed))
		r = wait_for_link(lane, err);
	return r || !lane->between ? r : lane->between(lane, pw_clock_ns(), err);
}

/* Waits until the next burst may go. */
static inline int before_burst(struct pw_send_lane *lane, struct pw_err *err)
{
	uint64_t now;
	int r;

	if (!lane->pace.on) {
		if (++lane->n_bursts < LOOK_BURSTS)
			return 0;
		lane->n_bursts = 0;
		return look(lane, err);
	}
	now = pw_quick_ns(&lane->clock);
	r = wait_for_rate(lane, &now, err);
	pw_pace_go(&lane->pace, now);
	if (r || now < lane->next_look_ns)
		return r;
	lane->next_look_ns = now + LOOK_NS;
	return look(lane, err);
}

/* A path that takes nothing: full, stuck, or without a peer. */
struct stall {
	uint64_t polls;
	uint64_t since_ns;
	bool is_told;
};

static void tell_stalled(const struct pw_send_lane *lane, struct stall *st)
{
	st->is_told = true;
	pw_warn(lane->shared->log,
		"%s took no packet for %d s: its ring is full and the peer takes nothing out of "
		"it; see whether "
		"the receiver runs (testpmd: start)",
		lane->path_text, (int)(STALL_SAY_NS / PW_NS_PER_S));
}

static int stuck(const struct pw_send_lane *lane, struct pw_err *err)
{
	if (lane->queue)
		return pw_err_set(err, ETIMEDOUT,
			"cannot send on %s: queue %u took no packet for %d s; give the receiver as "
			"many --queues",
			lane->path_text, lane->queue, (int)(STALL_LIMIT_NS / PW_NS_PER_S));
	return pw_err_set(err, ETIMEDOUT,
		"cannot send on %s: it took no packet for %d s; see what the receiver waits for",
		lane->path_text, (int)(STALL_LIMIT_NS / PW_NS_PER_S));
}

static int stalled(struct pw_send_lane *lane, struct stall *st, struct pw_err *err)
{
	uint64_t now;
	int r;

	if (++st->polls % STALL_POLLS && lane->ops->polls)
		return 0;
	now = pw_clock_ns();
	if (st->since_ns == 0)
		st->since_ns = now;
	lane->ops->reap(lane->path);
	if (lane->shared->n_lanes > 1)
		sched_yield();
	r = lane->look(lane, now, pw_max_u64(now - st->since_ns, 1), err);
	if (r)
		return r;
	if (atomic_load_explicit(&lane->shared->down_ns, memory_order_relaxed))
		st->since_ns = now;
	if (!st->is_told && now - st->since_ns > STALL_SAY_NS)
		tell_stalled(lane, st);
	return now - st->since_ns > STALL_LIMIT_NS ? stuck(lane, err) : 0;
}

int pw_lane_control(struct pw_send_lane *lane, const struct pw_frame_tmpl *t, const void *payload,
	size_t len, struct pw_err *err)
{
	struct stall st = {0};
	int r = 0;

	while (r == 0 && !lane->ops->send_copy(lane->path, t, payload, len))
		r = stalled(lane, &st, err);
	if (lane->pace.on)
		pw_pace_sent(&lane->pace, t->len + len, 1);
	return r;
}

/* Hands one burst over, waiting while the path is full. Calls in which the driver took nothing are
 * stall, all others are busy; cycles are read only while the path is full. */
static inline int hand_over(
	struct pw_send_lane *lane, const struct pw_tx_burst *b, uint16_t *n, struct pw_err *err)
{
	const struct pw_tx_ops *ops = lane->ops;
	const struct pw_tx_counters *c = ops->counters(lane->path);
	struct stall st = {0};
	uint64_t at, empty = c->full_polls;
	int r = 0;

	*n = ops->send(lane->path, b);
	if (*n)
		return 0;
	at = pw_cycles();
	while (r == 0 && *n == 0) {
		uint64_t now;

		*n = ops->send(lane->path, b);
		now = pw_cycles();
		if (c->full_polls != empty) {
			lane->stall_cycles += now - at;
			r = stalled(lane, &st, err);
		}
		empty = c->full_polls;
		at = now;
	}
	return *n ? 0 : r;
}

/* Only this thread writes it: a plain store, where an atomic addition would lock the bus. */
static inline void add_bytes(struct pw_send_lane *lane, uint64_t bytes)
{
	uint64_t sum = atomic_load_explicit(&lane->bytes, memory_order_relaxed);

	atomic_store_explicit(&lane->bytes, sum + bytes, memory_order_relaxed);
}

/* Sends symbols [at, end) of the range's object. */
static int send_run(struct pw_send_lane *lane, const struct pw_send_range *range, uint64_t at,
	uint64_t end, struct pw_err *err)
{
	const struct pw_blocks *blocks = &range->obj->blocks;
	const uint32_t header = range->obj->tmpl.len, symbol = blocks->symbol_len;
	uint16_t max = pw_pace_burst(&lane->pace, header + symbol, PW_BURST);
	uint64_t bps = lane->bps;
	struct pw_tx_burst b = {.obj = range->obj};

	while (at < end) {
		uint32_t sbn, esi;
		uint64_t bytes, left;
		uint16_t n;
		int r;

		if (bps != lane->bps) {
			bps = lane->bps;
			max = pw_pace_burst(&lane->pace, header + symbol, PW_BURST);
		}
		pw_blocks_locate(blocks, at, &sbn, &esi);
		left = pw_min_u64(end - at, pw_blocks_block_len(blocks, sbn) - esi);
		if (range->parity_of) /* their ESIs follow those of the source symbols */
			esi += pw_blocks_block_len(range->parity_of, sbn);
		b.payload_id = pw_blocks_payload_id(blocks, sbn, esi);
		b.offset = at * symbol;
		b.n = (uint16_t)pw_min_u64(left, max);
		r = before_burst(lane, err);
		if (r == 0)
			r = hand_over(lane, &b, &n, err);
		if (r)
			return r;
		at += n;
		bytes = pw_min_u64((uint64_t)n * symbol, blocks->transfer_len - b.offset);
		if (range->parity_of)
			lane->parity_packets += n;
		else
			add_bytes(lane, bytes);
		if (lane->pace.on)
			pw_pace_sent(&lane->pace, bytes + (uint64_t)n * header, n);
	}
	return 0;
}

static int send_range(
	struct pw_send_lane *lane, const struct pw_send_range *range, struct pw_err *err)
{
	const struct pw_blocks *blocks = &range->obj->blocks;
	uint32_t sbn;
	int r = 0;

	if (range->run == 0)
		return send_run(lane, range, range->from, range->to, err);
	for (sbn = range->first_block; r == 0 && sbn < range->end_block; sbn++) {
		const uint64_t from = pw_blocks_first_symbol(blocks, sbn) + range->row;
		const uint64_t end = pw_blocks_first_symbol(blocks, sbn + 1);

		r = send_run(lane, range, from, pw_min_u64(from + range->run, end), err);
	}
	return r;
}

/* How many of the first n frames go together: with due times those that are due when the first one goes. */
static uint16_t frames_to_go(
	const struct pw_send_lane *lane, const struct pw_tx_frame *frames, uint16_t n)
{
	const uint64_t now = pw_pace_now(&lane->pace);
	uint16_t i = 1;

	if (!lane->late)
		return n;
	while (i < n && frames[i].due_ns <= now)
		i++;
	return i;
}

static void count_frames(struct pw_send_lane *lane, const struct pw_tx_frame *frames, uint16_t n)
{
	uint64_t bytes = 0, now;
	uint16_t i;

	for (i = 0; i < n; i++)
		bytes += frames[i].wire_len;
	add_bytes(lane, bytes);
	if (lane->pace.on)
		pw_pace_sent(&lane->pace, bytes, n);
	if (!lane->late)
		return;
	now = pw_quick_ns(&lane->clock) - lane->pace.start_ns;
	for (i = 0; i < n; i++)
		pw_late_add(lane->late, now, frames[i].due_ns);
}

static int send_frames(
	struct pw_send_lane *lane, const struct pw_send_range *range, struct pw_err *err)
{
	const uint16_t max = pw_pace_burst(&lane->pace, range->mean_len, PW_BURST);
	struct pw_tx_burst b = {.obj = range->obj};
	uint64_t at = range->from;

	while (at < range->to) {
		uint16_t n;
		int r;

		b.frames = range->frames + at;
		if (lane->late)
			pw_pace_due(&lane->pace, b.frames->due_ns);
		r = before_burst(lane, err);
		b.n = frames_to_go(lane, b.frames, (uint16_t)pw_min_u64(range->to - at, max));
		if (r == 0)
			r = hand_over(lane, &b, &n, err);
		if (r)
			return r;
		count_frames(lane, b.frames, n);
		at += n;
	}
	return 0;
}

int pw_lane_send(struct pw_send_lane *lane, const struct pw_send_source *source, struct pw_err *err)
{
	const uint64_t start = pw_cycles();
	const uint64_t idle = lane->stall_cycles + lane->pace_cycles + lane->read_cycles;
	struct pw_send_range range = {0};
	uint64_t spent;
	int r;

	while ((r = source->next(source->ctx, lane, &range, err)) > 0) {
		r = range.frames ? send_frames(lane, &range, err) : send_range(lane, &range, err);
		if (r)
			break;
	}
	spent = pw_cycles() - start;
	lane->busy_cycles += spent - pw_min_u64(spent, lane->stall_cycles + lane->pace_cycles +
							       lane->read_cycles - idle);
	return r;
}
