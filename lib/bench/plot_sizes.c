/* SPDX-License-Identifier: BSD-3-Clause */
/* Draws goodput over file size: one line for each way, named at its right end. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/plot.h"

#define LEFT_PX   64
#define RIGHT_PX  (PW_PLOT_WIDTH - 210) /* names stand right of the axes */
#define TOP_PX    14
#define BOTTOM_PX 50
#define NAME_PX   15 /* between names */
#define SERIES    48
#define MARGIN    1.3 /* the axis goes on so far beyond the sizes */

struct series {
	const struct pw_row *last; /* of the largest file */
	double end_gbps;
	double name_y; /* px */
};

struct chart {
	const struct pw_bench_result *r;
	const struct pw_group *wire;
	const struct pw_row *of;
	struct series series[SERIES];
	size_t n_series, n_sizes;
	double least, most;           /* Gb/s */
	double least_size, most_size; /* bytes */
	int height;
};

static bool belongs(const struct chart *c, const struct pw_row *row)
{
	return row->mtu == c->of->mtu && row->cold == c->of->cold && row->file_bytes > 0 &&
	       row->sum[PW_M_GOODPUT].n && row->sum[PW_M_GOODPUT].median > 0;
}

static struct series *find_series(struct chart *c, const struct pw_row *row)
{
	size_t i;

	for (i = 0; i < c->n_series; i++)
		if (strcmp(c->series[i].last->label, row->label) == 0)
			return &c->series[i];
	return c->n_series < SERIES ? &c->series[c->n_series++] : NULL;
}

static void survey(struct chart *c)
{
	const struct pw_row *before = NULL, *row;
	struct series *s;
	double v;
	size_t i;

	c->least = c->least_size = 1e300;
	for (i = c->wire->first; i < c->wire->end; i++) {
		row = &c->r->rows[i];
		if (!belongs(c, row))
			continue;
		c->n_sizes += !before || before->file_bytes != row->file_bytes;
		before = row;
		v = row->sum[PW_M_GOODPUT].median * 1e-9;
		c->least = fmin(c->least, row->sum[PW_M_GOODPUT].low * 1e-9);
		c->most = fmax(c->most, row->sum[PW_M_GOODPUT].high * 1e-9);
		c->least_size = fmin(c->least_size, (double)row->file_bytes);
		c->most_size = fmax(c->most_size, (double)row->file_bytes);
		s = find_series(c, row);
		if (s)
			*s = (struct series){.last = row, .end_gbps = v};
	}
	c->least = fmax(c->least / 1.4, c->most * 1e-7);
	c->most *= 1.4;
	c->height = TOP_PX + BOTTOM_PX +
		    (c->n_series * NAME_PX > 300 ? (int)c->n_series * NAME_PX : 300);
}

static int by_end(const void *a, const void *b)
{
	double x = ((const struct series *)a)->end_gbps, y = ((const struct series *)b)->end_gbps;

	return (x < y) - (x > y);
}

static double y_of(const struct chart *c, double gbps)
{
	double axis = c->height - TOP_PX - BOTTOM_PX;

	return TOP_PX + axis * log(c->most / gbps) / log(c->most / c->least);
}

/* Each name beside its line's end; where they would overlap they are pushed down, and those at the
 * bottom up again. */
static void place_names(struct chart *c)
{
	double floor_y = c->height - BOTTOM_PX;
	size_t i;

	qsort(c->series, c->n_series, sizeof(c->series[0]), by_end);
	for (i = 0; i < c->n_series; i++) {
		c->series[i].name_y = y_of(c, c->series[i].end_gbps);
		if (i)
			c->series[i].name_y =
				fmax(c->series[i].name_y, c->series[i - 1].name_y + NAME_PX);
	}
	for (i = c->n_series; i-- > 0; floor_y -= NAME_PX)
		c->series[i].name_y = fmin(c->series[i].name_y, floor_y);
}

/* Where the line of s ends, from the left. */
static double end_px(const struct chart *c, const struct series *s)
{
	double from = log(c->least_size / MARGIN), to = log(c->most_size * MARGIN);

	return LEFT_PX +
	       (RIGHT_PX - LEFT_PX) * (log((double)s->last->file_bytes) - from) / (to - from);
}

