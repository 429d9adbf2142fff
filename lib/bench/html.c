/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes report.html: text, plots, environment and tables. */
#include "bench/html.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "bench/plot.h"
#include "bench/text.h"

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	"style-src 'unsafe-inline'\">\n"
	"<title>pagewire bench</title>\n<style>\n"
	":root { color-scheme: light; }\n"
	"body { font: 15px/1.5 Helvetica, Arial, sans-serif; color: #1a1a1a; background: #fff;\n"
	"  max-width: 1120px; margin: 2.5em auto; padding: 0 1.2em; }\n"
	"h1 { font-size: 26px; line-height: 1.25; margin: 0 0 .2em; }\n"
	"h2 { font-size: 20px; margin: 2.4em 0 .3em; border-top: 2px solid #1a1a1a; "
	"padding-top: .5em; }\n"
	"h3 { font-size: 16px; margin: 1.8em 0 .3em; }\n"
	"h4 { font-size: 14px; margin: 1.2em 0 .2em; }\n"
	"p, ul, ol { margin: .5em 0; max-width: 46em; }\n"
	"ul, ol { padding-left: 1.3em; }\n"
	".sub, .unit, figcaption { color: #555; }\n"
	".caveat { border-left: 3px solid #D55E00; padding: .1em .8em; max-width: 60em; }\n"
	"code, pre { font: 13px/1.45 'DejaVu Sans Mono', Menlo, Consolas, monospace; }\n"
	"pre { background: #f5f5f5; padding: .7em 1em; white-space: pre-wrap; "
	"overflow-wrap: anywhere; }\n"
	"table { border-collapse: collapse; font-size: 12px; line-height: 1.35; "
	"font-variant-numeric: tabular-nums; margin: .8em 0; }\n"
	"caption { text-align: left; font-weight: bold; padding: .2em 0 .3em; }\n"
	"thead th { border-bottom: 1.2px solid #1a1a1a; border-top: 1.2px solid #1a1a1a;\n"
	"  vertical-align: bottom; font-weight: 600; }\n"
	"th, td { padding: .2em .45em; text-align: right; white-space: nowrap; }\n"
	"th[scope=row], th:first-child, .text { text-align: left; }\n"
	"th[scope=row] { font-weight: normal; }\n"
	"td.text { white-space: normal; }\n"
	"tbody tr:last-child > * { border-bottom: 1.2px solid #1a1a1a; }\n"
	"tbody tr:hover { background: #f3f7fa; }\n"
	".unit { font-weight: normal; font-size: 11px; }\n"
	".interval, .expected { color: #555; }\n"
	".best { font-weight: bold; }\n"
	".env th, .env td { border-bottom: 1px solid #e4e4e4 !important; text-align: left; "
	"white-space: normal; overflow-wrap: anywhere; }\n"
	".env th { white-space: nowrap; vertical-align: top; color: #555; }\n"
	".scroll { overflow-x: auto; }\n"
	"figure { margin: 1.2em 0; }\n"
	"figure svg { display: block; width: 100%; max-width: 1040px; height: auto; }\n"
	"figcaption { font-size: 13px; max-width: 62em; }\n"
	"details { margin: .6em 0; }\nsummary { cursor: pointer; }\n"
	"@page { size: A4; margin: 12mm; }\n@media print {\n"
	"  body { font-size: 10pt; margin: 0; max-width: none; padding: 0; }\n"
	"  table { font-size: 6.8pt; }\n  th, td { padding: .15em .35em; }\n"
	"  thead th { white-space: normal; }\n"
	"  figure, table, h2, h3, h4 { break-inside: avoid; }\n  h2, h3, h4 { break-after: avoid; "
	"}\n"
	"  .scroll { overflow: visible; }\n}\n"
	"</style>\n</head>\n<body>\n";

static void put_paragraph(FILE *out, const char *before, const char *text, const char *after)
{
	fputs(before, out);
	pw_html_text(out, text);
	fputs(after, out);
	fputc('\n', out);
}

