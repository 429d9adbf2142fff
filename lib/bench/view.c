/* SPDX-License-Identifier: BSD-3-Clause */
/* Formats rows, groups and numbers of a result for all outputs. */
#include "bench/view.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/units.h"

const char *pw_view_env(const struct pw_bench_result *r, const char *key)
{
	size_t i;

	for (i = 0; i < r->env.n; i++)
		if (strcmp(r->env.items[i].key, key) == 0)
			return r->env.items[i].value;
	return "";
}

bool pw_row_has_void(const struct pw_row *row)
{
	size_t i;

	for (i = 0; i < row->n_samples; i++)
		if (row->samples[i].void_why[0])
			return true;
	return false;
}

bool pw_group_next_wire(const struct pw_bench_result *r, struct pw_group *g)
{
	g->first = g->end;
	while (g->end < r->n_rows && r->rows[g->end].wire == r->rows[g->first].wire)
		g->end++;
	return g->end > g->first;
}

static bool same_table(const struct pw_row *a, const struct pw_row *b)
{
	return a->file_bytes == b->file_bytes && a->mtu == b->mtu && a->cold == b->cold;
}

bool pw_group_next_table(
	const struct pw_bench_result *r, const struct pw_group *w, struct pw_group *g)
{
	g->first = g->end = g->end > w->first ? g->end : w->first;
	while (g->end < w->end && same_table(&r->rows[g->first], &r->rows[g->end]))
		g->end++;
	return g->end > g->first;
}

size_t pw_group_n_ran(const struct pw_bench_result *r, const struct pw_group *g)
{
	size_t i, n = 0;

	for (i = g->first; i < g->end; i++)
		n += !r->rows[i].skipped[0];
	return n;
}

bool pw_group_is_best(const struct pw_bench_result *r, const struct pw_group *g,
	const struct pw_row *row, enum pw_metric m)
{
	bool high = pw_metrics[m].better == PW_BETTER_HIGH, differ = false;
	char own[32], best_text[32], text[32];
	const struct pw_row *best = NULL, *o;
	size_t i;

	if (!row->sum[m].n || pw_metrics[m].better == PW_BETTER_NONE)
		return false;
	for (i = g->first; i < g->end; i++) {
		o = &r->rows[i];
		if (!o->sum[m].n)
			continue;
		if (!best || (high ? o->sum[m].median > best->sum[m].median
				   : o->sum[m].median < best->sum[m].median))
			best = o;
	}
	pw_view_metric(own, sizeof(own), m, row->sum[m].median);
	pw_view_metric(best_text, sizeof(best_text), m, best->sum[m].median);
	for (i = g->first; i < g->end; i++) {
		o = &r->rows[i];
		pw_view_metric(text, sizeof(text), m, o->sum[m].median);
		differ |= o->sum[m].n && strcmp(text, best_text) != 0;
	}
	return differ && strcmp(own, best_text) == 0;
}

const char *pw_group_goodput_unit(
	const struct pw_bench_result *r, const struct pw_group *g, double *scale)
{
	static const struct {
		double scale;
		const char *name;
	} units[] = {{1e-9, "Gb/s"}, {1e-6, "Mb/s"}, {1e-3, "kb/s"}, {1, "bit/s"}};
	double most = 0;
	size_t i;

	for (i = g->first; i < g->end; i++)
		if (r->rows[i].sum[PW_M_GOODPUT].n)
			most = fmax(most, r->rows[i].sum[PW_M_GOODPUT].median);
	for (i = 0; i + 1 < PW_ARRAY_LEN(units) && most > 0 && most * units[i].scale < 1; i++)
		;
	*scale = units[i].scale;
	return units[i].name;
}

/* v rounded to three significant digits; *decimals: how many of them stand behind the point. */
static double round_to_three(double v, int *decimals)
{
	int magnitude = v == 0 ? 0 : (int)floor(log10(fabs(v)));
	double step = pow(10, magnitude - 2);

	v = round(v / step) * step;
	if (v != 0)
		magnitude = (int)floor(log10(fabs(v)) + 1e-9); /* 9.995 has become 10.0 */
	*decimals = magnitude >= 2 ? 0 : 2 - magnitude;
	return v;
}

char *pw_view_number(char *buf, size_t len, double v)
{
	static const struct {
		double from, unit;
		const char *name;
	} big[] = {{1e15, 1, ""}, {1e12, 1e12, "T"}, {1e9, 1e9, "G"}, {1e6, 1e6, "M"},
		{1e5, 1e3, "k"}};
	double size;
	int decimals;
	size_t i;

	if (!isfinite(v)) {
		snprintf(buf, len, "-");
		return buf;
	}
	v = round_to_three(v, &decimals);
	size = fabs(v);
	for (i = 0; i < PW_ARRAY_LEN(big) && size < big[i].from; i++)
		;
	if (size == 0)
		snprintf(buf, len, "0");
	else if (i == 0 || size < 1e-3)
		snprintf(buf, len, "%.0e", v);
	else if (i < PW_ARRAY_LEN(big)) {
		v = round_to_three(v / big[i].unit, &decimals);
		snprintf(buf, len, "%.*f%s", decimals, v, big[i].name);
	} else if (size >= 1000)
		snprintf(buf, len, "%d,%03d", (int)v / 1000, (int)size % 1000);
	else
		snprintf(buf, len, "%.*f", decimals, v);
	return buf;
}

