/* SPDX-License-Identifier: BSD-3-Clause */
#include "send/ratectl.h"

#include <math.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"

#define MS               1000000ull
#define SETTLE_UP_NS     (50 * MS)  /* after a step up, until reports are about the new rate */
#define SETTLE_BACK_NS   (300 * MS) /* the same after a step back: a queue must empty */
#define CLEAN_NS         (400 * MS) /* without loss, before a step up */
#define CLEAN_NEAR_NS    (2 * PW_NS_PER_S) /* the same near the rate that failed */
#define WINDOW_NS        (4 * PW_NS_PER_S)
#define GONE_NS          (500 * MS) /* and three intervals: a receiver is silent */
#define BLIND_NS         PW_NS_PER_S
#define RETRY_NS         PW_NS_PER_S
#define RETRY_MAX_NS     (64 * PW_NS_PER_S)
#define LIMIT_NS         (100 * MS) /* over which the sender's own speed is measured */
#define LIMIT_SHARE      0.85       /* of the rate: less is the sender's limit */
#define BELOW            0.95       /* of what the slowest receiver took */
#define MARGIN           0.98       /* a rate above this part of it was not held */
#define STEP             0.04
#define STEP_NEAR        0.02 /* near the rate that failed */
#define NEAR             0.95
#define LEAST_PACKETS    50 /* of a window that tells something */
#define SIGMAS           3.0
#define BASE_PACKETS     1000
#define MAX_BLIND_STEPS  3
#define REPAIR_FALL      16 /* at most, from the rate of the pass to that of its repair */
#define FIRST_GAP_NS     (2 * PW_NS_PER_S)
#define JUMP_PACKETS     200
#define KEPT             3 /* reports of which the least loss counts, with several lanes */
#define DISK_SHARE       0.1
#define BEHIND           0.8 /* of what is sent: a receiver that takes less falls behind */
#define STEPS_UNTIL_BASE 3
#define FALL_UNTIL_BASE  0.67

struct sample {
	struct pw_rate_report r;
	uint64_t lost_before; /* packets that did not come to the receiver, since it started */
	uint64_t heard_ns;
	uint64_t sent; /* packets, when it was heard */
};

struct receiver {
	bool is_known, is_bad, has_window;
	uint64_t generation; /* of the window; another one: it has not begun */
	uint64_t gap_ns;     /* usual time between its reports */
	uint64_t raw[KEPT], n_raw;
	struct sample first, from, before, prev,
		last;     /* from: where the window begins; the last three in a row */
	double score;     /* loss of its window, or of its last interval if more */
	double taken_bps; /* in its last bad interval; 0: it has taken more since */
	double base;      /* loss that did not shrink with the rate */
};

struct pw_ratectl {
	uint32_t n_lanes;
	uint64_t n_ignored;
	struct receiver *v;
	size_t *order; /* scratch, as many as v */
	size_t n, room;
	bool is_started, is_pass, holds; /* holds: the start phase is over */
	double bps, good_bps, failed_bps, step;
	double actual_bps; /* 0: not measured at this rate */
	struct pw_rate_sent mark, sent;
	uint64_t mark_ns;
	uint64_t generation, settle_ns;
	uint64_t retry_ns, retry_wait_ns;
	unsigned int in_a_row, n_blind; /* steps back without a step up; for silence */
	double row_bps, row_score;      /* before the first of them */
	double lowest_bps, highest_bps;
	uint64_t n_backs;
	enum pw_rate_bound bound;
	size_t bound_receiver;
};

struct pw_ratectl *pw_ratectl_create(uint32_t n_lanes, uint64_t n_ignored)
{
	struct pw_ratectl *c = calloc(1, sizeof(*c));

	if (c) {
		c->n_lanes = n_lanes;
		c->n_ignored = n_ignored;
		c->bps = PW_RATECTL_START_BPS;
		c->step = STEP;
		c->generation = 1;
		c->retry_wait_ns = RETRY_NS;
	}
	return c;
}

void pw_ratectl_destroy(struct pw_ratectl *c)
{
	if (!c)
		return;
	free(c->v);
	free(c->order);
	free(c);
}

static struct receiver *at(struct pw_ratectl *c, size_t i)
{
	size_t room = pw_max_u64(2 * c->room, 16), *order;
	struct receiver *v;

