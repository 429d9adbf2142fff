/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The metrics that a run measures: one number each, NaN where it was not measured. The outputs (terminal,
 * JSON, CSV, HTML) are made from the table of metrics. MB is 10^6 bytes of the file, as accepted by the
 * sender's path.
 */
#ifndef PW_BENCH_METRIC_H
#define PW_BENCH_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pw_metric {
	PW_M_GOODPUT, /* bit/s of file bytes delivered, first send to last arrival */
	PW_M_PACKETS, /* packets/s delivered; stream ways: NaN */
	PW_M_CPU,     /* ns/MB, sender's process */
	PW_M_CPU_USER,
	PW_M_CPU_SYSTEM,
	PW_M_MACHINE,       /* ns/MB, all CPUs, receiver included */
	PW_M_SOFTIRQ,       /* of PW_M_MACHINE */
	PW_M_BUSY_CYCLES,   /* pollers: cycles per packet building and handing over */
	PW_M_IDLE_SHARE,    /* pollers: share of the stretch waiting for the driver or the rate */
	PW_M_SYSCALLS,      /* per MB */
	PW_M_USER_FAULTS,   /* per MB */
	PW_M_KERNEL_FAULTS, /* per MB */
	PW_M_SWITCHES,      /* mode switches per MB: 2 x system calls + 2 x user page faults */
	PW_M_VOLUNTARY,     /* context switches per MB */
	PW_M_INVOLUNTARY,
	PW_M_COPIES,        /* CPU copies per payload byte: BPF meter and our own counter */
	PW_M_OWN_COPIES,    /* of them by pagewire's own code */
	PW_M_ZC_COPIED,     /* share of zero-copy completions that said COPIED */
	PW_M_LOSS,          /* share of accepted packets that did not arrive */
	PW_M_SETUP,         /* s: process start to first packet (EAL, mapping, staging, connect) */
	PW_M_SETUP_GOODPUT, /* bit/s with the set-up's time included */
	PW_M_HW_CYCLES,     /* per MB */
	PW_M_INSTRUCTIONS,  /* per MB */
	PW_M_LLC_MISSES,    /* per MB */
	PW_N_METRICS
};

enum pw_better { PW_BETTER_NONE, PW_BETTER_HIGH, PW_BETTER_LOW };

struct pw_metric_info {
	const char *key;   /* in JSON and CSV: "goodput_bps" */
	const char *title; /* in tables: "goodput" */
	const char *unit;  /* "Gb/s" as printed */
	double scale;      /* printed = value * scale: 1e-9 */
	enum pw_better better;
	const char *what; /* one sentence, for the report's legend */
};

extern const struct pw_metric_info pw_metrics[PW_N_METRICS];

/* Counted in runs of their own, because the counting costs: calls, faults, switches, copies. */
bool pw_metric_is_evidence(enum pw_metric m);

#endif
