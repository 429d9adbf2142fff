/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Prints the textbook's table: one file, one buffer, one pass. It shows the numbers of lectures (copies,
 * copies by DMA, mode switches) beside the numbers that were measured here.
 */
#ifndef PW_BENCH_CLASSIC_H
#define PW_BENCH_CLASSIC_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

/* As lectures draw it: the page cache is cold (one DMA copy from the disk) and the NIC's DMA takes the
 * packet (one more). */
struct pw_classic_textbook {
	const char *label;     /* "read + write" */
	const char *copies;    /* "4", "3 or 2" */
	const char *cpu, *dma; /* of them */
	uint32_t switches;     /* between user mode and the kernel */
};

enum pw_classic {
	PW_CLASSIC_READ_WRITE,
	PW_CLASSIC_MMAP_WRITE,
	PW_CLASSIC_SENDFILE,
	PW_CLASSIC_BYPASS,
	PW_CLASSIC_N
};
extern const struct pw_classic_textbook pw_classic_textbook[PW_CLASSIC_N];

/* NaN where something was not measured; then the text beside it has the reason. */
struct pw_classic_row {
	enum pw_classic way;
	const char *calls; /* "mmap, write": what was called */
	uint64_t bytes;    /* of the pass */
	double syscalls;
	double user_faults;
	double kernel_faults; /* inside a call: no switch */
	char switches_why[PW_ERR_MAX];
	double copies; /* by a CPU, per payload byte */
	char copies_why[PW_ERR_MAX];
	char reason[PW_ERR_MAX];  /* why measured and textbook differ; "" = they do not */
	char skipped[PW_ERR_MAX]; /* "" = it ran */
};

/* 2 x system calls + 2 x user faults; NaN when either is unknown. */
double pw_classic_switches(const struct pw_classic_row *row);
/* title: what was sent over which wire, "64 KiB over TCP on loopback, page cache warm". Fits 100
 * columns. */
void pw_classic_print(
	FILE *out, const struct pw_classic_row *rows, size_t n_rows, const char *title);
/* pagewire.bench-classic/1. NULL without memory. */
json_t *pw_classic_json(const struct pw_classic_row *rows, size_t n_rows, const char *title);

#endif
