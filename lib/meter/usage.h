/* SPDX-License-Identifier: BSD-3-Clause */
/* What every kernel reports without privileges: a process's CPU time, faults and context switches, and
 * the machine's busy time in ticks. */
#ifndef PW_METER_USAGE_H
#define PW_METER_USAGE_H

#include <stdint.h>

#include "meter/reading.h"

/* Sums since the process, or the machine, started. */
struct pw_usage {
	uint64_t cpu_ns;
	uint64_t user_us; /* from getrusage(): the sum is exact, its split depends on ticks */
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
/* Fills r's fields of the process with the difference of the two. */
void pw_usage_difference(
	const struct pw_usage *from, const struct pw_usage *to, struct pw_reading *r);

/* Returns a descriptor of /proc/stat, or -1. */
int pw_ticks_open(void);
/* The kernel visits all CPUs and interrupts for this (about 100 us): do not call it inside what is
 * measured. fd -1: zeros. */
void pw_ticks_read(int fd, struct pw_ticks *t);
void pw_ticks_difference(
	const struct pw_ticks *from, const struct pw_ticks *to, struct pw_reading *r);

#endif
