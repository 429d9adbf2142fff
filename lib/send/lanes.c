/* SPDX-License-Identifier: BSD-3-Clause */
#include "send/lanes.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/thread.h"
#include "send/deal.h"

#define STALL_POLLS    512            /* empty polls between two looks at the clock */
#define STALL_LIMIT_NS 30000000000ull /* as lane 0's, and a little: it tells more */
#define SLEEP_OVER_NS  200000ull      /* shorter waits spin */
#define SLEEP_MAX_NS   10000000ull
#define HOLD_GAP_NS    1000000ull
#define PARK_GAP_NS    20000ull
#define DRAIN_NS       2000000000ull
#define DRAIN_GAP_NS   50000ull
#define DYNAMIC_PORTS  1024u /* where source ports go on behind 65535 */

/* A slot as one lane sees it. */
struct pw_lane_slot {
	struct pw_tx_object obj;
	struct pw_window win; /* its runs are the slot's */
};

struct lane {
	_Alignas(64) struct pw_lanes *all;
	void *path;
	uint32_t index; /* 1.. */
	pthread_t thread;
	struct pw_pace pace;
	struct pw_deal_hand hand;
	_Atomic uint64_t bytes; /* of the group */
	/* read when it is parked */
	uint64_t busy_cycles, stall_cycles, pace_cycles;
};

struct pw_lanes {
	const struct pw_send_config *cfg;
	struct pw_send_slot *const *group;
	struct lane *v;
	uint32_t n;         /* lanes 1.. */
	uint32_t n_started; /* threads */
	struct pw_deal deal;
	atomic_bool stop; /* the group is given up */
	atomic_bool hold;
	atomic_bool failed; /* err is set */
	atomic_uint n_busy;
	pthread_mutex_t lock;
	pthread_cond_t go;
	uint64_t generation; /* of deals; under lock, as all below */
	bool quit;
	struct pw_err err;
};

static void nap(uint64_t ns)
{
	nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
}

static void fail(struct pw_lanes *l, const struct pw_err *err)
{
	pthread_mutex_lock(&l->lock);
	if (!atomic_load(&l->failed))
		l->err = *err;
	atomic_store(&l->failed, true);
	pthread_mutex_unlock(&l->lock);
	atomic_store(&l->stop, true);
}

/* False when the group is given up. */
static bool wait_for_rate(struct lane *lane)
{
	uint64_t start = pw_cycles(), now = pw_clock_ns(), wait;

	while (!atomic_load_explicit(&lane->all->stop, memory_order_relaxed) &&
		(wait = pw_pace_wait(&lane->pace, now)) > 0) {
		if (wait > SLEEP_OVER_NS)
			nap(pw_min_u64(wait - SLEEP_OVER_NS / 2, SLEEP_MAX_NS));
		now = pw_clock_ns();
	}
	pw_pace_go(&lane->pace, now);
	lane->pace_cycles += pw_cycles() - start;
	return !atomic_load_explicit(&lane->all->stop, memory_order_relaxed);
}

/* The queue takes nothing. False when the group is given up; the session's thread looks at the link
 * and for the stop flag. */
static bool stalled(struct lane *lane, uint64_t *polls, uint64_t *since_ns)
{
	struct pw_lanes *l = lane->all;
	struct pw_err err;
	uint64_t now;

	if (atomic_load_explicit(&l->stop, memory_order_relaxed))
		return false;
	if (++*polls % STALL_POLLS)
		return true;
	l->cfg->ops->reap(lane->path);
	sched_yield(); /* the receiver's threads may want this CPU, too */
	now = pw_clock_ns();
	if (*since_ns == 0 || atomic_load(&l->hold))
		*since_ns = now;
	if (now - *since_ns <= STALL_LIMIT_NS)
		return true;
	pw_err_set(&err, ETIMEDOUT,
		"send on %s: queue %u took no packet for 30 s; does the receiver have as many "
		"--queues?",
		l->cfg->path_text, lane->index);
	fail(l, &err);
	return false;
}

/* 0: given up. */
static uint16_t hand_over(struct lane *lane, const struct pw_tx_burst *b)
{
	const struct pw_tx_ops *ops = lane->all->cfg->ops;
	uint64_t polls = 0, since_ns = 0, start;
	uint16_t n = ops->send(lane->path, b);

	if (n)
		return n;
	start = pw_cycles();
	while (n == 0 && stalled(lane, &polls, &since_ns))
		n = ops->send(lane->path, b);
	lane->stall_cycles += pw_cycles() - start;
	return n;
}

