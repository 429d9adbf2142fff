/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a stretch of this process's work cost: CPU time, system calls, page faults, context switches,
 * hardware counters, and the payload bytes that the kernel copied for it.
 *
 *   open      before threads are made: counters are inherited by them
 *   start ... stop   one stretch; may be repeated, each reading stands alone
 *
 * What this host refuses to tell is PW_UNMEASURED, and pw_meter_why() says why. One thread opens,
 * starts, stops and closes.
 */
#ifndef PW_METER_METER_H
#define PW_METER_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"

#define PW_UNMEASURED   UINT64_MAX
#define PW_METER_PROBES 16

enum pw_meter_source {
	PW_METER_SYSCALLS, /* perf tracepoint raw_syscalls:sys_enter */
	PW_METER_FAULTS,   /* perf tracepoints exceptions:page_fault_user and _kernel */
	PW_METER_HARDWARE, /* perf cycles, instructions, LLC misses */
	PW_METER_COPIES,   /* BPF at the kernel's functions */
	PW_METER_N_SOURCES
};

/* One kernel function that moves payload. */
struct pw_meter_probe {
	const char *function; /* "_copy_from_iter" */
	uint64_t calls;
	uint64_t bytes;
};

struct pw_reading {
	uint64_t wall_ns;
	uint64_t cpu_ns;  /* all threads of the process, CLOCK_PROCESS_CPUTIME_ID */
	uint64_t user_ns; /* of cpu_ns, by getrusage()'s proportion */
	uint64_t system_ns;
	uint64_t machine_ns;         /* all CPUs, not idle: /proc/stat, by ticks */
	uint64_t machine_softirq_ns; /* of machine_ns */
	uint64_t voluntary;          /* context switches of the process */
	uint64_t involuntary;
	uint64_t minor_faults; /* getrusage(); in user and in kernel mode */
	uint64_t major_faults;
	/* PW_UNMEASURED where the source is not there */
	uint64_t syscalls;      /* the meter's own are taken out */
	uint64_t user_faults;   /* taken in user mode: a mode switch and back */
	uint64_t kernel_faults; /* taken inside a system call: no switch more */
	uint64_t cycles;
	uint64_t instructions;
	uint64_t llc_misses;
	uint64_t copied_bytes; /* sum of the probes' */
	struct pw_meter_probe probes[PW_METER_PROBES];
	size_t n_probes;
};

struct pw_meter; /* opaque */

/* What is wanted, 1 << enum pw_meter_source. All but the CPU's own counters slow down what they count
 * (a system call under its tracepoint takes twice as long): what a stretch cost and how long it took are
 * measured in separate runs. A source that is refused is no error; only -ENOMEM is. */
#define PW_METER_CALLS (1u << PW_METER_SYSCALLS | 1u << PW_METER_FAULTS)
int pw_meter_open(
	struct pw_meter **m, unsigned int want, const struct pw_log *log, struct pw_err *err);
/* NULL when the source works (or was not wanted), else one line: "lockdown refuses BPF ...". */
const char *pw_meter_why(const struct pw_meter *m, enum pw_meter_source source);
void pw_meter_start(struct pw_meter *m);
void pw_meter_stop(struct pw_meter *m, struct pw_reading *reading);
void pw_meter_close(struct pw_meter *m); /* accepts NULL */

#endif
