/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's perf events of this process: system calls and page faults by tracepoint, cycles by the
 * CPU's own counters. Threads made after open inherit them; processes do not.
 */
#ifndef PW_METER_PERF_H
#define PW_METER_PERF_H

#include <stdint.h>

#include "meter/meter.h"

enum pw_perf_event {
	PW_PERF_SYSCALLS,
	PW_PERF_USER_FAULTS,
	PW_PERF_KERNEL_FAULTS,
	PW_PERF_CYCLES, /* leads the group of the next two */
	PW_PERF_INSTRUCTIONS,
	PW_PERF_LLC_MISSES,
	PW_PERF_N_EVENTS
};

struct pw_perf_sums {
	uint64_t value[PW_PERF_N_EVENTS]; /* PW_UNMEASURED: not open */
	uint64_t enabled_ns;              /* of the CPU's counters */
	uint64_t running_ns;
};

struct pw_perf {
	int fd[PW_PERF_N_EVENTS];              /* -1: refused */
	char why[PW_METER_COPIES][PW_ERR_MAX]; /* by enum pw_meter_source; "" = it works */
};

/* want: 1 << enum pw_meter_source. Never fails; what is refused says why. All events are off. */
void pw_perf_open(struct pw_perf *p, unsigned int want);
void pw_perf_close(struct pw_perf *p);

/* System calls apart, because each of these functions makes some: pw_perf_start() makes one last call,
 * which is not counted, pw_perf_stop() a first one, which is. */
void pw_perf_prepare(struct pw_perf *p);
void pw_perf_start(struct pw_perf *p);
void pw_perf_stop(struct pw_perf *p);
void pw_perf_end(struct pw_perf *p);

/* With the counts of threads, alive or gone. */
void pw_perf_read(const struct pw_perf *p, struct pw_perf_sums *s);
/* Fills the fields of r that perf tells. */
void pw_perf_difference(
	const struct pw_perf_sums *from, const struct pw_perf_sums *to, struct pw_reading *r);

#endif
