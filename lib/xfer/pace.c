/* SPDX-License-Identifier: BSD-3-Clause */
#include "xfer/pace.h"

#include <string.h>

void pw_pace_init(struct pw_pace *p, const struct pw_rate *rate)
{
	memset(p, 0, sizeof(*p));
	p->on = rate->unit != PW_RATE_NONE;
	if (rate->unit == PW_RATE_BPS)
		p->ns_per_bit = 1e9 / rate->value;
	else if (rate->unit == PW_RATE_PPS)
		p->ns_per_packet = 1e9 / rate->value;
}

uint16_t pw_pace_burst(const struct pw_pace *p, uint32_t frame_bytes, uint16_t max)
{
	double ns = p->ns_per_packet + p->ns_per_bit * 8 * frame_bytes;
	double n = ns > 0 ? (double)PW_PACE_BURST_NS / ns : max;

	return n < 1 ? 1 : n > max ? max : (uint16_t)n;
}

uint64_t pw_pace_wait(struct pw_pace *p, uint64_t now_ns)
{
	double now = (double)now_ns;

	if (p->due_ns > now)
		return (uint64_t)(p->due_ns - now) + 1;
	if (p->due_ns < now - (double)PW_PACE_CREDIT_NS)
		p->due_ns = now - (double)PW_PACE_CREDIT_NS;
	return 0;
}

void pw_pace_sent(struct pw_pace *p, uint64_t frame_bytes, uint64_t n_packets)
{
	p->due_ns += p->ns_per_bit * 8 * (double)frame_bytes + p->ns_per_packet * (double)n_packets;
}