	if (i >= c->room) {
		room = pw_max_u64(room, i + 1);
		v = reallocarray(c->v, room, sizeof(*v));
		c->v = v ? v : c->v;
		order = reallocarray(c->order, room, sizeof(*order));
		c->order = order ? order : c->order;
		if (!v || !order)
			return NULL;
		c->room = room;
	}
	for (; c->n <= i; c->n++)
		c->v[c->n] = (struct receiver){0};
	return &c->v[i];
}

/* More than `allowed` of n, beyond what chance makes of it. */
static bool exceeds(uint64_t n, uint64_t lost, double allowed)
{
	const double mean = allowed * (double)n;

	return (double)lost > mean + SIGMAS * sqrt(mean) + 1.5;
}

static double share(uint64_t n, uint64_t lost)
{
	return n ? (double)pw_min_u64(lost, n) / (double)n : 0;
}

/* What the receiver's own port dropped. */
static uint64_t dropped(const struct pw_rate_report *r)
{
	return r->dropped_socket + r->dropped_ring + r->dropped_files;
}

/* The packets that were lost for certain before the receiver. What several lanes send comes in another order, and what
 * is on its way is not lost. What the receiver dropped shows up as missing only when it has taken what waited. */
static uint64_t lost_before(
	const struct pw_ratectl *c, struct receiver *r, const struct pw_rate_report *report)
{
	const size_t n = c->n_lanes > 1 ? KEPT : 1;
	uint64_t least = UINT64_MAX;
	size_t i;

	r->raw[r->n_raw++ % KEPT] = report->expected - pw_min_u64(report->expected, report->seen);
	for (i = 0; i < n && i < r->n_raw; i++)
		least = pw_min_u64(least, r->raw[(r->n_raw - 1 - i) % KEPT]);
	return pw_max_u64(least - pw_min_u64(least, dropped(report)), r->last.lost_before);
}

/* Whether the receiver's last report may have become this one. One that joins late counts all that was sent before with its first
 * symbol: that is no loss. */
static bool follows(const struct receiver *r, const struct sample *s)
{
	const struct pw_rate_report *a = &r->last.r, *b = &s->r;

	return a->expected && b->time_ns >= a->time_ns && b->expected >= a->expected &&
	       b->seen >= a->seen && b->dropped_socket >= a->dropped_socket &&
	       b->dropped_ring >= a->dropped_ring && b->dropped_files >= a->dropped_files &&
	       b->disk_waited_ns >= a->disk_waited_ns && s->heard_ns >= r->last.heard_ns &&
	       b->expected - r->first.r.expected <= 2 * (s->sent - r->first.sent) + JUMP_PACKETS;
}

static uint64_t lost(const struct sample *a, const struct sample *b)
{
	return b->lost_before - a->lost_before + dropped(&b->r) - dropped(&a->r);
}

/* The receiver mostly waits for its disk, and takes less than what is sent: what waits will be dropped. */
static bool falls_behind(const struct sample *a, const struct sample *b)
{
	return b->r.disk_waited_ns - a->r.disk_waited_ns > (b->r.time_ns - a->r.time_ns) / 2 &&
	       (double)(b->r.seen - a->r.seen) < BEHIND * (double)(b->sent - a->sent);
}

/* What the receiver took in its last interval, in bit/s of frames. Its clock is believed if it agrees with ours. */
static double taken_bps(const struct pw_ratectl *c, const struct receiver *r)
{
	const double ours = (double)(r->last.heard_ns - r->prev.heard_ns),
		     theirs = (double)(r->last.r.time_ns - r->prev.r.time_ns);
	const double ns = theirs > ours / 4 && theirs < ours * 4 ? theirs : ours;
	const double bits = (double)c->sent.bits / (double)pw_max_u64(c->sent.packets, 1);

	return ns > 0 ? (double)(r->last.r.seen - r->prev.r.seen) * bits * 1e9 / ns : 0;
}

