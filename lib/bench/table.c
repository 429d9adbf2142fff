/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Prints the result as tables on a terminal. It formats the cells, then finds the columns' widths, then prints:
 *
 *   wire, its caveat
 *     one table per file size, MTU, warm or cold; what pollers and set-up cost below it
 *     skipped and void rows
 *   legend
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/units.h"
#include "bench/notes.h"
#include "bench/report.h"
#include "bench/view.h"

#define CELL 48

enum column {
	WAY,
	PAGES,
	GOODPUT,
	RATIO,
	PACKETS,
	CPU,
	MACHINE,
	SWITCHES,
	COPIES,
	LOST,
	PROOF,
	N_COLUMNS
};

/* m: a metric whose best is marked and, but for goodput and copies, which is the whole cell. */
static const struct heading {
	const char *name, *unit;
	int m;
	bool left;
	int decimals; /* at most */
} headings[N_COLUMNS] = {
	[WAY] = {"way", "", -1, true},
	[PAGES] = {"pages", "", -1, true},
	[GOODPUT] = {"goodput [95 %]", NULL, PW_M_GOODPUT, false},
	[RATIO] = {"ratio", "", -1, false},
	[PACKETS] = {"Mpps", "", PW_M_PACKETS, false, 3},
	[CPU] = {"CPU", "us/MB", PW_M_CPU, false, 2},
	[MACHINE] = {"host", "us/MB", PW_M_MACHINE, false, 2},
	[SWITCHES] = {"switch", "/MB", PW_M_SWITCHES, false, 2},
	[COPIES] = {"copies", "(exp.)", PW_M_COPIES, false},
	[LOST] = {"lost", "%", PW_M_LOSS, false, 2},
	[PROOF] = {"proof", "", -1, true},
};

struct line {
	char cell[N_COLUMNS][CELL];
	bool best[N_COLUMNS];
};

struct table {
	const struct pw_bench_result *r;
	struct pw_group g;
	struct line *lines; /* of the rows that ran */
	size_t n;
	double goodput_scale; /* a unit in which the best is a short number */
	const char *goodput_unit;
	int width[N_COLUMNS]; /* 0: the column is left out */
	bool marks[N_COLUMNS];
};

/* The widest of the group's medians, lows or highs, so that brackets stand in line. */
static int goodput_width(const struct table *t, size_t offset)
{
	int most = 1, n;
	char text[32];
	size_t i;

	for (i = t->g.first; i < t->g.end; i++) {
		const struct pw_summary *s = &t->r->rows[i].sum[PW_M_GOODPUT];
		double v = *(const double *)((const char *)s + offset);

		n = (int)strlen(pw_view_short(text, sizeof(text), v * t->goodput_scale, 2));
		most = n > most ? n : most;
	}
	return most;
}

static void fill_goodput(const struct table *t, const struct pw_row *row, char *cell)
{
	const struct pw_summary *s = &row->sum[PW_M_GOODPUT];
	char median[32], low[32], high[32];

	if (!s->n) {
		/* an interrupted bench may have a warm-up and nothing more */
		snprintf(cell, CELL, "%s", pw_row_has_void(row) ? "void" : "-");
		return;
	}
	pw_view_short(median, sizeof(median), s->median * t->goodput_scale, 2);
	pw_view_short(low, sizeof(low), s->low * t->goodput_scale, 2);
	pw_view_short(high, sizeof(high), s->high * t->goodput_scale, 2);
	snprintf(cell, CELL, "%*.8s [%*.8s, %*.8s]",
		goodput_width(t, offsetof(struct pw_summary, median)), median,
		goodput_width(t, offsetof(struct pw_summary, low)), low,
		goodput_width(t, offsetof(struct pw_summary, high)), high);
}

static void fill_copies(const struct pw_row *row, char *cell)
{
	char measured[32], expected[32] = "?";

	pw_view_metric(measured, sizeof(measured), PW_M_COPIES, row->sum[PW_M_COPIES].median);
	if (!isnan(row->expected.cpu_copies))
		snprintf(expected, sizeof(expected), "%.3g", row->expected.cpu_copies);
	snprintf(cell, CELL, "%.16s (%.16s)", measured, expected);
}

static void fill_line(const struct table *t, const struct pw_row *row, struct line *l)
{
	char ratio[32];
	int c, m;

	for (c = 0; c < N_COLUMNS; c++) {
		m = headings[c].m;
		if (m < 0)
			continue;
		pw_view_short(l->cell[c], CELL, row->sum[m].median * pw_metrics[m].scale,
			headings[c].decimals);
		l->best[c] = pw_group_is_best(t->r, &t->g, row, (enum pw_metric)m);
	}
	snprintf(l->cell[WAY], CELL, "%s", pw_view_way(row));
	snprintf(l->cell[PAGES], CELL, "%s", pw_view_pages(row));
	snprintf(l->cell[PROOF], CELL, "%s", pw_view_proof(row));
	fill_goodput(t, row, l->cell[GOODPUT]);
	fill_copies(row, l->cell[COPIES]);
	pw_view_short(ratio, sizeof(ratio), row->ratio.n ? row->ratio.median : NAN, 2);
	snprintf(l->cell[RATIO], CELL, "%.16s%s", ratio, row->ratio.n ? "x" : "");
}

