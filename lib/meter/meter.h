/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Measures what a part of this process's work costs (struct pw_reading).
 *
 *   open             before threads are created: threads inherit the counters
 *   start ... stop   one measurement; may be repeated, each reading is independent
 *
 * What this host refuses to report is PW_UNMEASURED, and pw_meter_why() returns the reason. One thread
 * opens, starts, stops and closes.
 */
#ifndef PW_METER_METER_H
#define PW_METER_METER_H

#include "base/err.h"
#include "base/log.h"
#include "meter/reading.h"

struct pw_meter; /* opaque */

/* want: sources as bits, 1 << enum pw_meter_source. All sources but the CPU's own counters slow down
 * what they count (a system call with its tracepoint on takes twice as long), so measure costs and
 * durations in separate runs. A source that the host refuses is no error; only -ENOMEM is. */
#define PW_METER_CALLS (1u << PW_METER_SYSCALLS | 1u << PW_METER_FAULTS)
int pw_meter_open(
	struct pw_meter **m, unsigned int want, const struct pw_log *log, struct pw_err *err);
/* NULL when the source works or was not wanted, else the reason in one line: "lockdown refuses BPF". */
const char *pw_meter_why(const struct pw_meter *m, enum pw_meter_source source);
void pw_meter_start(struct pw_meter *m);
void pw_meter_stop(struct pw_meter *m, struct pw_reading *reading);
void pw_meter_close(struct pw_meter *m); /* accepts NULL */

#endif
