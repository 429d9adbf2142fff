/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes the tables of results of report.html. */
#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "bench/html.h"
#include "bench/notes.h"
#include "bench/text.h"

/* "us/MB" as a page has it */
static void put_unit(FILE *out, const char *unit)
{
	if (strncmp(unit, "us/", 3) == 0)
		fprintf(out, "µs/%s", unit + 3);
	else
		fputs(unit, out);
}

static void put_heading(FILE *out, const char *title, const char *unit, const char *what)
{
	fputs("<th scope=\"col\"", out);
	if (what) {
		fputs(" title=\"", out);
		pw_html_text(out, what);
		fputc('"', out);
	}
	fputc('>', out);
	pw_html_text(out, title);
	fputs("<br><span class=\"unit\">", out);
	put_unit(out, unit);
	fputs("</span></th>", out);
}

static void put_names(FILE *out, const struct pw_row *row)
{
	fputs("<tr><th scope=\"row\">", out);
	pw_html_text(out, pw_view_way(row));
	fputs("</th><td class=\"text\">", out);
	pw_html_text(out, pw_view_pages(row));
	fputs("</td>", out);
}

static void put_number(FILE *out, const char *text, bool best)
{
	fprintf(out, best ? "<td class=\"best\">%s</td>" : "<td>%s</td>",
		strcmp(text, "-") == 0 ? "–" : text);
}

static void put_metric(FILE *out, const struct pw_bench_result *r, const struct pw_group *g,
	const struct pw_row *row, enum pw_metric m)
{
	char text[32];

	put_number(out, pw_view_metric(text, sizeof(text), m, row->sum[m].median),
		pw_group_is_best(r, g, row, m));
}

static void put_goodput(FILE *out, const struct pw_bench_result *r, const struct pw_group *g,
	const struct pw_row *row)
{
	const struct pw_summary *s = &row->sum[PW_M_GOODPUT];
	char text[32], low[32], high[32];
	double scale;

	pw_group_goodput_unit(r, g, &scale);
	if (!s->n) {
		fprintf(out, "<td>%s</td><td></td>", pw_row_has_void(row) ? "void" : "–");
		return;
	}
	put_number(out, pw_view_number(text, sizeof(text), s->median * scale),
		pw_group_is_best(r, g, row, PW_M_GOODPUT));
	fprintf(out, "<td class=\"interval\">%s to %s</td>",
		pw_view_number(low, sizeof(low), s->low * scale),
		pw_view_number(high, sizeof(high), s->high * scale));
}

static void put_ratio(FILE *out, const struct pw_row *row)
{
	char text[32], low[32], high[32];

	if (!row->ratio.n) {
		fputs("<td>–</td>", out);
		return;
	}
	fprintf(out, "<td title=\"95 %% interval: %s to %s\">%s</td>",
		pw_view_short(low, sizeof(low), row->ratio.low, 2),
		pw_view_short(high, sizeof(high), row->ratio.high, 2),
		pw_view_short(text, sizeof(text), row->ratio.median, 2));
}

static void put_expected(FILE *out, double copies)
{
	if (isnan(copies))
		fputs("<td class=\"expected\">?</td>", out);
	else
		fprintf(out, "<td class=\"expected\">%.3g</td>", copies);
}

static void open_table(FILE *out, const char *caption)
{
	fputs("<div class=\"scroll\"><table><caption>", out);
	pw_html_text(out, caption);
	fputs("</caption><thead><tr><th scope=\"col\">way</th><th scope=\"col\" "
	      "class=\"text\">pages</th>",
		out);
}

static void close_table(FILE *out)
{
	fputs("</tbody></table></div>\n", out);
}

void pw_html_results(FILE *out, const struct pw_bench_result *r, const struct pw_group *g)
{
	static const enum pw_metric metrics[] = {
		PW_M_PACKETS, PW_M_CPU, PW_M_MACHINE, PW_M_SWITCHES, PW_M_LOSS};
	const char *unit;
	double scale;
	char caption[80];
	size_t i, k;

	open_table(out, pw_view_group(caption, sizeof(caption), &r->rows[g->first]));
	unit = pw_group_goodput_unit(r, g, &scale);
	put_heading(out, "goodput", unit, pw_metrics[PW_M_GOODPUT].what);
	put_heading(out, "95 % interval", unit, "percentile bootstrap of the median");
	put_heading(out, "ratio", "to baseline", "goodput over the baseline's, round by round");
	for (k = 0; k < PW_ARRAY_LEN(metrics); k++)
		put_heading(out, pw_metrics[metrics[k]].title, pw_metrics[metrics[k]].unit,
			pw_metrics[metrics[k]].what);
	put_heading(out, "CPU copies", "measured", pw_metrics[PW_M_COPIES].what);
	put_heading(out, "CPU", "expected", "from the kernel's and the drivers' source");
	put_heading(out, "DMA", "expected", "never measured");
	fputs("<th scope=\"col\" class=\"text\">proof</th></tr></thead><tbody>\n", out);
	for (i = g->first; i < g->end; i++) {
		const struct pw_row *row = &r->rows[i];

		if (row->skipped[0])
			continue;
		put_names(out, row);
		put_goodput(out, r, g, row);
		put_ratio(out, row);
		for (k = 0; k < PW_ARRAY_LEN(metrics); k++)
			put_metric(out, r, g, row, metrics[k]);
		put_metric(out, r, g, row, PW_M_COPIES);
		put_expected(out, row->expected.cpu_copies);
		put_expected(out, row->expected.dma_copies);
		fprintf(out, "<td class=\"text\">%s</td></tr>\n", pw_view_proof(row));
	}
	close_table(out);
}

