/* SPDX-License-Identifier: BSD-3-Clause */
/* The loop that feeds a path: bursts of symbols, the rate, and what to do when the path is full. */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "file/guard.h"
#include "send/lanes.h"
#include "send/send_private.h"

#define LOOK_BURSTS    256            /* unpaced bursts between two looks at the clock */
#define LOOK_NS        500000ull      /* the same, where the rate asks for the time anyway */
#define TICK_NS        100000000ull   /* progress */
#define ALIVE_NS       1000000000ull  /* a receiver that waits while we read hears of us so often */
#define STALL_POLLS    512            /* empty polls between two looks at the clock */
#define LINK_LOOK_NS   250000000ull   /* between two looks at the link: some drivers ask firmware */
#define LINK_GAP_NS    10000000ull    /* the same, while it is down or no packet goes */
#define STALL_LIMIT_NS 30000000000ull /* a live peer that takes nothing this long is stuck */
#define HELD_GAP_NS    50000ull       /* between two looks at what the path still holds */
#define SLEEP_OVER_NS  200000ull      /* shorter waits spin: a sleep takes 50 us and more */

static int say_lost(const struct pw_send *s, struct pw_err *err)
{
	const struct pw_send_slot *slot;
	const char *name = "a file";
	size_t i;

	for (slot = s->retired; slot; slot = slot->next)
		if (pw_guard_lost(slot->guard))
			name = slot->file->path;
	for (i = 0; i < s->n_group; i++)
		if (s->group[i] && pw_guard_lost(s->group[i]->guard))
			name = s->group[i]->file->path;
	return pw_err_set(err, EIO,
		"read %s: it was truncated while it was being sent, and its pages are gone; the "
		"receiver refuses it by its digest: send it again",
		name);
}

/* What has broken the path for good, or a link that is down for longer than it may flap. */
static int check_path(struct pw_send *s, uint64_t now_ns, uint64_t stalled_ns, struct pw_err *err)
{
	const struct pw_tx_ops *ops = s->cfg.ops;
	const char *fault = ops->fault ? ops->fault(s->cfg.path) : NULL;
	bool soon = stalled_ns >= LINK_GAP_NS || s->down_ns;

	if (fault)
		return pw_err_set(err, ECONNABORTED, "send on %s: %s", s->cfg.path_text, fault);
	if (now_ns - s->asked_ns < (soon ? LINK_GAP_NS : LINK_LOOK_NS))
		return 0;
	s->asked_ns = now_ns;
	if (ops->alive(s->cfg.path)) {
		if (s->down_ns)
			pw_info(s->cfg.log, "the link of %s is up again", s->cfg.path_text);
		s->down_ns = 0;
	} else if (s->down_ns == 0) {
		pw_info(s->cfg.log, "the link of %s is down", s->cfg.path_text);
		s->down_ns = now_ns;
	}
	pw_lanes_hold(s, s->down_ns != 0);
	if (s->down_ns == 0 || now_ns - s->down_ns <= s->cfg.set.link_grace_ns)
		return 0;
	return pw_err_set(err, ENOLINK,
		"send on %s: its link went down, the peer is gone; start the receiver and send "
		"again",
		s->cfg.path_text);
}

int pw_send_look(struct pw_send *s, uint64_t now_ns, enum pw_send_phase phase, struct pw_err *err)
{
	struct pw_send_status st;
	uint64_t done;
	int r;

	s->n_calls = 0;
	/* before the pages: a lost device's are guarded, too */
	if (s->cfg.ops->polls && s->streaming) {
		r = check_path(s, now_ns, 0, err);
		if (r)
			return r;
	}
	if (pw_guard_any_lost())
		return say_lost(s, err);
	r = pw_lanes_failed(s, err);
	if (r)
		return r;
	if (now_ns >= s->next_tick_ns && s->cfg.tick) {
		done = s->bytes_done + pw_lanes_bytes(s);
		st = (struct pw_send_status){
			.phase = phase,
			.bytes_done = done,
			.bytes_total = s->bytes_total,
			.packets = s->cfg.ops->counters(s->cfg.path)->packets,
			.pass = s->pass,
			.file = s->file,
			.file_done = done - s->file_from,
			.start_ns = s->start_ns,
		};
		s->cfg.tick(s->cfg.tick_ctx, &st);
		s->next_tick_ns = now_ns + TICK_NS;
	}
	if (phase == PW_SEND_READING && now_ns >= s->next_alive_ns) {
		if (s->next_alive_ns)
			pw_send_alive(s);
		s->next_alive_ns = now_ns + ALIVE_NS;
	}
	return s->cfg.stopped && s->cfg.stopped() ? -ECANCELED : 0;
}

