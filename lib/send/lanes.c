/* SPDX-License-Identifier: BSD-3-Clause */
#include "send/lanes.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/thread.h"

#define PARK_GAP_NS        20000ull
#define FIRST_DYNAMIC_PORT 1024u /* source ports go on here after 65535 */

struct pw_lane_thread {
	pthread_t thread;
	struct pw_send_lanes *lanes;
	struct pw_send_lane *lane;
};

void pw_send_lanes_fail(struct pw_send_lanes *l, const struct pw_err *err)
{
	pthread_mutex_lock(&l->lock);
	if (!atomic_load(&l->failed))
		l->err = *err;
	atomic_store(&l->failed, true);
	pthread_mutex_unlock(&l->lock);
	atomic_store(&l->shared.stop, true);
}

int pw_send_lanes_failed(struct pw_send_lanes *l, struct pw_err *err)
{
	struct pw_err why;

	if (!atomic_load_explicit(&l->failed, memory_order_relaxed))
		return 0;
	pthread_mutex_lock(&l->lock);
	why = l->err;
	pthread_mutex_unlock(&l->lock);
	if (err)
		*err = why;
	return -why.code;
}

/* Lanes 1 and up leave the clock, the link and the signals to the session's thread. */
static int look_for_stop(
	struct pw_send_lane *lane, uint64_t now_ns, uint64_t stalled_ns, struct pw_err *err)
{
	(void)now_ns;
	(void)stalled_ns;
	(void)err;
	return atomic_load_explicit(&lane->shared->stop, memory_order_relaxed) ? -ECANCELED : 0;
}

static void *thread_main(void *arg)
{
	struct pw_lane_thread *t = arg;
	struct pw_send_lanes *l = t->lanes;
	const struct pw_tx_ops *ops = t->lane->ops;
	uint64_t done = 0;

	if (ops->thread_enter)
		ops->thread_enter(t->lane->path);
	pthread_mutex_lock(&l->lock);
	for (;;) {
		struct pw_err err = {0};
		int r;

		while (!l->quit && l->generation == done)
			pthread_cond_wait(&l->go, &l->lock);
		if (l->quit)
			break;
		done = l->generation;
		pthread_mutex_unlock(&l->lock);
		r = pw_lane_send(t->lane, l->source, &err);
		if (r && r != -ECANCELED)
			pw_send_lanes_fail(l, &err);
		atomic_fetch_sub(&l->n_busy, 1);
		pthread_mutex_lock(&l->lock);
	}
	pthread_mutex_unlock(&l->lock);
	if (ops->thread_leave)
		ops->thread_leave(t->lane->path);
	return NULL;
}

static int start_threads(struct pw_send_lanes *l, struct pw_err *err)
{
	int r = 0;

	for (; r == 0 && l->n_threads + 1 < l->n; l->n_threads += r == 0) {
		struct pw_lane_thread *t = &l->threads[l->n_threads];

		t->lanes = l;
		t->lane = &l->v[l->n_threads + 1];
		r = pw_thread_start(&t->thread, thread_main, t);
	}
	return r ? pw_err_sys(err, r, "cannot start %u threads to send", l->n - 1) : 0;
}

static void init_lane(struct pw_send_lanes *l, uint32_t index, const struct pw_send_config *cfg)
{
	struct pw_send_lane *lane = &l->v[index];
	const uint32_t port = cfg->flow.src.port + index;
	const uint64_t burst = cfg->set.burst_limit;
	struct pw_rate rate = cfg->set.rate;

	rate.value /= l->n;
	lane->ops = cfg->ops;
	lane->path = cfg->paths[index];
	lane->index = lane->queue = index;
	lane->path_text = cfg->path_text;
	lane->src_port =
		(uint16_t)(port <= UINT16_MAX ? port : port - UINT16_MAX - 1 + FIRST_DYNAMIC_PORT);
	lane->shared = &l->shared;
	lane->look = look_for_stop;
	pw_pace_init(&lane->pace, &rate, burst ? pw_max_u64(burst / l->n, 1) : 0);
	pw_quick_sync(
		&lane->clock); /* the clock has measured the counter's rate when the lead is over */
}

int pw_send_lanes_create(struct pw_send_lanes *l, const struct pw_send_config *cfg,
	int (*look)(struct pw_send_lane *, uint64_t, uint64_t, struct pw_err *),
	int (*between)(struct pw_send_lane *, uint64_t, struct pw_err *), void *owner,
	struct pw_err *err)
{
	uint32_t i;

	*l = (struct pw_send_lanes){.n = cfg->n_paths};
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->go, NULL);
	l->v = aligned_alloc(64, l->n * sizeof(*l->v));
	l->threads = calloc(l->n, sizeof(*l->threads));
	if (!l->v || !l->threads)
		return pw_err_set(err, ENOMEM, "cannot make %u lanes: out of memory", l->n);
	memset(l->v, 0, l->n * sizeof(*l->v));
	l->shared.log = cfg->log;
	l->shared.n_lanes = l->n;
	for (i = 0; i < l->n; i++)
		init_lane(l, i, cfg);
	l->v[0].look = look;
	l->v[0].between = between;
	l->v[0].owner = owner;
	return start_threads(l, err);
}

