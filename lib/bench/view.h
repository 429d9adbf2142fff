/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/bench: groups, sorts and formats a result. Tables, plots and pages share it, so that they show
 * the same groups, the same best way and the same numbers. */
#ifndef PW_BENCH_VIEW_H
#define PW_BENCH_VIEW_H

#include <stdbool.h>
#include <stdio.h>

#include "bench/result.h"

#define PW_VIEW_COLUMNS 100 /* of a terminal */

/* Rows [first, end) of the result. Starts as {0, 0}. */
struct pw_group {
	size_t first, end;
};

/* The next rows of one wire; false: there are none. */
bool pw_group_next_wire(const struct pw_bench_result *r, struct pw_group *g);
/* Within wire w, the next rows that may be ranked: one file size, MTU, warm or cold. */
bool pw_group_next_table(
	const struct pw_bench_result *r, const struct pw_group *w, struct pw_group *g);
/* Rows that ran: not skipped. */
size_t pw_group_n_ran(const struct pw_bench_result *r, const struct pw_group *g);
/* The row's number prints as the best of its group's; false where all print alike. */
bool pw_group_is_best(const struct pw_bench_result *r, const struct pw_group *g,
	const struct pw_row *row, enum pw_metric m);

/* A unit in which the group's best goodput is a short number: value * scale. */
const char *pw_group_goodput_unit(
	const struct pw_bench_result *r, const struct pw_group *g, double *scale);

/* Three significant digits in at most 6 characters, "-" for what is no number: "0.0371", "38.0",
 * "12,300", "123k", "4.10M", "3e-05". Returns buf. */
char *pw_view_number(char *buf, size_t len, double v);
/* The same with so many decimals at most; "<.01" for what would come out as 0. */
char *pw_view_short(char *buf, size_t len, double v, int max_decimals);
/* A value of metric m in the unit that the tables print, as pw_view_number() formats it. */
char *pw_view_metric(char *buf, size_t len, enum pw_metric m, double value);
char *pw_view_size(char *buf, size_t len, uint64_t bytes); /* "64 MiB", "1 B" */
/* "64 MiB file, MTU 1500, page cache warm" */
char *pw_view_group(char *buf, size_t len, const struct pw_row *row);
/* The label without the pages, which have a column of their own. */
const char *pw_view_way(const struct pw_row *row);
const char *pw_view_pages(const struct pw_row *row); /* short: "huge", "cache" */
/* The weakest of the samples': "full", "part", "count", "none"; "-": no sample. */
const char *pw_view_proof(const struct pw_row *row);
/* The meaning of pw_view_proof()'s words, for legends. */
#define PW_VIEW_PROOFS                                                                             \
	"full: every byte arrived and the digest is the file's; part: all that arrived was "       \
	"compared with the file; count: a device's counters, the bytes were not read; none: only " \
	"the driver counted"

/* Not the same as a row without figures: an interrupted bench may have warmed it up only. */
bool pw_row_has_void(const struct pw_row *row);

/* "" = unknown. */
const char *pw_view_env(const struct pw_bench_result *r, const char *key);

/* For plots: what kind of a way it is. */
enum pw_family { PW_FAMILY_STREAM, PW_FAMILY_PACKETS, PW_FAMILY_BYPASS, PW_N_FAMILIES };
enum pw_family pw_view_family(const struct pw_row *row);

/* Text of any origin, wrapped at PW_VIEW_COLUMNS; further lines are indented. The first line begins
 * with `first`. Control characters become '?'. */
void pw_view_wrap(FILE *out, const char *first, unsigned int indent, const char *text);

#endif