static bool may_go(struct lane *lane)
{
	const struct pw_lanes *l = lane->all;

	while (atomic_load_explicit(&l->hold, memory_order_relaxed) &&
		!atomic_load_explicit(&l->stop, memory_order_relaxed))
		nap(HOLD_GAP_NS);
	if (lane->pace.on)
		return wait_for_rate(lane);
	return !atomic_load_explicit(&l->stop, memory_order_relaxed);
}

/* As pw_send_range(), without the session's part. */
static bool send_chunk(struct lane *lane, struct pw_tx_object *obj, uint64_t from, uint64_t to)
{
	const struct pw_blocks *blocks = &obj->blocks;
	uint16_t max = pw_pace_burst(
		&lane->pace, (uint32_t)(obj->tmpl.len + blocks->symbol_len), PW_BURST);
	struct pw_tx_burst b = {.obj = obj};
	uint32_t sbn, esi;

	while (from < to) {
		uint64_t bytes;
		uint16_t n;

		pw_blocks_locate(blocks, from, &sbn, &esi);
		b.sbn = (uint16_t)sbn;
		b.esi = (uint16_t)esi;
		b.offset = from * blocks->symbol_len;
		b.n = (uint16_t)pw_min_u64(
			pw_min_u64(to - from, pw_blocks_block_len(blocks, sbn) - esi), max);
		n = may_go(lane) ? hand_over(lane, &b) : 0;
		if (n == 0)
			return false;
		from += n;
		bytes = pw_min_u64(
			(uint64_t)n * blocks->symbol_len, blocks->transfer_len - b.offset);
		atomic_fetch_add_explicit(&lane->bytes, bytes, memory_order_relaxed);
		if (lane->pace.on)
			pw_pace_sent(&lane->pace, bytes + (uint64_t)n * obj->tmpl.len, n);
	}
	return true;
}

static void send_share(struct lane *lane)
{
	struct pw_lanes *l = lane->all;
	const uint64_t idle = lane->stall_cycles + lane->pace_cycles, start = pw_cycles();
	uint64_t from, to;
	size_t what;

	while (pw_deal_take(&l->deal, &lane->hand, &what, &from, &to))
		if (!send_chunk(lane, &l->group[what]->lanes[lane->index - 1].obj, from, to))
			break;
	lane->busy_cycles += pw_cycles() - start - (lane->stall_cycles + lane->pace_cycles - idle);
}

static void *lane_main(void *arg)
{
	struct lane *lane = arg;
	struct pw_lanes *l = lane->all;
	const struct pw_tx_ops *ops = l->cfg->ops;
	uint64_t done = 0;

	if (ops->thread_enter)
		ops->thread_enter(lane->path);
	pthread_mutex_lock(&l->lock);
	for (;;) {
		while (!l->quit && l->generation == done)
			pthread_cond_wait(&l->go, &l->lock);
		if (l->quit)
			break;
		done = l->generation;
		pthread_mutex_unlock(&l->lock);
		send_share(lane);
		atomic_fetch_sub(&l->n_busy, 1);
		pthread_mutex_lock(&l->lock);
	}
	pthread_mutex_unlock(&l->lock);
	if (ops->thread_leave)
		ops->thread_leave(lane->path);
	return NULL;
}

static int start_threads(struct pw_lanes *l)
{
	int r = 0;

	for (; r == 0 && l->n_started < l->n; l->n_started += r == 0)
		r = pw_thread_start(&l->v[l->n_started].thread, lane_main, &l->v[l->n_started]);
	return -r;
}

int pw_lanes_create(struct pw_send *s, struct pw_err *err)
{
	const uint32_t n = s->cfg.n_more;
	struct pw_rate rate = s->cfg.set.rate;
	struct pw_lanes *l;
	uint64_t burst;
	uint32_t i;
	int r;

	if (n == 0)
		return 0;
	l = calloc(1, sizeof(*l));
	if (l)
		l->v = aligned_alloc(64, n * sizeof(*l->v));
	if (!l || !l->v) {
		free(l);
		return pw_err_set(err, ENOMEM, "start %u threads to send: out of memory", n);
	}
	memset(l->v, 0, n * sizeof(*l->v));
	l->cfg = &s->cfg;
	l->group = s->group;
	l->n = n;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->go, NULL);
	s->lanes = l;
	rate.value /= n + 1;
	burst = s->cfg.set.burst_limit ? pw_max_u64(s->cfg.set.burst_limit / (n + 1), 1) : 0;
	pw_pace_init(&s->pace, &rate, burst);
	for (i = 0; i < n; i++) {
		l->v[i].all = l;
		l->v[i].path = s->cfg.more_paths[i];
		l->v[i].index = i + 1;
		pw_pace_init(&l->v[i].pace, &rate, burst);
	}
	r = start_threads(l);
	return r ? pw_err_sys(err, -r, "start %u threads to send", n) : 0;
}

