/* SPDX-License-Identifier: BSD-3-Clause */
#include "recv/loop.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/thread.h"

#define VIEWS       (2 * PW_BURST) /* packets in a poll */
#define DRAIN_POLLS 65536          /* a peer that is gone leaves at most one full ring */
#define SLEEP_NS \
	5000000ull /* of a path that can sleep: how soon tick() sees that something has ended */
#define LOOK_POLLS 1024 /* a poll of an empty ring takes tens of nanoseconds */
#define LOOK_CALLS 64   /* a system call that brings packets, a hundred microseconds */
#define IDLE_POLLS 256  /* then it yields the CPU: there may be more queues than CPUs */
#define ALIVE_NS   (PW_NS_PER_S / 10)
#define CLOSED_NS  PW_NS_PER_S /* packets that the close has overtaken come within this time */
#define LINGER_NS  (PW_NS_PER_S / 2) /* after the last file: a table may name one more */

struct queue {
	_Alignas(64) struct pw_recv_loop *loop;
	void *path;
	uint32_t index;
	pthread_t thread;
	unsigned int polls, idle;
	bool fresh; /* bytes came since last_ns */
	_Atomic uint64_t first_ns, last_ns;
	uint64_t polled_cycles; /* the counter after the last poll; 0: none yet */
	_Atomic uint64_t busy_cycles, idle_cycles;
};

struct pw_recv_loop {
	struct pw_recv_loop_config cfg;
	atomic_bool stop;
	atomic_bool drain; /* take what is in the queues before stopping */
	atomic_int error;  /* of a queue: positive errno */
	uint32_t n_started;
	unsigned int polls;
	uint64_t taken;    /* the sessions' packets when heard_ns was set */
	uint64_t heard_ns; /* the sessions' last packet, or the start */
	uint64_t alive_ns; /* when the path was last asked */
	uint64_t gone_ns;  /* since when its peer is gone; 0 = it is there */
	uint64_t done_ns;
	uint64_t n_files; /* when done_ns was set */
	struct queue v[];
};

const char *pw_recv_end_name(enum pw_recv_end end)
{
	static const char *const names[] = {
		[PW_RECV_END_NONE] = "running",
		[PW_RECV_END_DONE] = "done",
		[PW_RECV_END_TIMEOUT] = "timeout",
		[PW_RECV_END_INTERRUPTED] = "interrupted",
		[PW_RECV_END_PEER_GONE] = "peer-gone",
		[PW_RECV_END_CLOSED] = "closed",
		[PW_RECV_END_FATAL] = "output-error",
		[PW_RECV_END_PATH] = "port-error",
	};

	return names[end];
}