/* Looks at the interval and at the window. */
static void judge(const struct pw_ratectl *c, struct receiver *r)
{
	const uint64_t n = r->last.r.expected - r->from.r.expected,
		       n_lost = lost(&r->from, &r->last),
		       n_now = r->last.r.expected - r->prev.r.expected,
		       lost_now = lost(&r->prev, &r->last);
	double allowed = PW_RATECTL_LOSS;

	if (n >= BASE_PACKETS && share(n, n_lost) < r->base / 2)
		r->base = share(n, n_lost);
	allowed += 1.5 * r->base;
	r->is_bad = exceeds(n, n_lost, allowed) || exceeds(n_now, lost_now, allowed);
	r->score = fmax(share(n, n_lost), share(n_now, lost_now));
	if (falls_behind(&r->prev, &r->last)) {
		r->is_bad = true;
		r->score = fmax(r->score, 1 - (double)(r->last.r.seen - r->prev.r.seen) /
							  (double)(r->last.sent - r->prev.sent));
	}
	if (r->is_bad)
		r->taken_bps = taken_bps(c, r);
	else if (c->bps > r->taken_bps)
		r->taken_bps = 0;
}

static void begin_window(struct pw_ratectl *c, struct receiver *r)
{
	r->is_bad = false;
	r->score = 0;
	r->from = r->prev = r->last;
	r->has_window = c->is_pass && r->last.heard_ns >= c->settle_ns;
	r->generation = c->generation;
}

static bool is_silent(const struct receiver *r, uint64_t now_ns)
{
	return now_ns - pw_min_u64(now_ns, r->last.heard_ns) > 3 * r->gap_ns + GONE_NS;
}

void pw_ratectl_report(
	struct pw_ratectl *c, size_t i, const struct pw_rate_report *report, uint64_t now_ns)
{
	struct receiver *r = at(c, i);
	struct sample s = {.r = *report, .heard_ns = now_ns, .sent = c->sent.packets};

	if (!r)
		return;
	if (r->is_known && is_silent(r, now_ns)) /* it is back */
		c->n_blind = 0;
	if (!r->is_known || !follows(r, &s)) {
		*r = (struct receiver){.is_known = true, .base = r->base, .gap_ns = FIRST_GAP_NS};
		s.lost_before = lost_before(c, r, report);
		r->first = r->prev = r->last = s;
		begin_window(c, r);
		return;
	}
	s.lost_before = lost_before(c, r, report);
	r->gap_ns = r->gap_ns == FIRST_GAP_NS ? now_ns - r->last.heard_ns
					      : (4 * r->gap_ns + now_ns - r->last.heard_ns) / 5;
	r->before = r->prev;
	r->prev = r->last;
	r->last = s;
	if (!r->has_window || r->generation != c->generation)
		begin_window(c, r);
	else
		judge(c, r);
	if (r->has_window && now_ns - r->from.heard_ns > WINDOW_NS)
		r->from = r->prev;
}

static bool counts(const struct receiver *r)
{
	return r->is_known && !r->last.r.has_ended;
}

/* It counts nothing: it is not waited for. */
static bool is_blind(const struct pw_ratectl *c, const struct receiver *r, uint64_t now_ns)
{
	return now_ns - c->settle_ns > BLIND_NS + 4 * r->gap_ns;
}

/* Its window is long enough. */
static bool is_ready(const struct pw_ratectl *c, const struct receiver *r)
{
	const uint64_t n = r->last.r.expected - r->from.r.expected;

	return r->has_window && r->generation == c->generation && n >= LEAST_PACKETS &&
	       (!c->holds || r->last.heard_ns - r->from.heard_ns >= CLEAN_NS / 2);
}

static double loss_of(const struct receiver *r)
{
	return share(r->last.r.expected - r->first.r.expected, lost(&r->first, &r->last));
}

/* The worst of the n receivers in order[] when the `ignored` worst do not count. */
static size_t worst(const struct pw_ratectl *c, size_t n, uint64_t ignored,
	double (*score)(const struct receiver *))
{
	size_t i, k, best;

	for (k = 0;; k++) {
		for (i = best = k; i < n; i++)
			if (score(&c->v[c->order[i]]) > score(&c->v[c->order[best]]))
				best = i;
		i = c->order[best];
		c->order[best] = c->order[k];
		c->order[k] = i;
		if (k == ignored || k + 1 == n)
			return i;
	}
}

static double score_of(const struct receiver *r)
{
	return r->score;
}

static uint64_t ignored_of(const struct pw_ratectl *c, size_t n)
{
	return n ? pw_min_u64(c->n_ignored, n - 1) : 0;
}

static void set_rate(struct pw_ratectl *c, double bps, uint64_t settle_ns)
{
	c->bps = fmax(bps, PW_RATECTL_LEAST_BPS);
	c->generation++;
	c->settle_ns = settle_ns;
	c->mark = c->sent;
	c->mark_ns = settle_ns;
	c->actual_bps = 0;
	if (!c->holds)
		return;
	if (c->lowest_bps == 0 || c->bps < c->lowest_bps)
		c->lowest_bps = c->bps;
	c->highest_bps = fmax(c->highest_bps, c->bps);
}

