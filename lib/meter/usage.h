/* SPDX-License-Identifier: BSD-3-Clause */
/* What every kernel tells every process: its CPU time, faults and switches, and the machine's ticks. */
#ifndef PW_METER_USAGE_H
#define PW_METER_USAGE_H

#include <stdint.h>

#include "meter/meter.h"

/* Sums since the process, or the machine, started. */
struct pw_usage {
	uint64_t cpu_ns;
	uint64_t user_us; /* getrusage()'s, which adds up to cpu_ns but is split by ticks */
	uint64_t system_us;
	uint64_t voluntary;
	uint64_t involuntary;
	uint64_t minor_faults;
	uint64_t major_faults;
};

/* /proc/stat's first line, in ticks. */
struct pw_ticks {
	uint64_t busy;
	uint64_t softirq; /* of busy */
};

void pw_usage_read(struct pw_usage *u);
/* Fills the fields of r that usage tells, as the difference of the two. */
void pw_usage_difference(
	const struct pw_usage *from, const struct pw_usage *to, struct pw_reading *r);

/* A descriptor of /proc/stat, or -1. */
int pw_ticks_open(void);
/* Costs the kernel a walk over all CPUs and interrupts (some 100 us): keep it out of what is timed.
 * fd -1: zeros. */
void pw_ticks_read(int fd, struct pw_ticks *t);
void pw_ticks_difference(
	const struct pw_ticks *from, const struct pw_ticks *to, struct pw_reading *r);

#endif