/* A path that takes nothing: full, stuck, or without a peer. */
struct stall {
	uint64_t polls;
	uint64_t since_ns;
};

static int stalled(struct pw_send *s, struct stall *st, struct pw_err *err)
{
	uint64_t now;
	int r;

	if (++st->polls % STALL_POLLS && s->cfg.ops->polls)
		return 0;
	now = pw_clock_ns();
	if (st->since_ns == 0) {
		st->since_ns = now;
		if (!s->cfg.ops->polls)
			s->down_ns = 0; /* nobody has looked since the last stall */
	}
	s->cfg.ops->reap(s->cfg.path);
	if (s->lanes)
		sched_yield(); /* there may be more threads than CPUs */
	r = check_path(s, now, now - st->since_ns, err);
	if (r == 0)
		r = pw_send_look(s, now, PW_SEND_SENDING, err);
	if (r)
		return r;
	if (s->down_ns)
		st->since_ns = now;
	if (now - st->since_ns > STALL_LIMIT_NS)
		return pw_err_set(err, ETIMEDOUT,
			"send on %s: it took no packet for %d s; see what the receiver waits for",
			s->cfg.path_text, (int)(STALL_LIMIT_NS / PW_NS_PER_S));
	return 0;
}

int pw_send_pause(struct pw_send *s, uint64_t ns, struct pw_err *err)
{
	uint64_t now = pw_clock_ns(), end = now + ns;
	int r = 0;

	while (r == 0 && now < end) {
		uint64_t rest = end - now;

		s->cfg.ops->reap(s->cfg.path);
		if (rest > SLEEP_OVER_NS) {
			rest = pw_min_u64(rest - SLEEP_OVER_NS / 2, 10000000);
			nanosleep(&(struct timespec){.tv_nsec = (long)rest}, NULL);
		}
		now = pw_clock_ns();
		r = pw_send_look(s, now, s->streaming ? PW_SEND_SENDING : PW_SEND_READING, err);
	}
	return r;
}

int pw_send_control(struct pw_send *s, const struct pw_frame_tmpl *t, const void *payload,
	size_t len, struct pw_err *err)
{
	struct stall st = {0};
	int r = 0;

	while (r == 0 && !s->cfg.ops->send_copy(s->cfg.path, t, payload, len))
		r = stalled(s, &st, err);
	if (s->pace.on)
		pw_pace_sent(&s->pace, t->len + len, 1);
	return r;
}

/* *now_ns: when it is over. */
static int wait_for_rate(struct pw_send *s, uint64_t *now_ns, struct pw_err *err)
{
	uint64_t start = 0, wait;
	int r = 0;

	while (r == 0 && (wait = pw_pace_wait(&s->pace, *now_ns))) {
		start = start ? start : pw_cycles();
		if (wait > SLEEP_OVER_NS)
			r = pw_send_pause(s, wait, err);
		*now_ns = pw_quick_ns(&s->clock);
	}
	if (start)
		s->res->pace_cycles += pw_cycles() - start;
	return r;
}

/* A path that holds the rate itself has up to a ring of packets still to send. Not all drivers give the
 * last ones back by themselves: then it has had its time. */
static int wait_for_path(struct pw_send *s, struct pw_err *err)
{
	const uint64_t start = pw_cycles(), end = pw_clock_ns() + s->cfg.drain_ns;
	int r = 0;

	while (r == 0 && pw_clock_ns() < end &&
		s->cfg.ops->outstanding(s->cfg.path) + pw_lanes_outstanding(s) > 0) {
		r = pw_send_pause(s, HELD_GAP_NS, err);
		pw_lanes_reap(s);
	}
	s->res->pace_cycles += pw_cycles() - start;
	return r;
}

int pw_send_await_rate(struct pw_send *s, struct pw_err *err)
{
	uint64_t now = pw_quick_ns(&s->clock);

	if (!s->streaming)
		return 0;
	if (s->cfg.drain_ns)
		return wait_for_path(s, err);
	return s->pace.on ? wait_for_rate(s, &now, err) : 0;
}

/* Hands one burst over, waiting while the path is full. Calls in which the driver took nothing are
 * stall, all others are busy; cycles are read only while the path is full. */
static int hand_over(
	struct pw_send *s, const struct pw_tx_burst *b, uint16_t *n, struct pw_err *err)
{
	const struct pw_tx_ops *ops = s->cfg.ops;
	const struct pw_tx_counters *c = ops->counters(s->cfg.path);
	struct stall st = {0};
	uint64_t at, empty = c->full_polls;
	int r = 0;

