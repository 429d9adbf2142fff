/* SPDX-License-Identifier: BSD-3-Clause */
#include "api/jobprobe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"

#define ASK_NS      (PW_NS_PER_S / 50) /* between two calls of rate() */
#define NAP_OVER_NS 200000ull          /* shorter waits spin */
#define NAP_MAX_NS  (PW_NS_PER_S / 100)
#define DRAIN_NS    PW_NS_PER_S

struct probe {
	struct pw_job *job;
	const struct pw_tx_ops *ops;
	void *path;
	struct pw_tx_object *obj;
	struct pw_pace pace;
	uint64_t next_ask_ns;
	uint64_t at; /* of the window: the next packet's payload */
	uint32_t number;
	uint32_t frame_bytes;
};

/* Each symbol begins with the URL. The rest is noise, which nothing on the way can pack. */
static void generate(struct pw_window *win, uint32_t symbol_len, const char *url)
{
	const size_t url_len = pw_min_u64(strlen(url) + 1, symbol_len);
	uint64_t state = 0x9e3779b97f4a7c15ull, at;
	uint32_t i;

	for (i = 0; i < win->n_extents; i++) {
		uint8_t *va = (uint8_t *)(uintptr_t)win->extents[i].va;
		const uint64_t len = win->extents[i].len_bytes;

		for (at = 0; at + sizeof(state) <= len; at += sizeof(state)) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			memcpy(va + at, &state, sizeof(state));
		}
		for (at = 0; at + symbol_len <= len; at += symbol_len)
			memcpy(va + at, url, url_len);
	}
}

/* An object of the whole window, whose packets are of no FEC scheme. */
static struct pw_tx_object *make_object(const struct pw_job *job, struct pw_window *win)
{
	struct pw_tx_object *obj = aligned_alloc(64, pw_align_up(sizeof(*obj), 64));
	const struct pw_alc_hdr hdr = {.tsi = job->tsi, .toi = 1, .codepoint = PW_CP_PROBE};
	uint8_t alc[PW_ALC_HDR_MAX];
	const size_t alc_len = pw_alc_build(alc, &hdr, false);

	if (!obj)
		return NULL;
	memset(obj, 0, sizeof(*obj));
	obj->win = win;
	obj->toi = hdr.toi;
	obj->blocks = (struct pw_blocks){.transfer_len = win->len_bytes,
		.symbol_len = job->symbol_len,
		.n_symbols = win->len_bytes / job->symbol_len};
	pw_frame_template(&obj->tmpl, &job->flow, alc, alc_len, (uint16_t)job->symbol_len,
		job->csum == PW_CSUM_OFFLOAD);
	obj->tmpl_last = obj->tmpl;
	return obj;
}

/* Every 20 ms: asks for the rate. 1: go on; 0: the probe ends. */
static int ask(struct probe *p, uint64_t now, struct pw_err *err)
{
	const struct pw_job *job = p->job;
	const struct pw_rate_sent sent = {
		.packets = p->pace.packets, .bits = p->pace.bits, .is_pass = true};
	const char *fault = p->ops->fault ? p->ops->fault(p->path) : NULL;
	double bps;

	p->next_ask_ns = now + ASK_NS;
	if (fault)
		return pw_err_set(
			err, ENODEV, "cannot probe on %s: %s", job->opt->port.port, fault);
	if (job->stopped && job->stopped())
		return 0;
	bps = job->repair.rate(job->repair.ctx, &sent, now);
	if (bps <= 0 || p->number > UINT32_MAX - 2 * PW_BURST)
		return 0;
	pw_pace_set_bps(&p->pace, bps);
	return 1;
}

static void wait_a_moment(struct probe *p, uint64_t ns)
{
	p->ops->reap(p->path);
	if (ns > NAP_OVER_NS)
		nanosleep(&(struct timespec){.tv_nsec = (long)pw_min_u64(
						     ns - NAP_OVER_NS / 2, NAP_MAX_NS)},
			NULL);
}

static void send_burst(struct probe *p, uint64_t now)
{
	const uint32_t symbol_len = p->obj->blocks.symbol_len;
	const uint64_t left = (p->obj->win->len_bytes - p->at) / symbol_len;
	const struct pw_tx_burst b = {.obj = p->obj,
		.offset = p->at,
		.payload_id = p->number,
		.n = (uint16_t)pw_min_u64(left, pw_pace_burst(&p->pace, p->frame_bytes, PW_BURST))};
	uint16_t n;

	pw_pace_go(&p->pace, now);
	n = p->ops->send(p->path, &b);
	pw_pace_sent(&p->pace, (uint64_t)n * p->frame_bytes, n);
	p->number += n;
	p->at += (uint64_t)n * symbol_len;
	if (p->at >= p->obj->win->len_bytes)
		p->at = 0;
}

static int send_all(struct probe *p, struct pw_err *err)
{
	uint64_t now = pw_clock_ns(), wait;
	int r = 1;

	pw_pace_init(&p->pace, &(struct pw_rate){PW_RATE_BPS, PW_RATECTL_LEAST_BPS}, 0);
	pw_pace_start(&p->pace, now);
	for (; r > 0; now = pw_clock_ns()) {
		if (now >= p->next_ask_ns) {
			r = ask(p, now, err);
		} else if ((wait = pw_pace_wait(&p->pace, now))) {
			wait_a_moment(p, pw_min_u64(wait, p->next_ask_ns - now));
		} else {
			send_burst(p, now);
		}
	}
	while (p->ops->outstanding(p->path) && pw_clock_ns() < now + DRAIN_NS)
		wait_a_moment(p, NAP_MAX_NS);
	return r;
}

int pw_job_probe(struct pw_job *job, struct pw_err *err)
{
	const uint64_t bytes = PW_JOB_PROBE_BYTES / job->symbol_len * job->symbol_len;
	const struct pw_stage_mem mem = pw_dpdk_stage_mem(job->tx);
	struct probe p = {.job = job, .ops = &pw_dpdk_tx_ops, .path = pw_dpdk_tx_queue(job->tx, 0)};
	struct pw_window win;
	int r = pw_stage_alloc(&win, bytes, job->symbol_len, &mem, "generated pages", err);

	if (r)
		return r;
	generate(&win, job->symbol_len, job->repair.url);
	p.obj = make_object(job, &win);
	r = p.obj ? p.ops->attach(p.path, p.obj, err)
		  : pw_err_set(err, ENOMEM, "cannot probe the path: out of memory");
	if (r == 0) {
		p.frame_bytes = p.obj->tmpl.len + job->symbol_len;
		r = send_all(&p, err);
	}
	pw_dpdk_tx_stop(job->tx); /* it must not read a window that is closed */
	pw_window_close(&win);
	free(p.obj);
	return r;
}
