/* SPDX-License-Identifier: BSD-3-Clause */
/* The state of a bench, shared by plan.c (chooses what is measured) and bench.c (runs the rounds). */
#ifndef PW_BENCH_BENCH_PRIVATE_H
#define PW_BENCH_BENCH_PRIVATE_H

#include "bench/bench.h"
#include "bench/cell.h"
#include "bench/store.h"

#define PW_BENCH_WIRES 16 /* wires times MTUs, open at once */
#define PW_BENCH_MTUS  8

/* What a row is measured with; rows[i] of the result belongs to cells[i]. */
struct pw_bench_cell {
	struct pw_cell cell;
	bool cold;
	char pages[24];
};

struct pw_bench {
	struct pw_bench_options opt;
	struct pw_store store;
	struct pw_bench_way ways[PW_BENCH_WAYS_MAX];
	size_t n_ways;
	struct pw_wire wires[PW_BENCH_WIRES];
	size_t n_wires;
	struct pw_bench_cell *cells;
	size_t room;
	char why[PW_METER_N_SOURCES][160]; /* why a source measures nothing here */
	int source_cpu, sink_cpu;
	void (*tick)(void *ctx, uint64_t done, uint64_t total, const char *what);
	void *tick_ctx;
	struct pw_bench_result result;
};

/* Profile, lists and defaults to rows: files, wires, skipped rows with their reasons. */
int pw_bench_plan(struct pw_bench *b, bool *usage, struct pw_err *err);

#endif