/* A receiver that waits for its disk takes nothing from its socket, which overflows. It hears of that with the first
 * packet after the wait, often an interval later: so the wait is that of two intervals. */
static bool waits_for_disk(const struct receiver *r)
{
	const struct pw_rate_report *a = &r->before.r, *b = &r->last.r;

	return (double)(b->disk_waited_ns - a->disk_waited_ns) >
	       DISK_SHARE * (double)(b->time_ns - a->time_ns);
}

/* Where the packets of the receiver's last interval were lost. */
static enum pw_rate_bound cause_of(const struct receiver *r)
{
	const struct pw_rate_report *a = &r->prev.r, *b = &r->last.r;
	const uint64_t half = lost(&r->prev, &r->last) / 2 + 1;

	if (waits_for_disk(r) || b->dropped_files - a->dropped_files >= half)
		return PW_RATE_BOUND_DISK;
	if (b->dropped_ring - a->dropped_ring >= half)
		return PW_RATE_BOUND_RING;
	return b->dropped_socket - a->dropped_socket >= half ? PW_RATE_BOUND_SOCKET
							     : PW_RATE_BOUND_LINK;
}

/* The loss did not shrink though the rate did: it is not the rate's. The rate goes up again. */
static bool is_base(struct pw_ratectl *c, struct receiver *r, uint64_t now_ns)
{
	if (c->in_a_row < STEPS_UNTIL_BASE || c->bps > FALL_UNTIL_BASE * c->row_bps ||
		r->score < c->row_score / 2)
		return false;
	r->base = r->score;
	c->in_a_row = 0;
	set_rate(c, c->row_bps, now_ns + SETTLE_UP_NS);
	return true;
}

/* Near the rate that failed: there a queue may hide for a while that the rate is too high. */
static bool is_near(const struct pw_ratectl *c, double bps)
{
	return c->failed_bps > 0 && bps > NEAR * c->failed_bps && bps < c->failed_bps / NEAR;
}

static void step_back(struct pw_ratectl *c, double most, double taken, uint64_t now_ns)
{
	const double bps = fmin(fmax(BELOW * taken, c->bps / 2), most * c->bps);

	c->retry_wait_ns =
		is_near(c, c->bps) ? pw_min_u64(2 * c->retry_wait_ns, RETRY_MAX_NS) : RETRY_NS;
	c->failed_bps = c->bps;
	c->retry_ns = now_ns + c->retry_wait_ns;
	c->good_bps = fmax(fmin(c->good_bps, MARGIN / BELOW * bps), bps);
	c->step = STEP;
	c->holds = true;
	c->n_backs++;
	set_rate(c, bps, now_ns + SETTLE_BACK_NS);
}

static void back_off(struct pw_ratectl *c, size_t i, uint64_t now_ns)
{
	static const double most[] = {BELOW, 0.85, 0.7};
	struct receiver *r = &c->v[i];

	if (is_base(c, r, now_ns))
		return;
	if (c->in_a_row == 0) {
		c->row_bps = c->bps;
		c->row_score = r->score;
	}
	c->bound = cause_of(r);
	c->bound_receiver = i;
	step_back(
		c, most[pw_min_u64(c->in_a_row, PW_ARRAY_LEN(most) - 1)], taken_bps(c, r), now_ns);
	c->in_a_row++;
}

/* Half of the receivers or more fell silent at once: the packets of their reports' connections are lost as well. */
static void answer_silence(struct pw_ratectl *c, size_t silent, uint64_t now_ns)
{
	if (now_ns < c->settle_ns + GONE_NS)
		return;
	c->n_blind++;
	c->bound = PW_RATE_BOUND_LINK;
	c->bound_receiver = silent;
	step_back(c, 0.5, 0, now_ns);
}

/* Whether the sender itself does not reach the rate. */
static bool measure_sender(struct pw_ratectl *c, uint64_t now_ns)
{
	if (now_ns >= c->mark_ns + LIMIT_NS) {
		c->actual_bps =
			(double)(c->sent.bits - c->mark.bits) * 1e9 / (double)(now_ns - c->mark_ns);
		c->mark = c->sent;
		c->mark_ns = now_ns;
	}
	return c->actual_bps > 0 && c->actual_bps < LIMIT_SHARE * c->bps;
}