static struct pw_flow lane_flow(const struct pw_send *s, uint32_t index)
{
	struct pw_flow flow = s->cfg.flow;
	uint32_t port = flow.src.port + index;

	flow.src.port =
		(uint16_t)(port <= UINT16_MAX ? port : port - UINT16_MAX - 1 + DYNAMIC_PORTS);
	return flow;
}

int pw_lanes_dress(struct pw_send *s, struct pw_send_slot *slot, struct pw_err *err)
{
	uint32_t i;

	if (!s->lanes || slot->win.pages == PW_PAGES_STREAM)
		return 0;
	slot->lanes = aligned_alloc(64, pw_align_up(s->lanes->n * sizeof(*slot->lanes), 64));
	if (!slot->lanes)
		return pw_err_set(err, ENOMEM, "send %s: out of memory", slot->file->path);
	for (i = 0; i < s->lanes->n; i++) {
		struct pw_lane_slot *v = &slot->lanes[i];
		struct pw_flow flow = lane_flow(s, i + 1);

		v->win = slot->win;
		v->win.n_out = 0;
		v->obj = slot->obj;
		v->obj.win = &v->win;
		pw_send_templates(s, &flow, &v->obj);
	}
	return 0;
}

void pw_lanes_undress(struct pw_send_slot *slot)
{
	free(slot->lanes);
	slot->lanes = NULL;
}

uint32_t pw_lanes_n_out(const struct pw_send *s, const struct pw_send_slot *slot)
{
	uint32_t i, sum = slot->win.n_out;

	for (i = 0; slot->lanes && i < s->lanes->n; i++)
		sum += slot->lanes[i].win.n_out;
	return sum;
}

/* The session speaks on lane `index`, which is parked; with 0 on its own again. */
static void speak_on(struct pw_send *s, uint32_t index, void *own, const struct pw_flow *flow)
{
	s->cfg.path = index ? s->lanes->v[index - 1].path : own;
	if (index)
		s->cfg.flow.src.port = lane_flow(s, index).src.port;
	else
		s->cfg.flow = *flow;
}

int pw_lanes_fdt(struct pw_send *s, struct pw_err *err)
{
	const struct pw_flow flow = s->cfg.flow;
	void *own = s->cfg.path;
	uint32_t i;
	int r = 0;

	for (i = 1; s->lanes && r == 0 && i <= s->lanes->n; i++) {
		speak_on(s, i, own, &flow);
		r = pw_send_fdt(s, false, err);
		speak_on(s, 0, own, &flow);
	}
	return r;
}

static int deal_group(struct pw_send *s, struct pw_err *err)
{
	struct pw_lanes *l = s->lanes;
	size_t i;
	int r = 0;

	pw_deal_clear(&l->deal);
	for (i = 0; i < s->n_group; i++) {
		struct pw_send_ranges ranges = {.slot = s->group[i]};
		uint64_t from, to;

		if (!s->group[i]->lanes)
			continue;
		while (r == 0 && pw_send_next_range(&ranges, &from, &to))
			r = pw_deal_add(&l->deal, i, from, to, l->n + 1, err);
	}
	return r;
}

static void start_lanes(struct pw_lanes *l)
{
	uint32_t i;

	for (i = 0; i < l->n; i++) {
		l->v[i].hand = (struct pw_deal_hand){0};
		if (l->v[i].pace.start_ns == 0)
			pw_pace_start(&l->v[i].pace, pw_clock_ns());
	}
	atomic_store(&l->stop, false);
	atomic_store(&l->n_busy, l->n);
	pthread_mutex_lock(&l->lock);
	l->generation++;
	pthread_cond_broadcast(&l->go);
	pthread_mutex_unlock(&l->lock);
}

/* The session's own share; then it looks after the others until they are parked. */
static int lead(struct pw_send *s, struct pw_err *err)
{
	struct pw_lanes *l = s->lanes;
	struct pw_deal_hand hand = {0};
	uint64_t from, to, start;
	size_t what;
	int r = 0;

	while (r == 0 && pw_deal_take(&l->deal, &hand, &what, &from, &to)) {
		struct pw_tx_object *obj = &s->group[what]->obj;

		if (s->file != obj->toi - 1) {
			s->file = obj->toi - 1;
			s->file_from = s->bytes_done + pw_lanes_bytes(s);
		}
		r = pw_send_range(s, obj, from, to, err);
	}
	start = pw_cycles();
	while (r == 0 && atomic_load(&l->n_busy))
		r = pw_send_pause(s, PARK_GAP_NS, err);
	if (r)
		atomic_store(&l->stop, true);
	while (atomic_load(&l->n_busy))
		nap(PARK_GAP_NS);
	s->res->stall_cycles += pw_cycles() - start;
	return r ? r : pw_lanes_failed(s, err);
}