static void wake_threads(struct pw_send_lanes *l, const struct pw_send_source *source)
{
	atomic_store(&l->shared.stop, false);
	atomic_store(&l->n_busy, l->n_threads);
	pthread_mutex_lock(&l->lock);
	l->source = source;
	l->generation++;
	pthread_cond_broadcast(&l->go);
	pthread_mutex_unlock(&l->lock);
}

/* Lane 0 has nothing left to send; the tables still go while the others send. */
static int pause_first(struct pw_send_lane *first, struct pw_err *err)
{
	int r = pw_lane_pause(first, PARK_GAP_NS, err);

	return r || !first->between ? r : first->between(first, pw_clock_ns(), err);
}

int pw_send_lanes_run(
	struct pw_send_lanes *l, const struct pw_send_source *source, struct pw_err *err)
{
	struct pw_send_lane *first = &l->v[0];
	uint64_t start;
	int r;

	wake_threads(l, source);
	r = pw_lane_send(first, source, err);
	start = pw_cycles();
	while (r == 0 && atomic_load(&l->n_busy))
		r = pause_first(first, err);
	if (r)
		atomic_store(&l->shared.stop, true);
	while (atomic_load(&l->n_busy))
		pw_lane_nap(PARK_GAP_NS);
	first->stall_cycles += pw_cycles() - start;
	return r ? r : pw_send_lanes_failed(l, err);
}

uint64_t pw_send_lanes_bytes(const struct pw_send_lanes *l)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < l->n; i++)
		sum += atomic_load_explicit(&l->v[i].bytes, memory_order_relaxed);
	return sum;
}

/* Sums the counter that is at `offset` of struct pw_tx_counters. */
static uint64_t sum_counter(const struct pw_send_lanes *l, size_t offset)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < l->n; i++) {
		const char *c = (const char *)l->v[i].ops->counters(l->v[i].path);

		sum += __atomic_load_n(
			(const uint64_t *)(const void *)(c + offset), __ATOMIC_RELAXED);
	}
	return sum;
}

uint64_t pw_send_lanes_packets(const struct pw_send_lanes *l)
{
	return sum_counter(l, offsetof(struct pw_tx_counters, packets));
}

uint64_t pw_send_lanes_wire_bytes(const struct pw_send_lanes *l)
{
	return sum_counter(l, offsetof(struct pw_tx_counters, wire_bytes));
}

void pw_send_lanes_set_bps(struct pw_send_lanes *l, double bps)
{
	atomic_store_explicit(
		&l->shared.lane_bps, pw_max_u64((uint64_t)(bps / l->n), 1), memory_order_relaxed);
}

uint32_t pw_send_lanes_outstanding(const struct pw_send_lanes *l)
{
	uint32_t i, sum = 0;

	for (i = 0; i < l->n; i++)
		sum += l->v[i].ops->outstanding(l->v[i].path);
	return sum;
}

void pw_send_lanes_pace_start(struct pw_send_lanes *l, uint64_t now_ns)
{
	uint32_t i;

	for (i = 0; i < l->n; i++)
		pw_pace_start(&l->v[i].pace, now_ns);
}

void pw_send_lanes_reap(struct pw_send_lanes *l)
{
	uint32_t i;

	for (i = 0; i < l->n; i++)
		l->v[i].ops->reap(l->v[i].path);
}

static void add_pace(struct pw_pace *sum, const struct pw_pace *p)
{
	size_t i;

	sum->bits += p->bits;
	sum->packets += p->packets;
	sum->late_ns += p->late_ns;
	for (i = 0; i < PW_PACE_GAPS; i++)
		sum->gaps[i] += p->gaps[i];
}

void pw_send_lanes_account(const struct pw_send_lanes *l, struct pw_send_result *res)
{
	uint32_t i;

	res->pace = l->v[0].pace;
	for (i = 0; i < l->n; i++) {
		const struct pw_send_lane *lane = &l->v[i];

		if (i)
			add_pace(&res->pace, &lane->pace);
		res->busy_cycles += lane->busy_cycles;
		res->stall_cycles += lane->stall_cycles;
		res->pace_cycles += lane->pace_cycles;
		res->read_cycles += lane->read_cycles;
		res->parity_packets += lane->parity_packets;
	}
	res->pace.ns_per_bit /= l->n;
	res->pace.ns_per_packet /= l->n;
	res->pace.late_ns /= l->n;
}

void pw_send_lanes_destroy(struct pw_send_lanes *l)
{
	uint32_t i;

	if (l->n == 0)
		return;
	pthread_mutex_lock(&l->lock);
	l->quit = true;
	pthread_cond_broadcast(&l->go);
	pthread_mutex_unlock(&l->lock);
	for (i = 0; i < l->n_threads; i++)
		pthread_join(l->threads[i].thread, NULL);
	pthread_cond_destroy(&l->go);
	pthread_mutex_destroy(&l->lock);
	for (i = 0; l->v && i < l->n; i++)
		free(l->v[i].held);
	free(l->v);
	free(l->threads);
	*l = (struct pw_send_lanes){0};
}
