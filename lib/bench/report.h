/* SPDX-License-Identifier: BSD-3-Clause */
/* The outputs of a bench. All read one struct pw_bench_result and change nothing. */
#ifndef PW_BENCH_REPORT_H
#define PW_BENCH_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "bench/result.h"

/* Terminal: groups by wire, fits 100 columns, the best of each column marked with '*', skipped and
 * void rows with reasons under it, each wire's caveat. setup: what it costs, below each table. */
void pw_table_print(FILE *out, const struct pw_bench_result *r, bool setup);
/* pagewire.bench/1; docs/bench.schema.json has its schema. NULL without memory. */
json_t *pw_result_json(const struct pw_bench_result *r);
/* A line per sample: raw data for another lab's statistics. */
void pw_csv_print(FILE *out, const struct pw_bench_result *r);
/* Makes DIR, and refuses one that nothing can be written to, and a host without gnuplot (-ENOENT): before
 * hours of measuring. */
int pw_report_prepare(const char *dir, struct pw_err *err);
/* Writes DIR/report.html (self-contained, SVG inside), DIR/result.json, DIR/samples.csv; makes DIR.
 * -ENOENT when gnuplot is not there. */
int pw_report_write(const struct pw_bench_result *r, const char *dir, struct pw_err *err);

#endif