	*n = ops->send(s->cfg.path, b);
	if (*n)
		return 0;
	at = pw_cycles();
	while (r == 0 && *n == 0) {
		uint64_t now;

		*n = ops->send(s->cfg.path, b);
		now = pw_cycles();
		if (c->full_polls != empty) {
			s->res->stall_cycles += now - at;
			r = stalled(s, &st, err);
		}
		empty = c->full_polls;
		at = now;
	}
	return *n ? 0 : r;
}

/* What would go now is lost, and not even the driver might tell. */
static int wait_for_link(struct pw_send *s, struct pw_err *err)
{
	uint64_t start = pw_cycles();
	int r = 0;

	while (r == 0 && s->down_ns)
		r = pw_send_pause(s, LINK_GAP_NS, err);
	s->res->stall_cycles += pw_cycles() - start;
	return r;
}

/* When the next burst may go, and whether it is time for a look. */
static int pace_burst(struct pw_send *s, bool *look, struct pw_err *err)
{
	uint64_t now = pw_quick_ns(&s->clock);
	int r = wait_for_rate(s, &now, err);

	pw_pace_go(&s->pace, now);
	*look = now >= s->next_look_ns;
	if (*look)
		s->next_look_ns = now + LOOK_NS;
	return r;
}

/* Clock, FDT repetition, progress: every LOOK_BURSTS bursts, or every LOOK_NS when paced. */
static int between_bursts(struct pw_send *s, struct pw_err *err)
{
	bool look = true;
	uint64_t now;
	int r = 0;

	if (s->pace.on)
		r = pace_burst(s, &look, err);
	else
		look = ++s->n_calls >= LOOK_BURSTS;
	if (r || !look)
		return r;
	now = pw_clock_ns();
	r = pw_send_look(s, now, PW_SEND_SENDING, err);
	if (r == 0 && s->down_ns && s->cfg.ops->polls) {
		r = wait_for_link(s, err);
		now = pw_clock_ns();
	}
	if (r == 0 && now >= s->next_fdt_ns)
		r = pw_send_fdt(s, false, err);
	return r;
}

int pw_send_range(
	struct pw_send *s, struct pw_tx_object *obj, uint64_t from, uint64_t to, struct pw_err *err)
{
	const struct pw_blocks *blocks = &obj->blocks;
	uint16_t max =
		pw_pace_burst(&s->pace, (uint32_t)(obj->tmpl.len + blocks->symbol_len), PW_BURST);
	struct pw_tx_burst b = {.obj = obj};
	uint32_t sbn, esi;
	uint16_t n;
	int r = 0;

	while (r == 0 && from < to) {
		uint64_t left;

		pw_blocks_locate(blocks, from, &sbn, &esi);
		left = pw_min_u64(to - from, pw_blocks_block_len(blocks, sbn) - esi);
		b.sbn = (uint16_t)sbn;
		b.esi = (uint16_t)esi;
		b.offset = from * blocks->symbol_len;
		b.n = (uint16_t)pw_min_u64(left, max);
		r = between_bursts(s, err);
		if (r == 0)
			r = hand_over(s, &b, &n, err);
		if (r)
			break;
		from += n;
		left = pw_min_u64(
			(uint64_t)n * blocks->symbol_len, blocks->transfer_len - b.offset);
		s->bytes_done += left;
		if (s->pace.on)
			pw_pace_sent(&s->pace, left + (uint64_t)n * obj->tmpl.len, n);
	}
	return r;
}

bool pw_send_next_range(struct pw_send_ranges *r, uint64_t *from, uint64_t *to)
{
	const struct pw_gap_file *gap = r->slot->file->gap;
	const struct pw_blocks *b = &r->slot->obj.blocks;

	if (!gap) {
		*from = r->sent_to;
		*to = r->sent_to = b->n_symbols;
		return *from < *to;
	}
	for (; r->i < gap->n_missing; r->i++) {
		*from = pw_max_u64(gap->missing[r->i].from / b->symbol_len, r->sent_to);
		*to = pw_div_ceil(gap->missing[r->i].to, b->symbol_len);
		if (*from < *to) {
			r->sent_to = *to;
			return true;
		}
	}
	return false;
}

int pw_send_symbols(struct pw_send *s, struct pw_send_slot *slot, struct pw_err *err)
{
	struct pw_send_ranges ranges = {.slot = slot};
	uint64_t from, to;
	int r = 0;

	s->file = slot->obj.toi - 1;
	s->file_from = s->bytes_done;
	if (slot->win.pages == PW_PAGES_STREAM)
		return pw_sendstream_symbols(s, slot, err);
	while (r == 0 && pw_send_next_range(&ranges, &from, &to))
		r = pw_send_range(s, &slot->obj, from, to, err);
	return r;
}
