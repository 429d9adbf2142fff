/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/bench: draws figures with gnuplot. Each way is a line of horizontal bars, so that its name
 * can be read. Colours are those of Okabe and Ito's palette, which colour-blind readers can distinguish.
 *
 *   speed    goodput with its interval | CPU time a MB       of one table
 *   cost     copies a byte             | mode switches a MB  of one table
 *   sizes    goodput over file size                          of one wire
 *   overview speed, one below the other                      of all wires
 */
#ifndef PW_BENCH_PLOT_H
#define PW_BENCH_PLOT_H

#include <stdio.h>

#include "bench/view.h"

#define PW_PLOT_WIDTH 960 /* px */

/* Colours by enum pw_family. */
extern const char *const pw_plot_colours[PW_N_FAMILIES];
extern const char *const pw_plot_families[PW_N_FAMILIES]; /* "TCP stream" */

/* A script for gnuplot. Positions are px from the top left of the figure. */
struct pw_plot {
	FILE *script;
	char *text;
	size_t len;
	int height;
};

int pw_plot_begin(struct pw_plot *p, int height, struct pw_err *err);
/* Runs gnuplot; *svg is to be freed. */
int pw_plot_end(struct pw_plot *p, const char *id, char **svg, struct pw_err *err);
/* Where the next plot's axes go. */
void pw_plot_panel(struct pw_plot *p, int left, int right, int top, int bottom);
/* Text and a square of a legend; returns where the next one may stand. */
int pw_plot_legend(struct pw_plot *p, int x, int y, const char *colour, const char *text);
void pw_plot_text(struct pw_plot *p, int x, int y, const char *style, const char *text);
void pw_plot_quote(FILE *script, const char *s); /* a string of gnuplot's, quotes included */

/* Each: *svg to be freed, NULL when there is nothing to draw. id: unique in a page. -ENOENT, -EIO,
 * -ENOMEM. */
int pw_plot_speed(const struct pw_bench_result *r, const struct pw_group *g, const char *id,
	char **svg, struct pw_err *err);
int pw_plot_cost(const struct pw_bench_result *r, const struct pw_group *g, const char *id,
	char **svg, struct pw_err *err);
/* of: a row of the MTU and page cache to draw. */
int pw_plot_sizes(const struct pw_bench_result *r, const struct pw_group *wire,
	const struct pw_row *of, const char *id, char **svg, struct pw_err *err);
int pw_plot_overview(const struct pw_bench_result *r, char **svg, struct pw_err *err);

/* The wire's table that figures show: the largest file, with the first MTU, warm if there is. */
bool pw_plot_main_table(
	const struct pw_bench_result *r, const struct pw_group *wire, struct pw_group *g);

#endif
