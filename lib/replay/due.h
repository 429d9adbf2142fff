/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When the frames of a capture are due. Each time is computed from one anchor, never from the frame before, so that
 * no error adds up:
 *
 *   due = base + (time - origin) / speed         base: due time of the pass's first frame; origin: its time
 *
 * A frame that is earlier than one before it is due at once. After a gap of more than max_gap_ns, in either
 * direction, the frame is due at once and becomes the anchor. One thread.
 */
#ifndef PW_REPLAY_DUE_H
#define PW_REPLAY_DUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"

#define PW_DUE_LEAD_NS 1000000u /* from the start to the first frame */

struct pw_due {
	double speed;
	bool is_exact; /* speed is 1: whole nanoseconds are added */
	uint64_t max_gap_ns;
	bool by_rate; /* due times by a rate, for several lanes: each knows the bytes of all */
	double ns_per_bit, ns_per_packet;
	uint64_t bits, packets;
	bool anchored;    /* in this pass */
	uint64_t base_ns; /* after the start, as all due times */
	int64_t origin_ns, latest_ns;
	uint64_t due_ns;   /* of the last frame */
	uint64_t first_ns; /* of the pass's first frame */
	uint64_t n;        /* frames of this pass */
	uint64_t n_backwards, n_jumps, n_untimed;
};

void pw_due_init(struct pw_due *d, double speed, uint64_t max_gap_ns);
/* For pw_due_by_rate(). */
void pw_due_init_rate(struct pw_due *d, const struct pw_rate *rate);
/* The next pass begins: its first frame is due a mean gap after the last one. */
void pw_due_begin(struct pw_due *d);
/* time_ns: of the frame, with has_time. */
uint64_t pw_due_next(struct pw_due *d, bool has_time, int64_t time_ns);
/* When the frame is due that follows those before at the rate. */
uint64_t pw_due_by_rate(struct pw_due *d, uint32_t frame_bytes);

/* pw_due_next() of a frame that has a time; inline for the usual case. */
static inline uint64_t pw_due_next_timed(struct pw_due *d, int64_t time_ns)
{
	const uint64_t gap = (uint64_t)time_ns - (uint64_t)d->latest_ns;

	if (!d->anchored || !d->is_exact || time_ns < d->latest_ns || gap > d->max_gap_ns)
		return pw_due_next(d, true, time_ns);
	d->n++;
	d->latest_ns = time_ns;
	d->due_ns = d->base_ns + ((uint64_t)time_ns - (uint64_t)d->origin_ns);
	return d->due_ns;
}

#endif