static const char *unit_of(const struct table *t, int c)
{
	return c == GOODPUT ? t->goodput_unit : headings[c].unit;
}

static int total_width(const struct table *t)
{
	int c, sum = -1;

	for (c = 0; c < N_COLUMNS; c++)
		sum += t->width[c] ? t->width[c] + t->marks[c] + 1 : 0;
	return sum;
}

/* Names are cut before a column is left out; figures are never cut. */
static void fit_widths(struct table *t)
{
	static const struct {
		enum column column;
		int least; /* 0: left out */
	} steps[] = {{WAY, 14}, {PAGES, 4}, {WAY, 10}, {RATIO, 0}, {PAGES, 0}, {PACKETS, 0}};
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(steps) && total_width(t) > PW_VIEW_COLUMNS; i++) {
		int *width = &t->width[steps[i].column];
		int over = total_width(t) - PW_VIEW_COLUMNS;

		if (*width > steps[i].least)
			*width = *width - over > steps[i].least ? *width - over : steps[i].least;
	}
}

static void measure_columns(struct table *t)
{
	size_t i;
	int c, n;

	for (c = 0; c < N_COLUMNS; c++) {
		t->width[c] = (int)strlen(headings[c].name);
		n = (int)strlen(unit_of(t, c));
		t->width[c] = n > t->width[c] ? n : t->width[c];
		for (i = 0; i < t->n; i++) {
			n = (int)strlen(t->lines[i].cell[c]);
			t->width[c] = n > t->width[c] ? n : t->width[c];
			t->marks[c] |= t->lines[i].best[c];
		}
	}
	fit_widths(t);
}

/* Cut names end in '~'; nothing trails. */
static void draw_line(FILE *out, const struct table *t, const struct line *l)
{
	int c, blanks = 0;

	for (c = 0; c < N_COLUMNS; c++) {
		const char *s = l->cell[c];
		int len = (int)strlen(s), width = t->width[c];

		if (!width)
			continue;
		if (!headings[c].left)
			blanks += width - len;
		if (len)
			fprintf(out, "%*s%.*s%s", blanks, "", len > width ? width - 1 : width, s,
				len > width ? "~" : "");
		if (len)
			blanks = 0;
		if (headings[c].left)
			blanks += width - (len < width ? len : width);
		if (t->marks[c] && l->best[c]) {
			fprintf(out, "*");
			blanks += 1;
		} else {
			blanks += 1 + t->marks[c];
		}
	}
	fputc('\n', out);
}

static void draw(FILE *out, const struct table *t)
{
	struct line names = {0}, units = {0};
	size_t i;
	int c;

	for (c = 0; c < N_COLUMNS; c++) {
		snprintf(names.cell[c], CELL, "%s", headings[c].name);
		snprintf(units.cell[c], CELL, "%s", unit_of(t, c));
	}
	draw_line(out, t, &names);
	draw_line(out, t, &units);
	for (i = 0; i < t->n; i++)
		draw_line(out, t, &t->lines[i]);
}

static int label_width(const struct table *t, enum pw_metric m)
{
	int most = 0, n;
	size_t i;

	for (i = t->g.first; i < t->g.end; i++) {
		n = (int)strlen(t->r->rows[i].label);
		if (t->r->rows[i].sum[m].n && n > most)
			most = n;
	}
	return most < 36 ? most : 36;
}

static void draw_pollers(FILE *out, const struct table *t)
{
	int width = label_width(t, PW_M_BUSY_CYCLES);
	char busy[32], waiting[32];
	size_t i;

	if (width)
		fprintf(out, "  pollers take a whole core; of it they used\n");
	for (i = t->g.first; i < t->g.end; i++) {
		const struct pw_row *row = &t->r->rows[i];

		if (!row->sum[PW_M_BUSY_CYCLES].n)
			continue;
		fprintf(out, "    %-*.*s  %6s cycles/packet busy, %5s %% of the time waiting\n",
			width, width, row->label,
			pw_view_metric(busy, sizeof(busy), PW_M_BUSY_CYCLES,
				row->sum[PW_M_BUSY_CYCLES].median),
			pw_view_metric(waiting, sizeof(waiting), PW_M_IDLE_SHARE,
				row->sum[PW_M_IDLE_SHARE].median));
	}
}

static void draw_setup(FILE *out, const struct table *t)
{
	int width = label_width(t, PW_M_SETUP);
	char setup[32], goodput[32];
	size_t i;

	if (width)
		fprintf(out, "  with the set-up (EAL, mapping, staging, connect) counted in\n");
	for (i = t->g.first; i < t->g.end; i++) {
		const struct pw_summary *s = t->r->rows[i].sum;

		if (!s[PW_M_SETUP].n || !s[PW_M_SETUP_GOODPUT].n)
			continue;
		fprintf(out, "    %-*.*s  %8s set-up, %13s in all\n", width, width,
			t->r->rows[i].label,
			pw_units_duration(
				setup, sizeof(setup), (uint64_t)(s[PW_M_SETUP].median * 1e9)),
			pw_units_bitrate(goodput, sizeof(goodput), s[PW_M_SETUP_GOODPUT].median));
	}
}