/* Of the metrics that any row of the group has. */
void pw_html_details(FILE *out, const struct pw_bench_result *r, const struct pw_group *g)
{
	static const enum pw_metric metrics[] = {PW_M_CPU_USER, PW_M_CPU_SYSTEM, PW_M_SOFTIRQ,
		PW_M_BUSY_CYCLES, PW_M_IDLE_SHARE, PW_M_SYSCALLS, PW_M_USER_FAULTS,
		PW_M_KERNEL_FAULTS, PW_M_VOLUNTARY, PW_M_INVOLUNTARY, PW_M_ZC_COPIED,
		PW_M_HW_CYCLES, PW_M_INSTRUCTIONS, PW_M_LLC_MISSES, PW_M_SETUP, PW_M_SETUP_GOODPUT};
	bool there[PW_ARRAY_LEN(metrics)] = {false};
	size_t i, k;

	for (i = g->first; i < g->end; i++)
		for (k = 0; k < PW_ARRAY_LEN(metrics); k++)
			there[k] |= r->rows[i].sum[metrics[k]].n > 0;
	open_table(out, "What it is made of");
	for (k = 0; k < PW_ARRAY_LEN(metrics); k++)
		if (there[k])
			put_heading(out, pw_metrics[metrics[k]].title, pw_metrics[metrics[k]].unit,
				pw_metrics[metrics[k]].what);
	fputs("</tr></thead><tbody>\n", out);
	for (i = g->first; i < g->end; i++) {
		if (r->rows[i].skipped[0])
			continue;
		put_names(out, &r->rows[i]);
		for (k = 0; k < PW_ARRAY_LEN(metrics); k++)
			if (there[k])
				put_metric(out, r, g, &r->rows[i], metrics[k]);
		fputs("</tr>\n", out);
	}
	close_table(out);
}

static bool said_before(const struct pw_bench_result *r, const struct pw_group *wire, size_t row)
{
	size_t i;

	for (i = wire->first; i < row; i++)
		if (strcmp(r->rows[i].label, r->rows[row].label) == 0 &&
			r->rows[i].cold == r->rows[row].cold && !r->rows[i].skipped[0])
			return true;
	return false;
}

void pw_html_expected(FILE *out, const struct pw_bench_result *r, const struct pw_group *wire)
{
	size_t i;

	fputs("<details open><summary>What each way is expected to copy here, and why</summary>\n"
	      "<table><thead><tr><th scope=\"col\">way</th><th scope=\"col\">CPU</th>"
	      "<th scope=\"col\">DMA</th><th scope=\"col\" class=\"text\">because</th></tr></thead>"
	      "<tbody>\n",
		out);
	for (i = wire->first; i < wire->end; i++) {
		const struct pw_row *row = &r->rows[i];

		if (row->skipped[0] || said_before(r, wire, i))
			continue;
		fputs("<tr><th scope=\"row\">", out);
		pw_html_text(out, row->label);
		fputs(row->cold ? ", cold</th>" : "</th>", out);
		put_expected(out, row->expected.cpu_copies);
		put_expected(out, row->expected.dma_copies);
		fputs("<td class=\"text\">", out);
		pw_html_text(out, row->expected.reason ? row->expected.reason : "");
		fputs("</td></tr>\n", out);
	}
	fputs("</tbody></table></details>\n", out);
}

static void put_notes(FILE *out, const struct pw_bench_result *r, const struct pw_group *g,
	enum pw_note_kind kind, const char *title)
{
	struct pw_notes notes;
	size_t i;

	pw_notes_make(&notes, r, g, kind);
	if (notes.n)
		fprintf(out, "<h4>%s</h4><ul>\n", title);
	for (i = 0; i < notes.n; i++) {
		const struct pw_note *n = &notes.v[i];

		fputs("<li><b>", out);
		pw_html_text(out, n->what);
		if (n->what[0] && n->who[0])
			fputs("</b> of <b>", out);
		pw_html_text(out, n->who);
		fputs("</b>: ", out);
		pw_html_text(out, n->why);
		fputs("</li>\n", out);
	}
	if (notes.n)
		fputs("</ul>\n", out);
	pw_notes_free(&notes);
}

void pw_html_notes(FILE *out, const struct pw_bench_result *r, const struct pw_group *wire)
{
	put_notes(out, r, wire, PW_NOTE_COPIED, "What the kernel said of its zero-copy sends");
	put_notes(out, r, wire, PW_NOTE_VOID, "Void: not in the figures");
	put_notes(out, r, wire, PW_NOTE_SKIPPED, "Skipped: this host lacks what they need");
	put_notes(out, r, wire, PW_NOTE_UNMEASURED, "Not measured");
}