char *pw_view_metric(char *buf, size_t len, enum pw_metric m, double value)
{
	return pw_view_number(buf, len, value * pw_metrics[m].scale);
}

char *pw_view_short(char *buf, size_t len, double v, int max_decimals)
{
	double least = pow(10, -max_decimals);
	int decimals;

	if (v > 0 && v < least / 2)
		snprintf(buf, len, "<.%0*d", max_decimals, 1);
	else if (isfinite(v) && (round_to_three(v, &decimals), decimals > max_decimals) && v != 0)
		snprintf(buf, len, "%.*f", max_decimals, v);
	else
		pw_view_number(buf, len, v);
	return buf;
}

char *pw_view_size(char *buf, size_t len, uint64_t bytes)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	uint64_t whole = bytes;
	size_t i = 0;

	while (i + 1 < PW_ARRAY_LEN(names) && whole >= 1024 && whole % 1024 == 0) {
		whole /= 1024;
		i++;
	}
	if (whole < 10000)
		snprintf(buf, len, "%" PRIu64 " %s", whole, names[i]);
	else
		pw_units_size(buf, len, bytes);
	return buf;
}

char *pw_view_group(char *buf, size_t len, const struct pw_row *row)
{
	char size[32];

	snprintf(buf, len, "%s file, MTU %" PRIu32 ", page cache %s",
		pw_view_size(size, sizeof(size), row->file_bytes), row->mtu,
		row->cold ? "cold" : "warm");
	return buf;
}

/* The bypass says in its label where its pages come from: "dpdk_vhost/hugefile". */
static const char *provider(const struct pw_row *row)
{
	size_t n = strlen(row->way);

	return row->bypass && strncmp(row->label, row->way, n) == 0 && row->label[n] == '/'
		       ? row->label + n + 1
		       : NULL;
}

const char *pw_view_way(const struct pw_row *row)
{
	return provider(row) ? row->way : row->label;
}

const char *pw_view_pages(const struct pw_row *row)
{
	static const char *const shorter[][2] = {
		{"hugetlbfs", "huge"}, {"hugefile", "huge"}, {"pagecache", "cache"}};
	const char *pages = provider(row) ? provider(row) : row->pages;
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(shorter); i++)
		if (strcmp(pages, shorter[i][0]) == 0)
			return shorter[i][1];
	return pages;
}

const char *pw_view_proof(const struct pw_row *row)
{
	static const struct {
		enum pw_proof proof;
		const char *name;
	} weakest_first[] = {{PW_PROOF_NONE, "none"}, {PW_PROOF_COUNTED, "count"},
		{PW_PROOF_COMPARED, "part"}, {PW_PROOF_DIGEST, "full"}};
	size_t i, k;

	for (k = 0; k < PW_ARRAY_LEN(weakest_first); k++)
		for (i = 0; i < row->n_samples; i++)
			if (row->samples[i].proof == weakest_first[k].proof &&
				!row->samples[i].void_why[0] && row->samples[i].round > 0)
				return weakest_first[k].name;
	return "-";
}

enum pw_family pw_view_family(const struct pw_row *row)
{
	return row->bypass ? PW_FAMILY_BYPASS : row->stream ? PW_FAMILY_STREAM : PW_FAMILY_PACKETS;
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80; /* of a UTF-8 sequence: takes no column */
}

static void put_plain(FILE *out, char c)
{
	fputc((unsigned char)c < ' ' || c == 0x7f ? '?' : c, out);
}

/* Bytes of the next word, at most max columns; *columns: how many it takes. */
static size_t next_word(const char *s, unsigned int max, unsigned int *columns)
{
	size_t n = 0;

	*columns = 0;
	while (s[n] && s[n] != ' ' && (*columns < max || is_continuation(s[n])))
		*columns += !is_continuation(s[n++]);
	return n;
}

void pw_view_wrap(FILE *out, const char *first, unsigned int indent, const char *text)
{
	const char *line = strrchr(first, '\n') ? strrchr(first, '\n') + 1 : first;
	unsigned int at = (unsigned int)strlen(line), width;
	bool fresh = true; /* nothing of the text on this line yet */
	size_t i, n;

	fputs(first, out);
	for (;;) {
		while (*text == ' ')
			text++;
		if (!*text)
			break;
		n = next_word(text, PW_VIEW_COLUMNS - indent, &width);
		if (at > indent && at + !fresh + width > PW_VIEW_COLUMNS) {
			fprintf(out, "\n%*s", (int)indent, "");
			at = indent;
			fresh = true;
		}
		if (!fresh)
			fputc(' ', out);
		at += width + !fresh;
		for (i = 0; i < n; i++)
			put_plain(out, text[i]);
		text += n;
		fresh = false;
	}
	fputc('\n', out);
}
