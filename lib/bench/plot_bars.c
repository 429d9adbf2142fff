/* SPDX-License-Identifier: BSD-3-Clause */
/* Draws figures with a line of bars for each way: goodput beside CPU time, copies beside mode switches. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/plot.h"

#define LINE_PX   30 /* of a way */
#define TOP_PX    54 /* legends */
#define BOTTOM_PX 54 /* tics and the axis' name */
#define GAP_PX    46 /* between panels */
#define RIGHT_PX  14
#define CHAR_PX   7.7 /* of the ways' names */

#define USER    "#E69F00"
#define WAITING "#F7DFA8"
#define SYSTEM  "#7A5195"
#define SOFTIRQ "#6B6B6B"
#define OTHER   "#CFCFCF"

struct figure {
	const struct pw_bench_result *r;
	struct pw_group g;
	struct pw_plot *p;
	int top, bottom; /* of the axes */
	int left;        /* names end here */
	int n;           /* lines */
};

static bool is_drawn(const struct pw_row *row)
{
	return !row->skipped[0];
}

static int name_px(const struct pw_bench_result *r, const struct pw_group *g)
{
	size_t i, most = 0;

	for (i = g->first; i < g->end; i++)
		if (is_drawn(&r->rows[i]) && strlen(r->rows[i].label) > most)
			most = strlen(r->rows[i].label);
	return 16 + (int)(CHAR_PX * (double)(most < 40 ? most : 40));
}

/* Lines are counted from the top, as read. */
static void set_lines(struct figure *f, bool names)
{
	FILE *s = f->p->script;
	int line = 0;
	size_t i;

	fprintf(s, "set yrange [%d.5:0.5]\nset ytics (", f->n);
	for (i = f->g.first; i < f->g.end; i++) {
		if (!is_drawn(&f->r->rows[i]))
			continue;
		fputs(line++ ? ", " : "", s);
		pw_plot_quote(s, names ? f->r->rows[i].label : "");
		fprintf(s, " %d", line);
	}
	fputs(")\n", s);
}

static double most_of(const struct figure *f, enum pw_metric m, bool high)
{
	double most = 0;
	size_t i;

	for (i = f->g.first; i < f->g.end; i++) {
		const struct pw_summary *s = &f->r->rows[i].sum[m];

		if (s->n)
			most = fmax(most, high ? s->high : s->median);
	}
	return most;
}

static void draw_goodput(struct figure *f, int right)
{
	FILE *s = f->p->script;
	double scale, most = most_of(f, PW_M_GOODPUT, true);
	const char *unit = pw_group_goodput_unit(f->r, &f->g, &scale);
	char number[32];
	int line = 0;
	size_t i;

	pw_plot_panel(f->p, f->left, right, f->top, f->bottom);
	set_lines(f, true);
	fputs("$goodput << EOD\n", s);
	for (i = f->g.first; i < f->g.end; i++) {
		const struct pw_row *row = &f->r->rows[i];
		const struct pw_summary *v = &row->sum[PW_M_GOODPUT];

		if (!is_drawn(row))
			continue;
		line++;
		if (v->n)
			fprintf(s, "%d %g %g %g %lu %s\n", line, v->median * scale, v->low * scale,
				v->high * scale,
				strtoul(pw_plot_colours[pw_view_family(row)] + 1, NULL, 16),
				pw_view_number(number, sizeof(number), v->median * scale));
		else
			fprintf(s, "%d 0 0 0 0 %s\n", line, pw_row_has_void(row) ? "void" : "-");
	}
	fprintf(s,
		"EOD\n"
		"set xrange [0:%g]\n"
		"set xlabel 'goodput, %s' tc rgb '#333333' offset 0,0.2\n"
		"plot $goodput using (0):1:(0):2:($1-0.3):($1+0.3):5 with boxxyerror"
		" fc rgb variable, '' using 2:1:3:4 with xerrorbars pt -1 lw 1.4 lc rgb '#222222',"
		" '' using 4:1:6 with labels left offset 0.5,0 font 'Arial,11'\n",
		most > 0 ? most * scale * 1.17 : 1, unit);
}

