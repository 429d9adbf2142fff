/* SPDX-License-Identifier: BSD-3-Clause */
/* pagewire bench: its options, and the parts of its command. */
#ifndef PW_APP_BENCH_H
#define PW_APP_BENCH_H

#include "app/opt.h"
#include "bench/bench.h"

struct pw_bench_cli {
	struct pw_bench_options bench;
	const char *dir, *report;
	bool quick, full, classic, list, cold, setup, json, csv, progress;
};

/* bench_list.c: every way, what it does, where it runs. */
int pw_bench_list(void);
/* bench_classic.c: the textbook's table. */
int pw_bench_classic(const struct pw_bench_cli *o, const struct pw_context *ctx);

#endif
