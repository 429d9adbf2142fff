/* SPDX-License-Identifier: BSD-3-Clause */
/* Prints the textbook's table of copies and mode switches. */
#include "bench/classic.h"

#include <math.h>
#include <string.h>

#include "bench/text.h"
#include "bench/view.h"

const struct pw_classic_textbook pw_classic_textbook[PW_CLASSIC_N] = {
	[PW_CLASSIC_READ_WRITE] = {"read + write", "4", "2", "2", 4},
	[PW_CLASSIC_MMAP_WRITE] = {"mmap + write", "3", "1", "2", 4},
	[PW_CLASSIC_SENDFILE] = {"sendfile", "3 or 2", "1 or 0", "2", 2},
	[PW_CLASSIC_BYPASS] = {"bypass", "2", "0", "2", 0},
};

#define INDENT 14 /* of what belongs to a row */

double pw_classic_switches(const struct pw_classic_row *row)
{
	return 2 * row->syscalls + 2 * row->user_faults;
}

/* Counts are whole: "2", not "2.00". */
static char *format_count(char *buf, size_t len, double v)
{
	if (v >= 0 && v < 1000 && v == floor(v))
		snprintf(buf, len, "%.0f", v);
	else
		pw_view_number(buf, len, v);
	return buf;
}

static void print_headings(FILE *out)
{
	fprintf(out, "\n%-12s  %-34s  %-18s\n", "", "copies of a byte",
		"mode switches = 2 x (calls + user faults)");
	fprintf(out, "%-12s  %-8s  %-13s  %8s   %8s  %6s  %6s  %6s  %13s\n", "way", "textbook",
		"by CPU + DMA", "CPU here", "textbook", "here", "calls", "faults",
		"in-call faults");
}

static void print_row(FILE *out, const struct pw_classic_row *row)
{
	const struct pw_classic_textbook *t = &pw_classic_textbook[row->way];
	char copies[32], switches[32], syscalls[32], user[32], kernel[32];

	fprintf(out, "%-12s  %-8s  %-6s + %-4s  %8s   %8u  %6s  %6s  %6s  %14s\n", t->label,
		t->copies, t->cpu, t->dma, pw_view_short(copies, sizeof(copies), row->copies, 2),
		t->switches, format_count(switches, sizeof(switches), pw_classic_switches(row)),
		format_count(syscalls, sizeof(syscalls), row->syscalls),
		format_count(user, sizeof(user), row->user_faults),
		format_count(kernel, sizeof(kernel), row->kernel_faults));
}

/* What was called, and why the figures differ from the textbook's. */
static void print_remarks(FILE *out, const struct pw_classic_row *row)
{
	const char *calls = row->calls ? row->calls : "";
	const char *why = row->skipped[0] ? row->skipped : row->reason;
	char text[2 * PW_ERR_MAX], first[INDENT + 1];

	snprintf(text, sizeof(text), "%.200s%s%s%s", calls, *calls && *why ? "; " : "",
		row->skipped[0] ? "skipped: " : "", why);
	if (!text[0])
		return;
	snprintf(first, sizeof(first), "%*s", INDENT, "");
	pw_view_wrap(out, first, INDENT, text);
}

/* A reason that two rows share is said once. */
static void print_unmeasured(FILE *out, const struct pw_classic_row *rows, size_t n_rows)
{
	const char *said_copies = "", *said_switches = "";
	size_t i;

	for (i = 0; i < n_rows; i++) {
		if (rows[i].skipped[0])
			continue;
		if (isnan(rows[i].copies) && rows[i].copies_why[0] &&
			strcmp(rows[i].copies_why, said_copies) != 0) {
			said_copies = rows[i].copies_why;
			pw_view_wrap(out, "copies not measured: ", 4, said_copies);
		}
		if (isnan(pw_classic_switches(&rows[i])) && rows[i].switches_why[0] &&
			strcmp(rows[i].switches_why, said_switches) != 0) {
			said_switches = rows[i].switches_why;
			pw_view_wrap(out, "switches not measured: ", 4, said_switches);
		}
	}
}

void pw_classic_print(
	FILE *out, const struct pw_classic_row *rows, size_t n_rows, const char *title)
{
	size_t i;

	pw_view_wrap(out, "", 0, title);
	print_headings(out);
	for (i = 0; i < n_rows; i++) {
		if (!rows[i].skipped[0])
			print_row(out, &rows[i]);
		else
			fprintf(out, "%s\n", pw_classic_textbook[rows[i].way].label);
		print_remarks(out, &rows[i]);
	}
	fputc('\n', out);
	print_unmeasured(out, rows, n_rows);
	pw_view_wrap(out, "", 0,
		"The textbook's copies are those of a cold file through a NIC: one DMA copy from "
		"the disk, one to the NIC. DMA copies are not measured. Here: CPU copies per "
		"payload "
		"byte on the sender's side (BPF), and crossings between user mode and the kernel; "
		"a "
		"page fault inside a call is no crossing more.");
}

static json_t *row_json(const struct pw_classic_row *row, bool *failed)
{
	const struct pw_classic_textbook *t = &pw_classic_textbook[row->way];
	json_t *o = json_object(), *book = json_object();

	pw_json_put(book, "copies", json_string(t->copies), failed);
	pw_json_put(book, "cpu_copies", json_string(t->cpu), failed);
	pw_json_put(book, "dma_copies", json_string(t->dma), failed);
	pw_json_put(book, "mode_switches", json_integer(t->switches), failed);
	pw_json_put(o, "way", json_string(t->label), failed);
	pw_json_put(o, "calls", pw_json_text(row->calls), failed);
	pw_json_put(o, "textbook", book, failed);
	pw_json_put(o, "bytes", json_integer((json_int_t)row->bytes), failed);
	pw_json_put(o, "cpu_copies_per_byte", pw_json_number(row->copies), failed);
	pw_json_put(o, "system_calls", pw_json_number(row->syscalls), failed);
	pw_json_put(o, "user_faults", pw_json_number(row->user_faults), failed);
	pw_json_put(o, "kernel_faults", pw_json_number(row->kernel_faults), failed);
	pw_json_put(o, "mode_switches", pw_json_number(pw_classic_switches(row)), failed);
	pw_json_put(o, "copies_not_measured", pw_json_reason(row->copies_why), failed);
	pw_json_put(o, "switches_not_measured", pw_json_reason(row->switches_why), failed);
	pw_json_put(o, "differs_because", pw_json_reason(row->reason), failed);
	pw_json_put(o, "skipped", pw_json_reason(row->skipped), failed);
	return o;
}

json_t *pw_classic_json(const struct pw_classic_row *rows, size_t n_rows, const char *title)
{
	json_t *doc = json_object(), *list = json_array();
	bool failed = false;
	size_t i;

	for (i = 0; i < n_rows; i++)
		failed |= json_array_append_new(list, row_json(&rows[i], &failed)) != 0;
	pw_json_put(doc, "schema", json_string("pagewire.bench-classic/1"), &failed);
	pw_json_put(doc, "version", json_string(PW_VERSION), &failed);
	pw_json_put(doc, "title", pw_json_text(title), &failed);
	pw_json_put(doc, "rows", list, &failed);
	if (!failed)
		return doc;
	json_decref(doc);
	return NULL;
}
