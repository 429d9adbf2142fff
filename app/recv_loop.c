/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "app/recv_run.h"
#include "base/bytes.h"
#include "base/clock.h"

#define SLEEP_NS   20000000ull /* of a path that can sleep: how soon a signal or timeout is seen */
#define LOOK_POLLS 1024        /* a poll of an empty ring takes tens of nanoseconds */
#define LOOK_CALLS 64          /* a system call that brings packets, a hundred microseconds */
#define ALIVE_NS   (PW_NS_PER_S / 10)
#define CLOSED_NS  PW_NS_PER_S /* what the close of a session has overtaken comes within this */

struct loop {
	struct pw_recv_run *run;
	const struct pw_recv_counters *c;
	struct pw_recv_queues *queues; /* NULL: one */
	struct pw_progress progress;
	uint64_t payload_bytes; /* when last_ns was set */
	uint64_t taken;         /* the session's packets when heard_ns was set */
	uint64_t heard_ns;      /* the session's last packet, or the start */
	uint64_t alive_ns;      /* when the path was last asked */
	uint64_t gone_ns;       /* since when its peer is gone; 0 = it is there */
};

/* Packets of our session: strangers and noise shall not keep the receiver waiting. */
static uint64_t taken(const struct pw_recv_counters *c)
{
	return c->packets - c->strangers - c->malformed;
}

/* The clock is read when payload came and the ring is empty now (or the path has slept anyway): not
 * in a stream that keeps us busy, and yet within a poll of the last packet. */
static int poll_only(struct loop *l)
{
	struct pw_recv_run *run = l->run;
	struct pw_rx_view views[PW_RECV_VIEWS];
	int n = run->path.ops->burst(run->path.path, views, PW_RECV_VIEWS, SLEEP_NS);

	if (n > 0) {
		uint64_t now = run->first_ns ? 0 : pw_clock_ns();

		pw_recv_burst(run->recv, views, (size_t)n);
		run->path.ops->release(run->path.path);
		if (now && l->c->payload_bytes) {
			run->first_ns = now;
			run->last_ns = now;
		}
	}
	if (l->c->payload_bytes != l->payload_bytes && (n <= 0 || run->path.sleeps)) {
		l->payload_bytes = l->c->payload_bytes;
		run->last_ns = pw_clock_ns();
	}
	return n;
}

static int poll_once(struct loop *l)
{
	return l->queues ? pw_recv_queues_poll(l->queues) : poll_only(l);
}

/* The last packet's time, in a stream without an empty poll. */
static void set_last(struct loop *l, uint64_t now)
{
	if (l->queues) {
		pw_recv_queues_times(l->queues);
	} else if (l->c->payload_bytes != l->payload_bytes) {
		l->payload_bytes = l->c->payload_bytes;
		l->run->last_ns = now;
	}
}

static void draw(struct loop *l, const struct pw_recv_status *st, uint64_t now)
{
	double loss = -1.0;

	if (st->symbols_expected)
		loss = 1.0 - (double)st->symbols_seen / (double)st->symbols_expected;
	if (pw_progress_due(&l->progress, now))
		pw_progress_draw(&l->progress, now, "recv", st->bytes_have, st->bytes_total,
			l->c->packets, loss);
}

static bool peer_gone(struct loop *l, const struct pw_recv_status *st, uint64_t now)
{
	if (!st->session_seen || now - l->alive_ns < ALIVE_NS)
		return false;
	l->alive_ns = now;
	if (l->run->path.ops->alive(l->run->path.path))
		l->gone_ns = 0;
	else if (l->gone_ns == 0)
		l->gone_ns = now;
	return l->gone_ns && now - l->gone_ns >= l->run->opt->link_grace_ns;
}

/* The path is broken for good. */
static bool broken(struct loop *l, struct pw_err *err)
{
	const struct pw_recv_path *path = &l->run->path;
	const char *fault = path->ops->fault ? path->ops->fault(path->path) : NULL;

	if (!fault)
		return false;
	pw_err_set(err, ENODEV, "receive on %s: %s", l->run->opt->port, fault);
	return true;
}

/* With --expect, another session may bring the rest. */
static bool session_over(const struct loop *l, const struct pw_recv_status *st, uint64_t now)
{
	return st->session_closed && !l->run->opt->expect && now - l->heard_ns >= CLOSED_NS;
}

/* What the peer sent before it went is still in the ring. */
static void drain(struct loop *l)
{
	for (int i = 0; i < PW_RECV_DRAIN_POLLS; i++)
		if (poll_once(l) <= 0)
			return;
}

/* Looks up from the packets; false ends the loop and says why. */
static bool look(struct loop *l, struct pw_err *err)
{
	struct pw_recv_run *run = l->run;
	uint64_t now = pw_clock_ns(), timeout_ns = run->opt->timeout_ns;
	struct pw_recv_status st;

	pw_recv_status(run->recv, &st);
	set_last(l, now);
	if (taken(l->c) != l->taken) {
		l->taken = taken(l->c);
		l->heard_ns = now;
	}
	draw(l, &st, now);
	if (run->path.tick)
		run->path.tick(run, &st, now);
	run->end = PW_RECV_END_DONE;
	if (st.done) {
		run->done_ns = now;
		return false;
	}
	if (st.fatal)
		run->end = PW_RECV_END_FATAL;
	else if (broken(l, err))
		run->end = PW_RECV_END_PATH;
	else if (pw_stop_requested())
		run->end = PW_RECV_END_INTERRUPTED;
	else if (timeout_ns && now - l->heard_ns >= timeout_ns)
		run->end = PW_RECV_END_TIMEOUT;
	else if (session_over(l, &st, now))
		run->end = PW_RECV_END_CLOSED;
	else if (peer_gone(l, &st, now))
		run->end = PW_RECV_END_PEER_GONE;
	else
		return true;
	return false;
}

void pw_recv_loop(struct pw_recv_run *run, struct pw_err *err)
{
	struct loop l = {.run = run, .c = pw_recv_counters(run->recv)};
	const unsigned int look_after = run->path.sleeps ? LOOK_CALLS : LOOK_POLLS;
	unsigned int polls = 0;

	pw_progress_init(&l.progress, run->ctx->is_tty, run->opt->progress);
	l.heard_ns = l.progress.start_ns;
	run->end = PW_RECV_END_PATH;
	if (run->n_queues > 1 && pw_recv_queues_start(&l.queues, run, err))
		return;
	for (;;) {
		int n = poll_once(&l);

		if (n < 0) {
			run->end = PW_RECV_END_PATH;
			pw_err_sys(err, -n, "receive by %s", run->path.name);
			break;
		}
		/* An empty poll of a path that sleeps took a while: time to look. */
		if (++polls % look_after && !(run->path.sleeps && n == 0))
			continue;
		if (!look(&l, err))
			break;
	}
	if (run->end == PW_RECV_END_PEER_GONE)
		drain(&l);
	if (l.queues)
		pw_recv_queues_stop(l.queues, run->end == PW_RECV_END_PEER_GONE);
	pw_progress_end(&l.progress);
}