static void put_cpu(struct figure *f, const struct pw_row *row, int line)
{
	double scale = pw_metrics[PW_M_CPU].scale;
	double user = row->sum[PW_M_CPU_USER].median * scale, waiting = 0;
	double system = row->sum[PW_M_CPU_SYSTEM].median * scale;
	double host = row->sum[PW_M_MACHINE].median * scale;
	double softirq = row->sum[PW_M_SOFTIRQ].median * scale;
	char cpu_text[32], host_text[32];

	if (!row->sum[PW_M_CPU_USER].n || !row->sum[PW_M_CPU_SYSTEM].n)
		return;
	if (row->sum[PW_M_IDLE_SHARE].n)
		waiting = user * fmin(1, fmax(0, row->sum[PW_M_IDLE_SHARE].median));
	fprintf(f->p->script, "%d %g %g %g %g %g %s %s\n", line, user - waiting, waiting, system,
		isnan(softirq) ? 0 : softirq, isnan(host) ? 0 : fmax(host, softirq),
		pw_view_metric(cpu_text, sizeof(cpu_text), PW_M_CPU,
			row->sum[PW_M_CPU].n ? row->sum[PW_M_CPU].median : NAN),
		pw_view_metric(
			host_text, sizeof(host_text), PW_M_MACHINE, row->sum[PW_M_MACHINE].median));
}

/* Two bars a way: the sender's process above, the host below. They are not stacked on each other: what
 * softirqs take may be part of the sender's system time. */
static void draw_cpu(struct figure *f, int left)
{
	double most = fmax(most_of(f, PW_M_CPU, false), most_of(f, PW_M_MACHINE, false));
	FILE *s = f->p->script;
	int line = 0;
	size_t i;

	pw_plot_panel(f->p, left, PW_PLOT_WIDTH - RIGHT_PX, f->top, f->bottom);
	set_lines(f, false);
	fputs("$cpu << EOD\n0 0 0 0 0 0 - -\n", s); /* a block of no lines is an error */
	for (i = f->g.first; i < f->g.end; i++)
		if (is_drawn(&f->r->rows[i]))
			put_cpu(f, &f->r->rows[i], ++line);
	fprintf(s,
		"EOD\n"
		"set xrange [0:%g]\n"
		"set xlabel 'CPU time, µs per MB' tc rgb '#333333' offset 0,0.2\n"
		"plot $cpu using (0):1:(0):2:($1-0.34):($1+0.06) with boxxyerror fc rgb '" USER
		"', '' using 2:1:2:($2+$3):($1-0.34):($1+0.06) with boxxyerror fc rgb '" WAITING
		"', '' using 2:1:($2+$3):($2+$3+$4):($1-0.34):($1+0.06) with boxxyerror fc rgb "
		"'" SYSTEM
		"', '' using (0):1:(0):5:($1+0.12):($1+0.34) with boxxyerror fc rgb '" SOFTIRQ
		"', '' using 5:1:5:6:($1+0.12):($1+0.34) with boxxyerror fc rgb '" OTHER
		"', '' using ($2+$3+$4):($1-0.14):7 with labels left offset 0.5,0 font 'Arial,11',"
		" '' using 6:($1+0.23):8 with labels left offset 0.5,0 font 'Arial,10'"
		" tc rgb '#666666'\n",
		most > 0 ? most * pw_metrics[PW_M_CPU].scale * 1.17 : 1);
}

static void put_families(struct figure *f, int y)
{
	bool there[PW_N_FAMILIES] = {false};
	int family, x = f->left;
	size_t i;

	for (i = f->g.first; i < f->g.end; i++)
		if (is_drawn(&f->r->rows[i]))
			there[pw_view_family(&f->r->rows[i])] = true;
	for (family = 0; family < PW_N_FAMILIES; family++)
		if (there[family])
			x = pw_plot_legend(
				f->p, x, y, pw_plot_colours[family], pw_plot_families[family]);
}

#define GREY "left font 'Arial,11' tc rgb '#333333'"