static void print_table(
	FILE *out, const struct pw_bench_result *r, const struct pw_group *g, bool setup)
{
	struct table t = {.r = r, .g = *g};
	char title[80];
	size_t i;

	if (!pw_group_n_ran(r, g))
		return;
	t.lines = calloc(pw_group_n_ran(r, g), sizeof(*t.lines));
	if (!t.lines)
		return;
	t.goodput_unit = pw_group_goodput_unit(r, g, &t.goodput_scale);
	for (i = g->first; i < g->end; i++)
		if (!r->rows[i].skipped[0])
			fill_line(&t, &r->rows[i], &t.lines[t.n++]);
	measure_columns(&t);
	fprintf(out, "\n%s\n", pw_view_group(title, sizeof(title), &r->rows[g->first]));
	draw(out, &t);
	draw_pollers(out, &t);
	if (setup)
		draw_setup(out, &t);
	free(t.lines);
}

/* "WHAT (WHO): WHY"; a blank line before the first. */
static void print_notes(FILE *out, const struct pw_bench_result *r, const struct pw_group *g,
	enum pw_note_kind kind, const char *before, bool *begun)
{
	char text[sizeof(struct pw_note) + 64];
	struct pw_notes notes;
	size_t i;

	pw_notes_make(&notes, r, g, kind);
	for (i = 0; i < notes.n; i++) {
		const struct pw_note *n = &notes.v[i];
		bool both = n->what[0] && n->who[0];

		if (!*begun)
			fputc('\n', out);
		*begun = true;
		snprintf(text, sizeof(text), "%s%s%s%s: %s", n->what, both ? " (" : "", n->who,
			both ? ")" : "", n->why);
		pw_view_wrap(out, before, (unsigned int)strlen(before), text);
	}
	pw_notes_free(&notes);
}

static void print_wire(
	FILE *out, const struct pw_bench_result *r, const struct pw_group *w, bool setup)
{
	enum pw_wire_kind kind = r->rows[w->first].wire;
	struct pw_group g = {0, 0};
	bool begun = false;
	char head[32];

	snprintf(head, sizeof(head), "\n== %s == ", pw_wire_name(kind));
	pw_view_wrap(out, head, 4, pw_wire_caveat(kind));
	while (pw_group_next_table(r, w, &g))
		print_table(out, r, &g, setup);
	print_notes(out, r, w, PW_NOTE_COPIED, "  ", &begun);
	print_notes(out, r, w, PW_NOTE_VOID, "  void     ", &begun);
	print_notes(out, r, w, PW_NOTE_SKIPPED, "  skipped  ", &begun);
}

static void print_title(FILE *out, const struct pw_bench_result *r)
{
	const char *cpu = pw_view_env(r, "cpu_model"), *kernel = pw_view_env(r, "kernel");
	char text[1200];

	snprintf(text, sizeof(text), "%s%s%s%s%u rounds in random order, %.0f s", cpu,
		*cpu ? ", " : "", kernel, *kernel ? "; " : "", r->rounds, r->seconds);
	pw_view_wrap(out, "", 0, text);
	if (pw_env_caveat(&r->env))
		pw_view_wrap(out, "", 0, pw_env_caveat(&r->env));
}

static void print_legend(FILE *out, const struct pw_bench_result *r)
{
	const struct pw_group all = {0, r->n_rows};
	bool begun = true;
	char text[400];

	fputc('\n', out);
	pw_view_wrap(out, "  ", 2,
		"Each wire has a table of its own: figures of different wires are not to be "
		"ranked. Medians; [95 % bootstrap interval]; * best of its column: where intervals "
		"overlap, it is not shown to be better.");
	snprintf(text, sizeof(text),
		"ratio: goodput over that of %s, round by round. CPU: time of the sender's "
		"process, a poller's whole core; host: of all CPUs, the receiver's too. switch: "
		"2 x system calls + 2 x user page faults. MB: 10^6 bytes of the file.",
		r->baseline ? r->baseline : "the baseline");
	pw_view_wrap(out, "  ", 2, text);
	pw_view_wrap(out, "  ", 2,
		"copies: by a CPU, per payload byte, on the sender's side; measured by BPF in a "
		"run of its own, and (expected from the kernel's and drivers' source). DMA copies "
		"are expected only, never measured: see --json.");
	pw_view_wrap(out, "  proof: ", 2, PW_VIEW_PROOFS);
	print_notes(out, r, &all, PW_NOTE_UNMEASURED, "  not measured: ", &begun);
}

void pw_table_print(FILE *out, const struct pw_bench_result *r, bool setup)
{
	struct pw_group w = {0, 0};

	if (!r->n_rows) {
		fprintf(out, "no way was asked for that these wires have\n");
		return;
	}
	print_title(out, r);
	while (pw_group_next_wire(r, &w))
		print_wire(out, r, &w, setup);
	print_legend(out, r);
}