static void put_title(FILE *out, const struct pw_bench_result *r)
{
	static const char *const keys[] = {"date", "cpu_model", "kernel"};
	char text[200];
	size_t i;

	fputs(head, out);
	fputs("<h1>What the kernel path costs against bypassing it</h1>\n", out);
	fputs("<p class=\"sub\">pagewire " PW_VERSION, out);
	for (i = 0; i < PW_ARRAY_LEN(keys); i++) {
		fputs(*pw_view_env(r, keys[i]) ? ", " : "", out);
		pw_html_text(out, pw_view_env(r, keys[i]));
	}
	fputs("</p>\n", out);
	snprintf(text, sizeof(text),
		"Profile %s: %" PRIu32 " rounds in %.0f s, seed %" PRIu64 ". Ratios are to ",
		r->profile ? r->profile : "-", r->rounds, r->seconds, r->seed);
	put_paragraph(out, "<p>", text, "");
	put_paragraph(out, "<code>", r->baseline ? r->baseline : "-", "</code>.</p>");
	if (pw_env_caveat(&r->env))
		put_paragraph(out, "<p><b>", pw_env_caveat(&r->env), ".</b></p>");
	put_paragraph(out, "<pre>", r->command ? r->command : "", "</pre>");
}

static void put_method(FILE *out)
{
	fputs("<h3>Method</h3>\n<ul>\n"
	      "<li>Each run is two fresh processes, sender and receiver; rounds go over all rows, "
	      "in an order drawn anew each time. Round 0 is a warm-up and in no figure.</li>\n"
	      "<li>Figures are medians; intervals are 95 % percentile bootstraps of the median "
	      "(10,000 resamples). Where intervals overlap no difference is shown. Ratios are "
	      "taken round by round. The best of each column is bold.</li>\n"
	      "<li>Goodput counts file bytes that arrived, not those that were handed over. A row "
	      "whose receiver got wrong bytes is void. Proof: " PW_VIEW_PROOFS ".</li>\n"
	      "<li>Pages: where the file lay; huge is hugetlbfs, cache the page cache, stage a "
	      "copy in "
	      "the driver's own memory.</li>\n"
	      "<li>A poller burns its core whatever it does: its CPU time holds the time it "
	      "waited, which is told apart.</li>\n"
	      "<li>CPU copies are counted on the sender's side, by BPF on the kernel functions "
	      "that move payload, in runs of their own that enter no other figure. DMA copies are "
	      "expected, never measured. MB is 10<sup>6</sup> bytes of the file.</li>\n"
	      "<li>Wires differ in what they do to a packet: figures of different wires are not "
	      "to be ranked.</li>\n</ul>\n",
		out);
}

static void put_env(FILE *out, const struct pw_bench_result *r)
{
	size_t i;

	if (!r->env.n)
		return;
	fputs("<h2>The machine</h2>\n<table class=\"env\"><tbody>\n", out);
	for (i = 0; i < r->env.n; i++) {
		const struct pw_env_item *item = &r->env.items[i];

		put_paragraph(out, "<tr><th scope=\"row\">", item->key, "</th>");
		put_paragraph(out, "<td>", item->value[0] ? item->value : "unknown", "</td></tr>");
	}
	fputs("</tbody></table>\n", out);
}

/* Takes svg, which may be NULL. label: for who cannot see it. */
static void put_figure(FILE *out, char *svg, const char *label, const char *caption)
{
	if (!svg)
		return;
	fputs("<figure role=\"img\" aria-label=\"", out);
	pw_html_text(out, label);
	fputs("\">\n", out);
	fputs(svg, out);
	put_paragraph(out, "<figcaption>", caption, "</figcaption>\n</figure>");
	free(svg);
}

static int put_bars(
	FILE *out, const struct pw_bench_result *r, const struct pw_group *g, struct pw_err *err)
{
	char id[32], table[80], caption[400];
	char *svg;
	int ret;

	pw_view_group(table, sizeof(table), &r->rows[g->first]);
	put_paragraph(out, "<h3>", table, "</h3>");
	snprintf(id, sizeof(id), "speed%zu", g->first);
	ret = pw_plot_speed(r, g, id, &svg, err);
	if (ret)
		return ret;
	snprintf(caption, sizeof(caption),
		"Goodput with its 95 %% interval, and CPU time per MB: of the sender's process "
		"(upper bar) and of the whole host, receiver included (lower bar).");
	put_figure(out, svg, "Goodput and CPU time by way", caption);
	snprintf(id, sizeof(id), "cost%zu", g->first);
	ret = pw_plot_cost(r, g, id, &svg, err);
	if (ret)
		return ret;
	snprintf(caption, sizeof(caption),
		"CPU copies per payload byte, measured and expected; mode switches per MB: 2 x "
		"system calls + 2 x user page faults.");
	put_figure(out, svg, "Copies and mode switches by way", caption);
	return 0;
}

