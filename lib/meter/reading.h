/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The result of a measurement: CPU time, system calls, page faults, context switches, hardware counters, and
 * the payload bytes that the kernel copied for this process. Each source of the meter fills its own fields.
 */
#ifndef PW_METER_READING_H
#define PW_METER_READING_H

#include <stddef.h>
#include <stdint.h>

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
	uint64_t user_ns; /* part of cpu_ns, in getrusage()'s proportion */
	uint64_t system_ns;
	uint64_t machine_ns;         /* all CPUs, without idle time: /proc/stat, by ticks */
	uint64_t machine_softirq_ns; /* of machine_ns */
	uint64_t voluntary;          /* context switches of the process */
	uint64_t involuntary;
	uint64_t minor_faults; /* getrusage(); in user and in kernel mode */
	uint64_t major_faults;
	/* PW_UNMEASURED where the source is not available */
	uint64_t syscalls;      /* without the meter's own */
	uint64_t user_faults;   /* taken in user mode: a mode switch and back */
	uint64_t kernel_faults; /* taken inside a system call: no additional mode switch */
	uint64_t cycles;
	uint64_t instructions;
	uint64_t llc_misses;
	uint64_t copied_bytes; /* sum of the probes' bytes */
	struct pw_meter_probe probes[PW_METER_PROBES];
	size_t n_probes;
};

#endif
