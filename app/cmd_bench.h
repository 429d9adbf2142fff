/* SPDX-License-Identifier: BSD-3-Clause */
/* pagewire bench: its options, and the parts of the command. */
#ifndef PW_APP_CMD_BENCH_H
#define PW_APP_CMD_BENCH_H

#include "app/cli/opt_shared.h"
#include "bench/bench.h"

struct pw_bench_cli {
	struct pw_bench_options bench;
	struct pw_output_config output;
	const char *dir, *report, *profile;
	bool quick, full, classic, list, cold, setup, csv;
};

/* cmd_bench_list.c: prints every way, what it does, where it runs. */
int pw_bench_list(void);
/* cmd_bench_classic.c: the textbook's table. */
int pw_bench_classic(const struct pw_bench_cli *o, const struct pw_context *ctx);

/* cmd_bench_profile.c: a fixed set of cells that answers one question. */
int pw_bench_profile(const struct pw_bench_cli *o, const struct pw_context *ctx);
/* For pw_progress: "bench 3 of 20: WHAT, 12 s left". */
void pw_bench_tick(void *progress, uint64_t done, uint64_t total, const char *what);

#endif
