/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/bench: writes the report's HTML page. */
#ifndef PW_BENCH_HTML_H
#define PW_BENCH_HTML_H

#include <stdio.h>

#include "bench/view.h"

/* A page on its own: styles and figures inside, no script, nothing fetched. -ENOENT without gnuplot. */
int pw_html_page(FILE *out, const struct pw_bench_result *r, struct pw_err *err);

/* html_table.c: tables of the rows of one table; the expectations of a wire; notes. */
void pw_html_results(FILE *out, const struct pw_bench_result *r, const struct pw_group *g);
void pw_html_details(FILE *out, const struct pw_bench_result *r, const struct pw_group *g);
void pw_html_expected(FILE *out, const struct pw_bench_result *r, const struct pw_group *wire);
void pw_html_notes(FILE *out, const struct pw_bench_result *r, const struct pw_group *wire);

#endif
