/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pacing: each burst has a time before which it may not go. A sender that was held up may catch up,
 * but not by more than PW_PACE_CREDIT_NS of the rate at once.
 */
#ifndef PW_XFER_PACE_H
#define PW_XFER_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"

#define PW_PACE_CREDIT_NS 2000000ull
#define PW_PACE_BURST_NS  100000ull /* a burst is cut to what fits this time at the rate */

struct pw_pace {
	bool on;
	double ns_per_bit; /* one of the two is 0 */
	double ns_per_packet;
	double due_ns; /* when the next burst may go, CLOCK_MONOTONIC */
};

void pw_pace_init(struct pw_pace *p, const struct pw_rate *rate);
/* Packets of frame_bytes in one burst, 1..max. */
uint16_t pw_pace_burst(const struct pw_pace *p, uint32_t frame_bytes, uint16_t max);
/* Nanoseconds to wait; 0 = go. */
uint64_t pw_pace_wait(struct pw_pace *p, uint64_t now_ns);
/* n_packets with frame_bytes in all went out. */
void pw_pace_sent(struct pw_pace *p, uint64_t frame_bytes, uint64_t n_packets);

#endif