static void put_cpu_legend(struct figure *f, int left, int y)
{
	bool pollers = most_of(f, PW_M_BUSY_CYCLES, false) > 0;
	int x = left + 46;

	pw_plot_text(f->p, left, y, GREY, "sender:");
	x = pw_plot_legend(f->p, x, y, USER, "user");
	if (pollers)
		x = pw_plot_legend(f->p, x, y, WAITING, "waiting (poller)");
	pw_plot_legend(f->p, x, y, SYSTEM, "system");
	pw_plot_text(f->p, left, y + 17, GREY, "host:");
	x = pw_plot_legend(f->p, left + 46, y + 17, SOFTIRQ, "softirq");
	pw_plot_legend(f->p, x, y + 17, OTHER, "all else that ran");
}

static void forget_labels(struct pw_plot *p)
{
	fputs("unset label\nunset object\n", p->script);
}

/* Legends and both panels, from y on; returns where they end. */
static int draw_speed(struct figure *f, int y)
{
	int right = f->left + (PW_PLOT_WIDTH - f->left - GAP_PX - RIGHT_PX) / 2;

	f->n = (int)pw_group_n_ran(f->r, &f->g);
	f->top = y + TOP_PX;
	f->bottom = f->top + LINE_PX * f->n;
	put_families(f, y + 14);
	pw_plot_text(f->p, f->left, y + 31, GREY, "median and 95 % bootstrap interval");
	put_cpu_legend(f, right + GAP_PX, y + 14);
	draw_goodput(f, right);
	forget_labels(f->p);
	draw_cpu(f, right + GAP_PX);
	return f->bottom + BOTTOM_PX;
}

int pw_plot_speed(const struct pw_bench_result *r, const struct pw_group *g, const char *id,
	char **svg, struct pw_err *err)
{
	int n = (int)pw_group_n_ran(r, g), ret;
	struct pw_plot p;
	struct figure f = {.r = r, .g = *g, .p = &p, .left = name_px(r, g)};

	*svg = NULL;
	if (!n)
		return 0;
	ret = pw_plot_begin(&p, TOP_PX + n * LINE_PX + BOTTOM_PX, err);
	if (ret)
		return ret;
	draw_speed(&f, 0);
	return pw_plot_end(&p, id, svg, err);
}

#define TITLE_PX 30

int pw_plot_overview(const struct pw_bench_result *r, char **svg, struct pw_err *err)
{
	int y = 0, height = 0, left = 0, ret, px;
	struct pw_group w = {0, 0}, g;
	struct pw_plot p;
	char title[160];

	*svg = NULL;
	while (pw_group_next_wire(r, &w)) {
		if (!pw_plot_main_table(r, &w, &g))
			continue;
		height += TITLE_PX + TOP_PX + (int)pw_group_n_ran(r, &g) * LINE_PX + BOTTOM_PX;
		px = name_px(r, &g);
		left = px > left ? px : left;
	}
	if (!height)
		return 0;
	ret = pw_plot_begin(&p, height, err);
	if (ret)
		return ret;
	for (w = (struct pw_group){0, 0}; pw_group_next_wire(r, &w);) {
		struct figure f = {.r = r, .p = &p, .left = left};
		char table[80];

		if (!pw_plot_main_table(r, &w, &f.g))
			continue;
		snprintf(title, sizeof(title), "%s: %s", pw_wire_name(r->rows[w.first].wire),
			pw_view_group(table, sizeof(table), &r->rows[f.g.first]));
		pw_plot_text(&p, 8, y + 18, "left font 'Arial,14'", title);
		pw_plot_text(&p, PW_PLOT_WIDTH - RIGHT_PX, y + 18,
			"right font 'Arial,11' tc rgb '#666666'", "each wire has its own scale");
		y = draw_speed(&f, y + TITLE_PX);
	}
	return pw_plot_end(&p, "overview", svg, err);
}

