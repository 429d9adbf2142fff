/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A thread for each queue of a path that has several:
 *
 *   queue 0   the main thread: polls, and looks around (recv_loop.c)
 *   queue i   a thread of its own: polls until it is told to stop
 */
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "app/recv_run.h"
#include "base/clock.h"
#include "base/thread.h"

#define IDLE_POLLS 256  /* then who waits for the CPU gets it: there may be more queues than CPUs */
#define LOOK_POLLS 1024 /* as recv_loop.c */

struct queue {
	_Alignas(64) struct pw_recv_queues *all;
	void *path;
	uint32_t index;
	pthread_t thread;
	unsigned int polls, idle;
	bool fresh;                         /* bytes came since last_ns */
	_Atomic uint64_t first_ns, last_ns; /* as in pw_recv_run */
};

struct pw_recv_queues {
	struct pw_recv_run *run;
	atomic_bool stop;
	atomic_bool drain; /* what is in the queues, first */
	atomic_int error;  /* of a queue: positive errno */
	uint32_t n, n_started;
	struct queue v[];
};

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
	const struct pw_recv_run *run = q->all->run;
	const uint64_t now = get(&q->first_ns) ? 0 : pw_clock_ns();

	if (pw_recv_lane_burst(run->recv, q->index, views, n) == 0)
		return;
	q->fresh = true;
	if (now)
		set(&q->first_ns, now);
}

/* The clock is read as in a receiver of one queue: not in a stream that keeps us busy. */
static int poll_once(struct queue *q)
{
	const struct pw_recv_path *path = &q->all->run->path;
	struct pw_rx_view views[PW_RECV_VIEWS];
	int n = path->ops->burst(q->path, views, PW_RECV_VIEWS, 0);

	if (n > 0) {
		take(q, views, (size_t)n);
		path->ops->release(q->path);
		q->idle = 0;
	} else if (++q->idle % IDLE_POLLS == 0) {
		sched_yield();
	}
	if (q->fresh && (n <= 0 || ++q->polls % LOOK_POLLS == 0)) {
		q->fresh = false;
		set(&q->last_ns, pw_clock_ns());
	}
	return n;
}

static void *queue_main(void *arg)
{
	struct queue *q = arg;
	struct pw_recv_queues *all = q->all;
	const struct pw_rx_ops *ops = all->run->path.ops;
	int n = 0, left;

	if (ops->thread_enter)
		ops->thread_enter(q->path);
	while (n >= 0 && !atomic_load_explicit(&all->stop, memory_order_relaxed))
		n = poll_once(q);
	left = atomic_load(&all->drain) ? PW_RECV_DRAIN_POLLS : 0;
	while (left-- && n >= 0 && (n = poll_once(q)) > 0)
		;
	if (n < 0)
		atomic_store(&all->error, -n);
	if (ops->thread_leave)
		ops->thread_leave(q->path);
	return NULL;
}

int pw_recv_queues_start(struct pw_recv_queues **out, struct pw_recv_run *run, struct pw_err *err)
{
	const uint32_t n = run->n_queues;
	const size_t bytes = sizeof(struct pw_recv_queues) + n * sizeof(struct queue);
	struct pw_recv_queues *all = aligned_alloc(64, bytes);
	uint32_t i;
	int r = all ? 0 : ENOMEM;

	*out = all;
	if (r)
		return pw_err_sys(err, r, "start %u threads to receive", n - 1);
	memset(all, 0, bytes);
	all->run = run;
	all->n = n;
	for (i = 0; i < n; i++)
		all->v[i] = (struct queue){.all = all,
			.path = run->path.ops->lane(run->path.path, (uint16_t)i),
			.index = i};
	for (i = 1; r == 0 && i < n; i++) {
		r = pw_thread_start(&all->v[i].thread, queue_main, &all->v[i]);
		all->n_started += r == 0;
	}
	if (r == 0)
		return 0;
	pw_recv_queues_stop(all, false);
	*out = NULL;
	return pw_err_sys(err, r, "start %u threads to receive", n - 1);
}

int pw_recv_queues_poll(struct pw_recv_queues *all)
{
	const int error = atomic_load_explicit(&all->error, memory_order_relaxed);

	return error ? -error : poll_once(&all->v[0]);
}

void pw_recv_queues_times(const struct pw_recv_queues *all)
{
	struct pw_recv_run *run = all->run;
	uint32_t i;

	for (i = 0; i < all->n; i++) {
		uint64_t first = get(&all->v[i].first_ns), last = get(&all->v[i].last_ns);

		if (first && (!run->first_ns || first < run->first_ns))
			run->first_ns = first;
		if (last > run->last_ns)
			run->last_ns = last;
	}
	if (run->last_ns < run->first_ns)
		run->last_ns = run->first_ns;
}

void pw_recv_queues_stop(struct pw_recv_queues *all, bool drain)
{
	uint32_t i;
	uint64_t now;

	atomic_store(&all->drain, drain);
	atomic_store(&all->stop, true);
	for (i = 1; i <= all->n_started; i++)
		pthread_join(all->v[i].thread, NULL);
	now = pw_clock_ns();
	for (i = 0; i < all->n; i++)
		if (all->v[i].fresh)
			set(&all->v[i].last_ns, now);
	pw_recv_queues_times(all);
	free(all);
}
