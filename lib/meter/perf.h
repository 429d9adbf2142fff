/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counts with the kernel's perf events: system calls and page faults of this process by tracepoint,
 * cycles by the CPU's own counters. Threads created after open inherit the events; processes do not.
 */
#ifndef PW_METER_PERF_H
#define PW_METER_PERF_H

#include <stdint.h>

#include "base/err.h"
#include "meter/reading.h"

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

/* want: sources as bits, 1 << enum pw_meter_source. Never fails: p->why has the reason for what is
 * refused. All events are off. */
void pw_perf_open(struct pw_perf *p, unsigned int want);
void pw_perf_close(struct pw_perf *p);

/* prepare and end switch all events but that of system calls; start and stop switch that one, because
 * each of these functions makes system calls. The call of pw_perf_start() is not counted, the call of
 * pw_perf_stop() is. */
void pw_perf_prepare(struct pw_perf *p);
void pw_perf_start(struct pw_perf *p);
void pw_perf_stop(struct pw_perf *p);
void pw_perf_end(struct pw_perf *p);

/* Includes the counts of threads, running or ended. */
void pw_perf_read(const struct pw_perf *p, struct pw_perf_sums *s);
/* Fills the fields of r that perf measures. */
void pw_perf_difference(
	const struct pw_perf_sums *from, const struct pw_perf_sums *to, struct pw_reading *r);

#endif
