/* SPDX-License-Identifier: BSD-3-Clause */
#include "send/pace.h"

#include <string.h>

#include "base/bytes.h"

void pw_pace_init(struct pw_pace *p, const struct pw_rate *rate, uint64_t burst_limit)
{
	memset(p, 0, sizeof(*p));
	p->on = rate->unit != PW_RATE_NONE;
	p->burst_limit = burst_limit;
	p->credit_ns = PW_PACE_CREDIT_NS;
	if (rate->unit == PW_RATE_BPS)
		p->ns_per_bit = 1e9 / rate->value;
	else if (rate->unit == PW_RATE_PPS)
		p->ns_per_packet = 1e9 / rate->value;
}

void pw_pace_set_bps(struct pw_pace *p, double bps)
{
	p->ns_per_bit = 1e9 / bps;
	p->ns_per_packet = 0;
}

void pw_pace_init_due(struct pw_pace *p)
{
	memset(p, 0, sizeof(*p));
	p->on = true;
	p->credit_ns =
		(double)UINT64_MAX; /* no delay is forgotten: due times do not depend on it */
}

uint32_t pw_pace_queue_mbps(const struct pw_rate *rate, uint32_t n_queues)
{
	const double mbps = rate->value / 1e6 / n_queues;

	if (rate->unit != PW_RATE_BPS)
		return 0;
	/* a sum of decimal fractions may miss a whole number by a little */
	return mbps < (double)UINT32_MAX ? (uint32_t)(mbps * (1 + 1e-12)) : UINT32_MAX;
}

void pw_pace_start(struct pw_pace *p, uint64_t now_ns)
{
	p->start_ns = now_ns;
	p->due_ns = p->late_ns = 0;
	p->bits = p->packets = p->last_ns = 0;
	memset(p->gaps, 0, sizeof(p->gaps));
}

uint16_t pw_pace_burst(struct pw_pace *p, uint32_t frame_bytes, uint16_t max)
{
	const double ns = p->ns_per_packet + p->ns_per_bit * 8 * frame_bytes;
	double n = ns > 0 ? (double)PW_PACE_BURST_NS / ns : max;

	if (p->burst_limit && n > (double)p->burst_limit)
		n = (double)p->burst_limit;
	n = n < 1 ? 1 : n > max ? max : n;
	if (p->burst_limit)
		p->credit_ns = ((double)p->burst_limit - (double)(uint16_t)n) * ns;
	return (uint16_t)n;
}

/* After start; a clock that is read on another CPU may be a little before it. */
static double since_start(const struct pw_pace *p, uint64_t now_ns)
{
	return now_ns > p->start_ns ? (double)(now_ns - p->start_ns) : 0;
}

uint64_t pw_pace_wait(const struct pw_pace *p, uint64_t now_ns)
{
	const double now = since_start(p, now_ns);

	return p->due_ns > now ? (uint64_t)(p->due_ns - now) + 1 : 0;
}

static void count_gap(struct pw_pace *p, uint64_t now_ns)
{
	if (p->last_ns && now_ns > p->last_ns)
		p->gaps[pw_min_u64(63 - (unsigned int)__builtin_clzll(now_ns - p->last_ns),
			PW_PACE_GAPS - 1)]++;
	else if (p->last_ns)
		p->gaps[0]++;
	p->last_ns = now_ns;
}

void pw_pace_go(struct pw_pace *p, uint64_t now_ns)
{
	const double oldest = since_start(p, now_ns) - p->credit_ns;

	if (p->due_ns < oldest) {
		p->late_ns += oldest - p->due_ns;
		p->due_ns = oldest;
	}
	count_gap(p, now_ns);
}

void pw_pace_sent(struct pw_pace *p, uint64_t frame_bytes, uint64_t n_packets)
{
	p->due_ns += p->ns_per_bit * 8 * (double)frame_bytes + p->ns_per_packet * (double)n_packets;
	p->bits += 8 * frame_bytes;
	p->packets += n_packets;
}
