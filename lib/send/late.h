/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How late frames were sent: a histogram of (sent - due). A class is a sixteenth of its power of two wide, so that
 * a quantile is right within 6.25 %. One thread.
 */
#ifndef PW_SEND_LATE_H
#define PW_SEND_LATE_H

#include <stdint.h>

#define PW_LATE_SUB     16u
#define PW_LATE_CLASSES (64u * PW_LATE_SUB)
#define PW_LATE_RUN_NS  100000u /* a frame that is later than this counts in a run */

struct pw_late {
	uint64_t n[PW_LATE_CLASSES];
	uint64_t n_frames;
	uint64_t max_ns;
	uint64_t run, longest_run; /* frames in a row that were later than PW_LATE_RUN_NS */
	uint64_t longest_from;     /* number of the longest run's first frame, from 1 */
};

static inline uint32_t pw_late_class(uint64_t ns)
{
	const uint32_t bits = 63u - (uint32_t)__builtin_clzll(ns | PW_LATE_SUB);

	return ns < PW_LATE_SUB
		       ? (uint32_t)ns
		       : (bits - 3) * PW_LATE_SUB + (uint32_t)(ns >> (bits - 4)) % PW_LATE_SUB;
}

/* Both after the same start. A frame is never early: the clock of another CPU may only show it so. */
static inline void pw_late_add(struct pw_late *l, uint64_t sent_ns, uint64_t due_ns)
{
	const uint64_t ns = sent_ns > due_ns ? sent_ns - due_ns : 0;

	l->n[pw_late_class(ns)]++;
	l->n_frames++;
	l->max_ns = ns > l->max_ns ? ns : l->max_ns;
	l->run = ns > PW_LATE_RUN_NS ? l->run + 1 : 0;
	if (l->run > l->longest_run) {
		l->longest_run = l->run;
		l->longest_from = l->n_frames - l->run + 1;
	}
}

/* The longest time of a class. */
uint64_t pw_late_class_end(uint32_t c);

/* The least time that the share (0 to 1) of the frames did not exceed, rounded up to its class; 0: no frames. */
uint64_t pw_late_quantile(const struct pw_late *l, double share);

/* Adds from to sum. The thread that owns `from` may go on. The longest run is that of one of them. */
void pw_late_merge(struct pw_late *sum, const struct pw_late *from);

#endif