/* Whether no table before g within the wire has its MTU and page cache. */
static bool is_first_of_kind(
	const struct pw_bench_result *r, const struct pw_group *w, const struct pw_group *g)
{
	const struct pw_row *row = &r->rows[g->first];
	size_t i;

	for (i = w->first; i < g->first; i++)
		if (r->rows[i].mtu == row->mtu && r->rows[i].cold == row->cold)
			return false;
	return true;
}

/* Figures of the largest file for each MTU and state of the page cache. */
static bool is_largest_of_kind(
	const struct pw_bench_result *r, const struct pw_group *w, const struct pw_group *g)
{
	const struct pw_row *row = &r->rows[g->first], *o;
	size_t i;

	for (i = w->first; i < w->end; i++) {
		o = &r->rows[i];
		if (o->mtu == row->mtu && o->cold == row->cold && !o->skipped[0] &&
			o->file_bytes > row->file_bytes)
			return false;
	}
	return true;
}

static int put_sizes(FILE *out, const struct pw_bench_result *r, const struct pw_group *w,
	const struct pw_group *g, struct pw_err *err)
{
	const struct pw_row *row = &r->rows[g->first];
	char id[32], caption[200];
	char *svg;
	int ret;

	snprintf(id, sizeof(id), "sizes%zu", g->first);
	ret = pw_plot_sizes(r, w, row, id, &svg, err);
	if (ret)
		return ret;
	snprintf(caption, sizeof(caption),
		"Goodput over file size, with 95 %% intervals. MTU %" PRIu32 ", page cache %s.",
		row->mtu, row->cold ? "cold" : "warm");
	put_figure(out, svg, "Goodput over file size", caption);
	return 0;
}

static int put_wire(
	FILE *out, const struct pw_bench_result *r, const struct pw_group *w, struct pw_err *err)
{
	enum pw_wire_kind kind = r->rows[w->first].wire;
	struct pw_group g = {0, 0};
	int ret = 0;

	fprintf(out, "<section>\n<h2 id=\"%s\">Wire: %s</h2>\n", pw_wire_name(kind),
		pw_wire_name(kind));
	put_paragraph(out, "<p class=\"caveat\">", pw_wire_caveat(kind), "</p>");
	while (ret == 0 && pw_group_next_table(r, w, &g))
		if (is_largest_of_kind(r, w, &g))
			ret = put_bars(out, r, &g, err);
	for (g = (struct pw_group){0, 0}; ret == 0 && pw_group_next_table(r, w, &g);)
		if (is_first_of_kind(r, w, &g))
			ret = put_sizes(out, r, w, &g, err);
	for (g = (struct pw_group){0, 0}; ret == 0 && pw_group_next_table(r, w, &g);) {
		if (!pw_group_n_ran(r, &g))
			continue;
		pw_html_results(out, r, &g);
		if (is_largest_of_kind(r, w, &g))
			pw_html_details(out, r, &g);
	}
	if (pw_group_n_ran(r, w))
		pw_html_expected(out, r, w);
	pw_html_notes(out, r, w);
	fputs("</section>\n", out);
	return ret;
}

static void put_end(FILE *out, const struct pw_bench_result *r)
{
	fputs("<h2>How to repeat this</h2>\n<p>On a host like the one above, as root, with "
	      "pagewire " PW_VERSION ":</p>\n",
		out);
	put_paragraph(out, "<pre>", r->command ? r->command : "", "</pre>");
	fputs("<p>Every sample, warm-ups and void ones included, is in <code>samples.csv</code>; "
	      "<code>result.json</code> (schema <code>pagewire.bench/1</code>) has them too, with "
	      "the summaries and the machine. <code>docs/bench-method.md</code> derives the "
	      "expected copies.</p>\n</body>\n</html>\n",
		out);
}

int pw_html_page(FILE *out, const struct pw_bench_result *r, struct pw_err *err)
{
	struct pw_group w = {0, 0};
	int ret = 0;

	put_title(out, r);
	put_method(out);
	if (!r->n_rows)
		fputs("<p>No way was asked for that these wires have.</p>\n", out);
	while (ret == 0 && pw_group_next_wire(r, &w))
		ret = put_wire(out, r, &w, err);
	put_env(out, r);
	put_end(out, r);
	return ret;
}