static void step_up(struct pw_ratectl *c, uint64_t now_ns)
{
	const uint64_t clean_ns = now_ns - c->settle_ns;
	double next;

	if (!c->holds) {
		c->good_bps = c->bps;
		set_rate(c, 2 * c->bps, now_ns + SETTLE_UP_NS);
		return;
	}
	if (clean_ns < (c->bps > c->good_bps && is_near(c, c->bps) ? CLEAN_NEAR_NS : CLEAN_NS))
		return;
	c->in_a_row = 0;
	if (c->bps > c->good_bps) { /* it was tried, and held */
		c->good_bps = c->bps;
		c->step = fmin(2 * c->step, 1);
		if (c->bps > c->failed_bps && !is_near(c, c->bps))
			c->retry_wait_ns = RETRY_NS;
	}
	next = c->bps * (1 + (is_near(c, c->bps * (1 + STEP)) ? STEP_NEAR : c->step));
	if (c->bps < c->good_bps * (1 - 1e-9))
		set_rate(c, fmin(next, c->good_bps), now_ns + SETTLE_UP_NS);
	else if (now_ns >= c->retry_ns)
		set_rate(c, next, now_ns + SETTLE_UP_NS);
}

/* In repair rounds, which are for receivers that did not count as well: what the slowest of all took. */
static double repair_bps(const struct pw_ratectl *c)
{
	double bps = c->bps;
	size_t i;

	for (i = 0; i < c->n; i++)
		if (counts(&c->v[i]) && c->v[i].taken_bps > 0)
			bps = fmin(bps, BELOW * c->v[i].taken_bps);
	return fmax(bps, c->bps / REPAIR_FALL);
}

/* Looks at all receivers, and changes the rate if that is due. */
static void decide(struct pw_ratectl *c, uint64_t now_ns)
{
	const bool is_limited = measure_sender(c, now_ns);
	size_t i, n_bad = 0, n = 0, n_silent = 0, n_waits = 0, n_ready = 0;
	size_t silent = 0;
	uint64_t ignored;

	for (i = 0; i < c->n; i++) {
		const struct receiver *r = &c->v[i];

		if (!counts(r))
			continue;
		n++;
		if (is_silent(r, now_ns)) {
			silent = n_silent++ ? silent : i;
			continue;
		}
		if (r->is_bad && r->generation == c->generation)
			c->order[n_bad++] = i;
		else if (is_ready(c, r))
			n_ready++;
		else
			n_waits += !is_blind(c, r, now_ns);
	}
	ignored = ignored_of(c, n - n_silent);
	if (n_bad > ignored) {
		back_off(c, worst(c, n_bad, ignored, score_of), now_ns);
	} else if (n && 2 * n_silent >= n && c->n_blind < MAX_BLIND_STEPS) {
		answer_silence(c, silent, now_ns);
	} else if (n_ready && n_waits == 0 && !is_limited && c->actual_bps > 0) {
		step_up(c, now_ns);
	} else if (is_limited && !c->n_backs) {
		c->bound = PW_RATE_BOUND_SENDER;
	}
}

double pw_ratectl_tick(struct pw_ratectl *c, const struct pw_rate_sent *sent, uint64_t now_ns)
{
	c->sent = *sent;
	if (!c->is_started || sent->is_pass != c->is_pass) {
		c->is_started = true;
		c->is_pass = sent->is_pass;
		set_rate(c, c->is_pass ? c->bps : repair_bps(c), now_ns + SETTLE_UP_NS);
	}
	if (c->is_pass && now_ns >= c->settle_ns)
		decide(c, now_ns);
	return c->bps;
}

void pw_ratectl_state(const struct pw_ratectl *c, struct pw_ratectl_state *st)
{
	size_t i, n = 0;

	*st = (struct pw_ratectl_state){.bps = c->bps,
		.lowest_bps = c->lowest_bps,
		.highest_bps = c->highest_bps,
		.n_backs = c->n_backs,
		.bound = c->bound,
		.receiver = c->bound_receiver};
	for (i = 0; i < c->n; i++)
		if (c->v[i].is_known)
			c->order[n++] = i;
	if (n)
		st->loss = loss_of(&c->v[worst(c, n, ignored_of(c, n), loss_of)]);
}
