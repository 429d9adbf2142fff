/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pacing: a token bucket, kept as the time at which the next burst is due. Each burst moves that time on by
 * what it takes at the rate. A sender that was held up is late, and may catch up by the depth of the bucket.
 * A delay beyond that is not caught up; it is counted as lost.
 *
 *    start      due - credit      due                 now
 *      |             |  may go at once  |  held up: late |
 *
 * Makes no calls: the caller reads the clock. One thread.
 */
#ifndef PW_SEND_PACE_H
#define PW_SEND_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"

#define PW_PACE_CREDIT_NS 2000000ull /* depth of the bucket, unless packets are asked for */
#define PW_PACE_BURST_NS  100000ull  /* a burst is cut to what fits this time at the rate */
#define PW_PACE_GAPS      40         /* 2^39 ns are nine minutes */

struct pw_pace {
	bool on;
	double ns_per_bit; /* one of the two is 0 */
	double ns_per_packet;
	uint64_t burst_limit; /* packets that may go at the line's speed; 0: by PW_PACE_CREDIT_NS */
	uint64_t start_ns;
	double due_ns; /* after start_ns: when the next burst may go */
	double credit_ns;
	double late_ns;              /* of the rate's time, lost for good */
	uint64_t bits, packets;      /* since start */
	uint64_t last_ns;            /* when the last burst went; 0: none yet */
	uint64_t gaps[PW_PACE_GAPS]; /* between bursts: of 2^i to 2^(i+1) ns; [0]: less than 2 */
};

/* burst_limit: packets that may leave back to back, 0: no more than 2 ms of the rate. */
void pw_pace_init(struct pw_pace *p, const struct pw_rate *rate, uint64_t burst_limit);
/* Another rate from now on, which may be called while it holds one: what was sent had its time of the old one. */
void pw_pace_set_bps(struct pw_pace *p, double bps);
/* For a port that holds the rate, in whole Mbit/s for each of n queues: rounded down. 0: it cannot, for
 * less than 1 Mbit/s, packets per second, or no rate. */
uint32_t pw_pace_queue_mbps(const struct pw_rate *rate, uint32_t n_queues);
/* Each burst goes when pw_pace_due() tells, and what is late goes at once. */
void pw_pace_init_due(struct pw_pace *p);
/* Starts to hold the rate: resets the counts and the time that is due. */
void pw_pace_start(struct pw_pace *p, uint64_t now_ns);
/* How many packets of frame_bytes go into one burst, 1..max. */
uint16_t pw_pace_burst(struct pw_pace *p, uint32_t frame_bytes, uint16_t max);
/* Nanoseconds until the next burst may leave; 0: now. */
uint64_t pw_pace_wait(const struct pw_pace *p, uint64_t now_ns);
/* Called before a burst for which pw_pace_wait() returned 0. */
void pw_pace_go(struct pw_pace *p, uint64_t now_ns);
/* Called after n_packets with frame_bytes in total were sent. */
void pw_pace_sent(struct pw_pace *p, uint64_t frame_bytes, uint64_t n_packets);

/* The next burst is due so long after the start. */
static inline void pw_pace_due(struct pw_pace *p, uint64_t due_ns)
{
	p->due_ns = (double)due_ns;
}

/* When the last burst went, after the start. */
static inline uint64_t pw_pace_now(const struct pw_pace *p)
{
	return p->last_ns > p->start_ns ? p->last_ns - p->start_ns : 0;
}

#endif