static void draw_names(struct pw_plot *p, const struct chart *c)
{
	char style[96];
	size_t i;

	for (i = 0; i < c->n_series; i++) {
		const struct series *s = &c->series[i];
		const char *colour = pw_plot_colours[pw_view_family(s->last)];

		fprintf(p->script,
			"set arrow from screen %.5f,%.5f to screen %.5f,%.5f nohead lw 0.7 lc rgb "
			"'%s'\n",
			(end_px(c, s) + 7) / PW_PLOT_WIDTH, 1 - y_of(c, s->end_gbps) / c->height,
			(RIGHT_PX + 22.0) / PW_PLOT_WIDTH, 1 - s->name_y / c->height, colour);
		snprintf(style, sizeof(style), "left font 'Arial,11' tc rgb '%s'", colour);
		pw_plot_text(p, RIGHT_PX + 27, (int)round(s->name_y), style, s->last->label);
	}
}

static void draw_size_tics(struct pw_plot *p, const struct chart *c)
{
	double px_per_log =
		(RIGHT_PX - LEFT_PX) / log(c->most_size / c->least_size * MARGIN * MARGIN);
	double last = 0;
	char size[32];
	bool any = false;
	size_t i;

	fputs("set xtics (", p->script);
	for (i = c->wire->first; i < c->wire->end; i++) {
		double bytes = (double)c->r->rows[i].file_bytes;

		if (!belongs(c, &c->r->rows[i]) || (any && log(bytes / last) * px_per_log < 46))
			continue;
		fprintf(p->script, "%s'%s' %g", any ? ", " : "",
			pw_view_size(size, sizeof(size), c->r->rows[i].file_bytes), bytes);
		last = bytes;
		any = true;
	}
	fputs(")\n", p->script);
}

static void draw_lines(struct pw_plot *p, const struct chart *c)
{
	static const int points[] = {7, 5, 9, 13, 6, 4, 8, 12};
	size_t i, k;

	for (k = 0; k < c->n_series; k++) {
		fprintf(p->script, "$s%zu << EOD\n", k);
		for (i = c->wire->first; i < c->wire->end; i++) {
			const struct pw_row *row = &c->r->rows[i];
			const struct pw_summary *s = &row->sum[PW_M_GOODPUT];

			if (belongs(c, row) && strcmp(row->label, c->series[k].last->label) == 0)
				fprintf(p->script, "%g %g %g %g\n", (double)row->file_bytes,
					s->median * 1e-9, s->low * 1e-9, s->high * 1e-9);
		}
		fputs("EOD\n", p->script);
	}
	fputs("plot NaN", p->script);
	for (k = 0; k < c->n_series; k++) {
		const char *colour = pw_plot_colours[pw_view_family(c->series[k].last)];

		fprintf(p->script,
			", $s%zu with yerrorlines pt %d ps 0.7 lw 1.3 dt %zu lc rgb '%s'", k,
			points[k % 8], k % 3 + 1, colour);
	}
	fputc('\n', p->script);
}

int pw_plot_sizes(const struct pw_bench_result *r, const struct pw_group *wire,
	const struct pw_row *of, const char *id, char **svg, struct pw_err *err)
{
	struct chart c = {.r = r, .wire = wire, .of = of};
	struct pw_plot p;
	int ret;

	*svg = NULL;
	survey(&c);
	if (c.n_sizes < 2)
		return 0;
	place_names(&c);
	ret = pw_plot_begin(&p, c.height, err);
	if (ret)
		return ret;
	pw_plot_panel(&p, LEFT_PX, RIGHT_PX, TOP_PX, c.height - BOTTOM_PX);
	draw_names(&p, &c);
	fprintf(p.script,
		"set border 3 lw 0.8 lc rgb '#555555'\n"
		"set logscale xy\nset xrange [%g:%g]\nset yrange [%g:%g]\n"
		"set format y '%%g'\nset grid ytics lt 1 lw 0.6 lc rgb '#dddddd'\n"
		"set xlabel 'file size (log scale)' tc rgb '#333333' offset 0,0.2\n"
		"set ylabel 'goodput, Gb/s (log scale)' tc rgb '#333333'\n",
		c.least_size / MARGIN, c.most_size * MARGIN, c.least, c.most);
	draw_size_tics(&p, &c);
	draw_lines(&p, &c);
	return pw_plot_end(&p, id, svg, err);
}