static void draw_copies(struct figure *f, int right)
{
	FILE *s = f->p->script;
	double most = 2;
	int line = 0;
	size_t i;

	pw_plot_panel(f->p, f->left, right, f->top, f->bottom);
	set_lines(f, true);
	fputs("$copies << EOD\n", s);
	for (i = f->g.first; i < f->g.end; i++) {
		const struct pw_row *row = &f->r->rows[i];

		if (!is_drawn(row))
			continue;
		fprintf(s, "%d %g %g\n", ++line,
			row->sum[PW_M_COPIES].n ? row->sum[PW_M_COPIES].median : NAN,
			row->expected.cpu_copies);
		if (row->sum[PW_M_COPIES].n)
			most = fmax(most, row->sum[PW_M_COPIES].median);
		if (!isnan(row->expected.cpu_copies))
			most = fmax(most, row->expected.cpu_copies);
	}
	fprintf(s,
		"EOD\n"
		"set xrange [-0.08:%g]\nset xtics 0,1\n"
		"set grid ytics lt 1 lw 0.6 lc rgb '#eeeeee'\n"
		"set xlabel 'CPU copies per payload byte' tc rgb '#333333' offset 0,0.2\n"
		"plot NaN, $copies using 3:1 with points pt 6 ps 1.5 lw 1.3 lc rgb '#222222',"
		" '' using 2:1 with points pt 7 ps 0.8 lc rgb '#D55E00'\n",
		most + 0.3);
}

static void draw_switches(struct figure *f, int left)
{
	double least = 1e300, most = 0, v, from;
	FILE *s = f->p->script;
	char number[32];
	int line = 0;
	size_t i;

	for (i = f->g.first; i < f->g.end; i++) {
		v = f->r->rows[i].sum[PW_M_SWITCHES].median;
		if (!f->r->rows[i].sum[PW_M_SWITCHES].n || v <= 0)
			continue;
		least = fmin(least, v);
		most = fmax(most, v);
	}
	/* a decade below the least, so that its line can be seen; zeros stand at the edge */
	from = most > 0 ? pow(10, floor(log10(least)) - 0.7) : 0.07;
	pw_plot_panel(f->p, left, PW_PLOT_WIDTH - RIGHT_PX, f->top, f->bottom);
	set_lines(f, false);
	fputs("$switches << EOD\n", s);
	for (i = f->g.first; i < f->g.end; i++) {
		const struct pw_summary *m = &f->r->rows[i].sum[PW_M_SWITCHES];

		if (!is_drawn(&f->r->rows[i]))
			continue;
		fprintf(s, "%d %g %g %s\n", ++line, m->n ? fmax(m->median, from) : NAN,
			m->n ? fmax(m->median, from) : from,
			pw_view_metric(number, sizeof(number), PW_M_SWITCHES, m->median));
	}
	fprintf(s,
		"EOD\n"
		"set logscale x\nset xrange [%g:%g]\nset xtics autofreq\n"
		"set format x '%%g'\n"
		"set xlabel 'mode switches per MB (log scale; 0 at the edge)'"
		" tc rgb '#333333' offset 0,0.2\n"
		"plot NaN, $switches using (%g):1:($2-%g):(0) with vectors nohead lw 1.4 lc rgb "
		"'#0072B2',"
		" '' using 2:1 with points pt 7 ps 0.8 lc rgb '#0072B2',"
		" '' using 3:1:4 with labels left offset 0.9,0 font 'Arial,11'\n",
		from, fmax(most, from * 10) * 5, from, from);
}

int pw_plot_cost(const struct pw_bench_result *r, const struct pw_group *g, const char *id,
	char **svg, struct pw_err *err)
{
	int n = (int)pw_group_n_ran(r, g), line = LINE_PX * 2 / 3, top = 28, ret, right;
	struct pw_plot p;
	struct figure f = {.r = r, .g = *g, .p = &p, .left = name_px(r, g), .n = n};

	*svg = NULL;
	if (!n)
		return 0;
	f.top = top;
	f.bottom = top + line * n;
	ret = pw_plot_begin(&p, f.bottom + BOTTOM_PX, err);
	if (ret)
		return ret;
	right = f.left + (PW_PLOT_WIDTH - f.left - GAP_PX - RIGHT_PX) / 2;
	pw_plot_text(&p, f.left, 12, "left font 'Arial,11' tc rgb '#D55E00'", "● measured by BPF");
	pw_plot_text(&p, f.left + 140, 12, GREY, "○ expected");
	draw_copies(&f, right);
	forget_labels(&p);
	draw_switches(&f, right + GAP_PX);
	return pw_plot_end(&p, id, svg, err);
}