int pw_lanes_symbols(struct pw_send *s, struct pw_err *err)
{
	uint32_t i;
	int r = deal_group(s, err);

	if (r || s->lanes->deal.n_chunks == 0)
		return r;
	s->file = s->group[s->lanes->deal.items[0].what]->obj.toi - 1;
	s->file_from = s->bytes_done;
	start_lanes(s->lanes);
	r = lead(s, err);
	s->bytes_done += pw_lanes_bytes(s);
	for (i = 0; i < s->lanes->n; i++)
		atomic_store(&s->lanes->v[i].bytes, 0);
	return r;
}

uint64_t pw_lanes_bytes(const struct pw_send *s)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; s->lanes && i < s->lanes->n; i++)
		sum += atomic_load_explicit(&s->lanes->v[i].bytes, memory_order_relaxed);
	return sum;
}

int pw_lanes_failed(struct pw_send *s, struct pw_err *err)
{
	struct pw_lanes *l = s->lanes;
	struct pw_err why;

	if (!l || !atomic_load_explicit(&l->failed, memory_order_relaxed))
		return 0;
	pthread_mutex_lock(&l->lock);
	why = l->err;
	pthread_mutex_unlock(&l->lock);
	if (err)
		*err = why;
	return -why.code;
}

void pw_lanes_hold(struct pw_send *s, bool hold)
{
	if (s->lanes)
		atomic_store(&s->lanes->hold, hold);
}

void pw_lanes_reap(struct pw_send *s)
{
	uint32_t i;

	for (i = 0; s->lanes && i < s->lanes->n; i++)
		s->cfg.ops->reap(s->lanes->v[i].path);
}

uint32_t pw_lanes_outstanding(const struct pw_send *s)
{
	uint32_t i, sum = 0;

	for (i = 0; s->lanes && i < s->lanes->n; i++)
		sum += s->cfg.ops->outstanding(s->lanes->v[i].path);
	return sum;
}

/* Lazy drivers reclaim only when they are handed new packets: empty ones of the session. A peer that
 * has all it wants may be gone by now, which is no error; one that reads fewer queues than we fill is. */
int pw_lanes_drain(struct pw_send *s, struct pw_err *err)
{
	const struct pw_flow flow = s->cfg.flow;
	void *own = s->cfg.path;
	uint64_t end = pw_clock_ns() + DRAIN_NS;
	uint32_t i;

	for (i = 0; s->lanes && i < s->lanes->n; i++) {
		void *path = s->lanes->v[i].path;

		while (s->cfg.ops->outstanding(path) && s->cfg.ops->alive(own)) {
			if (pw_clock_ns() >= end)
				return pw_err_set(err, ETIMEDOUT,
					"finish on %s: nobody has read %u packets of queue %u; "
					"does the receiver have as many --queues?",
					s->cfg.path_text, s->cfg.ops->outstanding(path), i + 1);
			s->cfg.ops->reap(path);
			speak_on(s, i + 1, own, &flow);
			pw_send_alive(s);
			speak_on(s, 0, own, &flow);
			nap(DRAIN_GAP_NS);
		}
	}
	return 0;
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

void pw_lanes_account(const struct pw_send *s, struct pw_send_result *res)
{
	const struct pw_lanes *l = s->lanes;
	uint32_t i;

	for (i = 0; l && i < l->n; i++) {
		add_pace(&res->pace, &l->v[i].pace);
		res->busy_cycles += s->lanes->v[i].busy_cycles;
		res->stall_cycles += s->lanes->v[i].stall_cycles;
		res->pace_cycles += s->lanes->v[i].pace_cycles;
	}
	if (l) {
		res->pace.ns_per_bit /= l->n + 1;
		res->pace.ns_per_packet /= l->n + 1;
		res->pace.late_ns /= l->n + 1;
		res->pace.burst_limit = s->cfg.set.burst_limit;
	}
}

void pw_lanes_destroy(struct pw_send *s)
{
	struct pw_lanes *l = s->lanes;
	uint32_t i;

	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->quit = true;
	pthread_cond_broadcast(&l->go);
	pthread_mutex_unlock(&l->lock);
	for (i = 0; i < l->n_started; i++)
		pthread_join(l->v[i].thread, NULL);
	pthread_cond_destroy(&l->go);
	pthread_mutex_destroy(&l->lock);
	pw_deal_finish(&l->deal);
	free(l->v);
	free(l);
	s->lanes = NULL;
}