static void set(_Atomic uint64_t *ns, uint64_t value)
{
	atomic_store_explicit(ns, value, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *ns)
{
	return atomic_load_explicit(ns, memory_order_relaxed);
}

static void take(struct queue *q, const struct pw_rx_view *views, size_t n)
{
	const uint64_t now = get(&q->first_ns) ? 0 : pw_clock_ns();

	if (pw_recv_lane_burst(q->loop->cfg.recv, q->index, views, n) == 0)
		return;
	q->fresh = true;
	if (now)
		set(&q->first_ns, now);
}

/* One read of the counter a poll: what passed since the last one belongs to this one. */
static void count_cycles(struct queue *q, bool busy)
{
	const uint64_t now = pw_cycles(), since = q->polled_cycles ? now - q->polled_cycles : 0;
	_Atomic uint64_t *sum = busy ? &q->busy_cycles : &q->idle_cycles;

	set(sum, get(sum) + since);
	q->polled_cycles = now;
}

/* The clock is read when payload came and the ring is empty now (or the path has slept anyway): not in a
 * stream that keeps the thread busy, and yet within a poll of the last packet. */
static int poll_once(struct queue *q, uint64_t sleep_ns)
{
	const struct pw_recv_loop_config *cfg = &q->loop->cfg;
	struct pw_rx_view views[VIEWS];
	int n = cfg->ops->burst(q->path, views, VIEWS, sleep_ns);

	if (n > 0) {
		take(q, views, (size_t)n);
		cfg->ops->release(q->path);
		q->idle = 0;
	} else if (++q->idle % IDLE_POLLS == 0 && cfg->n_queues > 1) {
		sched_yield();
	}
	if (q->fresh && (n <= 0 || cfg->sleeps || ++q->polls % LOOK_POLLS == 0)) {
		q->fresh = false;
		set(&q->last_ns, pw_clock_ns());
	}
	if (!cfg->sleeps)
		count_cycles(q, n > 0);
	return n;
}

static void *queue_main(void *arg)
{
	struct queue *q = arg;
	struct pw_recv_loop *l = q->loop;
	const struct pw_rx_ops *ops = l->cfg.ops;
	int n = 0, left;

	if (ops->thread_enter)
		ops->thread_enter(q->path);
	while (n >= 0 && !atomic_load_explicit(&l->stop, memory_order_relaxed))
		n = poll_once(q, 0);
	left = atomic_load(&l->drain) ? DRAIN_POLLS : 0;
	while (left-- && n >= 0 && (n = poll_once(q, 0)) > 0)
		;
	if (n < 0)
		atomic_store(&l->error, -n);
	if (ops->thread_leave)
		ops->thread_leave(q->path);
	return NULL;
}

int pw_recv_loop_start(
	struct pw_recv_loop **out, const struct pw_recv_loop_config *cfg, struct pw_err *err)
{
	const uint32_t n = cfg->n_queues;
	const size_t bytes =
		pw_align_up(sizeof(struct pw_recv_loop) + n * sizeof(struct queue), 64);
	struct pw_recv_loop *l = aligned_alloc(64, bytes);
	uint32_t i;
	int r = l ? 0 : ENOMEM;

	*out = l;
	if (r)
		return pw_err_sys(err, r, "cannot start receiving from %u queues", n);
	memset(l, 0, bytes);
	l->cfg = *cfg;
	l->heard_ns = pw_clock_ns();
	for (i = 0; i < n; i++)
		l->v[i] = (struct queue){.loop = l,
			.path = cfg->ops->lane ? cfg->ops->lane(cfg->path, (uint16_t)i) : cfg->path,
			.index = i};
	for (i = 1; r == 0 && i < n; i++) {
		r = pw_thread_start(&l->v[i].thread, queue_main, &l->v[i]);
		l->n_started += r == 0;
	}
	if (r == 0)
		return 0;
	pw_recv_loop_stop(l, NULL);
	*out = NULL;
	return pw_err_sys(err, r, "cannot start %u threads to receive", n - 1);
}

/* Packets of sessions that are received: those of others, or of a probe, must not keep the receiver waiting. */
static uint64_t n_taken(struct pw_recv *r)
{
	struct pw_recv_counters c;

	pw_recv_counters(r, &c);
	return c.packets - c.strangers - c.malformed - c.alc_verdicts[PW_ALC_PROBE];
}

static bool peer_gone(struct pw_recv_loop *l, const struct pw_recv_status *st, uint64_t now)
{
	if (!st->session_seen || now - l->alive_ns < ALIVE_NS)
		return false;
	l->alive_ns = now;
	if (l->cfg.ops->alive(l->cfg.path))
		l->gone_ns = 0;
	else if (l->gone_ns == 0)
		l->gone_ns = now;
	return l->gone_ns && now - l->gone_ns >= l->cfg.link_grace_ns;
}

/* The path is broken for good. */
static bool is_broken(const struct pw_recv_loop *l, struct pw_err *err)
{
	const struct pw_rx_ops *ops = l->cfg.ops;
	const char *fault = ops->fault ? ops->fault(l->cfg.path) : NULL;

	if (!fault)
		return false;
	pw_err_set(err, ENODEV, "cannot receive on %s: %s", l->cfg.path_text, fault);
	return true;
}

/* Whether every file has ended. If a sender has not closed its session, wait a little: a table may still name
 * one more file. */
static bool is_done(struct pw_recv_loop *l, const struct pw_recv_status *st, uint64_t now)
{
	if (!st->done) {
		l->done_ns = 0;
		return false;
	}
	if (!l->done_ns || l->n_files != st->n_files)
		l->done_ns = now;
	l->n_files = st->n_files;
	return l->cfg.waits_for_more || st->session_closed || now - l->done_ns >= LINGER_NS;
}

/* Checks whether the loop has to end. */
static enum pw_recv_end check_end(struct pw_recv_loop *l, struct pw_err *err)
{
	const struct pw_recv_loop_config *cfg = &l->cfg;
	const uint64_t now = pw_clock_ns(), taken = n_taken(cfg->recv);
	struct pw_recv_status st;

	pw_recv_status(cfg->recv, &st);
	if (taken != l->taken) {
		l->taken = taken;
		l->heard_ns = now;
	}
	if (cfg->tick)
		cfg->tick(cfg->ctx, &st, now);
	if (is_done(l, &st, now))
		return PW_RECV_END_DONE;
	if (st.fatal)
		return PW_RECV_END_FATAL;
	if (is_broken(l, err))
		return PW_RECV_END_PATH;
	if (cfg->stopped && cfg->stopped())
		return PW_RECV_END_INTERRUPTED;
	if (cfg->timeout_ns && now - l->heard_ns >= cfg->timeout_ns)
		return PW_RECV_END_TIMEOUT;
	if (st.session_closed && !cfg->waits_for_more && now - l->heard_ns >= CLOSED_NS)
		return PW_RECV_END_CLOSED;
	return peer_gone(l, &st, now) ? PW_RECV_END_PEER_GONE : PW_RECV_END_NONE;
}

/* Takes what the peer sent before it went: it is still in the ring. */
static void drain(struct pw_recv_loop *l)
{
	for (int i = 0; i < DRAIN_POLLS; i++)
		if (poll_once(&l->v[0], 0) <= 0)
			return;
}

enum pw_recv_end pw_recv_loop_run(struct pw_recv_loop *l, uint64_t until_ns, struct pw_err *err)
{
	const struct pw_recv_loop_config *cfg = &l->cfg;
	const unsigned int look_after = cfg->sleeps ? LOOK_CALLS : LOOK_POLLS;
	enum pw_recv_end end;

	for (;;) {
		int error = atomic_load_explicit(&l->error, memory_order_relaxed);
		int n = error ? -error : poll_once(&l->v[0], SLEEP_NS);

		if (n < 0) {
			pw_err_sys(err, -n, "cannot receive by %s", cfg->ops->name);
			return PW_RECV_END_PATH;
		}
		/* An empty poll of a path that sleeps took a while: check now. */
		if (++l->polls % look_after && !(cfg->sleeps && n == 0))
			continue;
		end = check_end(l, err);
		if (end == PW_RECV_END_PEER_GONE) {
			drain(l);
			atomic_store(&l->drain, true);
		}
		if (end != PW_RECV_END_NONE || (until_ns && pw_clock_ns() >= until_ns))
			return end;
	}
}

void pw_recv_loop_times(const struct pw_recv_loop *l, struct pw_recv_times *t)
{
	uint32_t i;

	*t = (struct pw_recv_times){.done_ns = l->done_ns};
	for (i = 0; i < l->cfg.n_queues; i++) {
		uint64_t first = get(&l->v[i].first_ns), last = get(&l->v[i].last_ns);

		if (first && (!t->first_ns || first < t->first_ns))
			t->first_ns = first;
		if (last > t->last_ns)
			t->last_ns = last;
		t->busy_cycles += get(&l->v[i].busy_cycles);
		t->idle_cycles += get(&l->v[i].idle_cycles);
	}
	if (t->last_ns < t->first_ns)
		t->last_ns = t->first_ns;
}

void pw_recv_loop_stop(struct pw_recv_loop *l, struct pw_recv_times *t)
{
	uint32_t i;
	uint64_t now;

	if (!l)
		return;
	atomic_store(&l->stop, true);
	for (i = 1; i <= l->n_started; i++)
		pthread_join(l->v[i].thread, NULL);
	now = pw_clock_ns();
	for (i = 0; i < l->cfg.n_queues; i++)
		if (l->v[i].fresh)
			set(&l->v[i].last_ns, now);
	if (t)
		pw_recv_loop_times(l, t);
	free(l);
}
