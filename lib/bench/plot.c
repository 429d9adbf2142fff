/* SPDX-License-Identifier: BSD-3-Clause */
/* Chooses and draws the plots of a report. */
#include "bench/plot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/gnuplot.h"

const char *const pw_plot_colours[PW_N_FAMILIES] = {
	[PW_FAMILY_STREAM] = "#0072B2",
	[PW_FAMILY_PACKETS] = "#009E73",
	[PW_FAMILY_BYPASS] = "#D55E00",
};

const char *const pw_plot_families[PW_N_FAMILIES] = {
	[PW_FAMILY_STREAM] = "kernel, TCP",
	[PW_FAMILY_PACKETS] = "kernel, packets",
	[PW_FAMILY_BYPASS] = "bypass",
};

#define CHAR_PX 6.8 /* of the legend's font, about */

int pw_plot_begin(struct pw_plot *p, int height, struct pw_err *err)
{
	*p = (struct pw_plot){.height = height};
	p->script = open_memstream(&p->text, &p->len);
	if (!p->script)
		return pw_err_sys(err, ENOMEM, "cannot draw a figure");
	fprintf(p->script,
		"set encoding utf8\n"
		"set terminal svg size %d,%d dynamic noenhanced font 'Arial,12'"
		" background rgb 'white' linewidth 1 butt\n"
		"set multiplot\n"
		"unset key\n"
		"set style fill solid 1 noborder\n"
		"set border 2 lw 0.8 lc rgb '#555555'\n"
		"set tics nomirror out scale 0\n"
		"set grid xtics lt 1 lw 0.6 lc rgb '#dddddd'\n"
		"set grid back\n",
		PW_PLOT_WIDTH, height);
	return 0;
}

int pw_plot_end(struct pw_plot *p, const char *id, char **svg, struct pw_err *err)
{
	int r;

	fputs("unset multiplot\n", p->script);
	if (fclose(p->script) != 0)
		r = pw_err_sys(err, ENOMEM, "cannot draw a figure");
	else
		r = pw_gnuplot_run(p->text, p->len, id, svg, err);
	free(p->text);
	*p = (struct pw_plot){0};
	return r;
}

void pw_plot_panel(struct pw_plot *p, int left, int right, int top, int bottom)
{
	fprintf(p->script,
		"set lmargin at screen %.5f\nset rmargin at screen %.5f\n"
		"set tmargin at screen %.5f\nset bmargin at screen %.5f\n",
		(double)left / PW_PLOT_WIDTH, (double)right / PW_PLOT_WIDTH,
		1 - (double)top / p->height, 1 - (double)bottom / p->height);
}

/* Single quotes hold everything but themselves and the line's end. */
void pw_plot_quote(FILE *script, const char *s)
{
	fputc('\'', script);
	for (; *s; s++) {
		if (*s == '\'')
			fputs("''", script);
		else
			fputc((unsigned char)*s < ' ' || *s == 0x7f ? '?' : *s, script);
	}
	fputc('\'', script);
}

void pw_plot_text(struct pw_plot *p, int x, int y, const char *style, const char *text)
{
	fputs("set label ", p->script);
	pw_plot_quote(p->script, text);
	fprintf(p->script, " at screen %.5f,%.5f %s\n", (double)x / PW_PLOT_WIDTH,
		1 - (double)y / p->height, style);
}

int pw_plot_legend(struct pw_plot *p, int x, int y, const char *colour, const char *text)
{
	fprintf(p->script,
		"set object rectangle from screen %.5f,%.5f to screen %.5f,%.5f"
		" fc rgb '%s' fs solid noborder front\n",
		(double)x / PW_PLOT_WIDTH, 1 - (double)(y + 5) / p->height,
		(double)(x + 10) / PW_PLOT_WIDTH, 1 - (double)(y - 5) / p->height, colour);
	pw_plot_text(p, x + 15, y, "left font 'Arial,11' tc rgb '#333333'", text);
	return x + 15 + (int)(CHAR_PX * (double)strlen(text)) + 14;
}

bool pw_plot_main_table(
	const struct pw_bench_result *r, const struct pw_group *wire, struct pw_group *g)
{
	struct pw_group t = {0, 0};
	const struct pw_row *row, *best = NULL;

	while (pw_group_next_table(r, wire, &t)) {
		row = &r->rows[t.first];
		if (!pw_group_n_ran(r, &t))
			continue;
		if (best && (row->cold > best->cold || row->mtu > best->mtu ||
				    row->file_bytes < best->file_bytes))
			continue;
		best = row;
		*g = t;
	}
	return best != NULL;
}
