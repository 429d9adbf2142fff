/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "bench/classic.h"
#include "bench/report.h"
#include "bench/view.h"
#include "bench_fixture.h"

static char *print(const struct pw_bench_result *r, bool setup)
{
	char *text;

	BENCH_CAPTURE(text, pw_table_print(out, r, setup));
	return text;
}

static void fits(const char *text)
{
	const char *line = text, *end;

	for (; *line; line = *end ? end + 1 : end) {
		end = line + strcspn(line, "\n");
		if (end - line > 100)
			fail_msg("%d columns: %.*s", (int)(end - line), (int)(end - line), line);
		if (end > line && end[-1] == ' ')
			fail_msg("trailing blank: %.*s|", (int)(end - line), line);
	}
}

/* The line of text that begins with prefix. */
static void has_line(const char *text, const char *prefix, const char *part)
{
	const char *at = text;
	char line[128];

	while (at && strncmp(at, prefix, strlen(prefix)) != 0)
		at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL;
	if (!at)
		fail_msg("no line begins with '%s' in\n%s", prefix, text);
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
	if (!strstr(line, part))
		fail_msg("no '%s' in: %s", part, line);
}

static void numbers_have_three_digits_in_six_columns(void **state)
{
	static const struct {
		enum pw_metric m;
		double v;
		const char *text;
	} cases[] = {
		{PW_M_GOODPUT, 38e9, "38.0"},
		{PW_M_GOODPUT, 9.996e9, "10.0"},
		{PW_M_GOODPUT, 99.96e9, "100"},
		{PW_M_GOODPUT, 3.714e9, "3.71"},
		{PW_M_GOODPUT, 0, "0"},
		{PW_M_GOODPUT, NAN, "-"},
		{PW_M_GOODPUT, INFINITY, "-"},
		{PW_M_GOODPUT, 37.14e6, "0.0371"},
		{PW_M_CPU, 2160.4e3, "2,160"},
		{PW_M_CPU, 12345e3, "12,300"},
		{PW_M_CPU, 999.6e3, "1,000"},
		{PW_M_CPU, 123456e3, "123k"},
		{PW_M_CPU, 4100000e3, "4.10M"},
		{PW_M_CPU, 7.2e12 * 1e3, "7.20T"},
		{PW_M_LOSS, 0.0041, "0.410"},
		{PW_M_LOSS, 1e-8, "1e-06"},
		{PW_M_SWITCHES, 1005, "1,010"},
		{PW_M_SWITCHES, 1.0, "1.00"},
	};
	char text[32];
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(cases); i++)
		assert_string_equal(
			pw_view_metric(text, sizeof(text), cases[i].m, cases[i].v), cases[i].text);
}

static void every_metric_is_described(void **state)
{
	size_t m, k;

	(void)state;
	for (m = 0; m < PW_N_METRICS; m++) {
		assert_non_null(pw_metrics[m].key);
		assert_true(pw_metrics[m].scale > 0);
		assert_non_null(pw_metrics[m].title);
		assert_non_null(pw_metrics[m].unit);
		assert_non_null(pw_metrics[m].what);
		for (k = 0; k < m; k++)
			assert_string_not_equal(pw_metrics[k].key, pw_metrics[m].key);
	}
}

static void a_whole_result_fits_the_terminal(void **state)
{
	struct pw_bench_result r;
	char *text;

	(void)state;
	bench_fixture_fill(&r);
	text = print(&r, true);
	fits(text);
	assert_non_null(strstr(text, "== veth == "));
	assert_non_null(strstr(text, pw_wire_caveat(PW_WIRE_VHOST)));
	assert_null(strchr(text, '~')); /* no name of ours is cut */
	assert_non_null(strstr(text, "skipped  xdp_zerocopy: open AF_XDP socket on pwa"));
	assert_non_null(strstr(text, "packet_send, 64 MiB file, MTU 1500, page cache warm, "
				     "9 of 9 runs: no packet came"));
	assert_non_null(strstr(text, "100 % of the zero-copy completions said COPIED"));
	assert_non_null(strstr(text, "cycles/packet busy"));
	assert_non_null(strstr(text, "not measured: cycles, instructions, LLC misses: perf"));
	assert_non_null(strstr(text, "not measured: CPU copies (dpdk_af_packet/hugefile, "));
	free(text);
	pw_result_finish(&r);
}

static void setup_is_told_when_asked_for(void **state)
{
	struct pw_bench_result r;
	char *text;

	(void)state;
	bench_fixture_fill(&r);
	text = print(&r, false);
	assert_null(strstr(text, "set-up,"));
	free(text);
	text = print(&r, true);
	assert_non_null(strstr(text, " ms set-up,"));
	free(text);
	pw_result_finish(&r);
}

/* Two rounds of the same numbers. */
static void give(struct pw_row *row, const char *label, double goodput, double cpu)
{
	size_t i;

	row->label = row->way = label;
	bench_fixture_samples(row, 3);
	for (i = 1; i < 3; i++) {
		row->samples[i].v[PW_M_GOODPUT] = goodput;
		row->samples[i].v[PW_M_CPU] = cpu;
	}
}

static void the_best_of_each_column_is_marked(void **state)
{
	struct pw_bench_result r;
	char *text;

	(void)state;
	bench_fixture_rows(&r, 3);
	give(&r.rows[0], "slow", 1e9, 50e3);
	give(&r.rows[1], "fast", 38e9, 90e3);
	give(&r.rows[2], "frugal", 2e9, 40e3);
	r.rows[1].expected.cpu_copies = 1;
	pw_result_summarize(&r);
	text = print(&r, false);
	has_line(text, "fast", "38.0 [38.0, 38.0]*");
	has_line(text, "fast", " 90.0 ");
	has_line(text, "fast", "- (1)");
	has_line(text, "slow", "- (?)");
	has_line(text, "slow", "1.00 [1.00, 1.00] ");
	has_line(text, "frugal", " 40.0*");
	free(text);
	pw_result_finish(&r);
}

static void nothing_is_best_where_all_are_alike(void **state)
{
	struct pw_bench_result r;
	char *text;

	(void)state;
	bench_fixture_rows(&r, 2);
	give(&r.rows[0], "one", 1e9, 50e3);
	give(&r.rows[1], "other", 1.001e9, 50e3); /* prints the same */
	pw_result_summarize(&r);
	text = print(&r, false);
	has_line(text, "one", "1.00 [");
	/* the legend explains the mark */
	assert_ptr_equal(strchr(text, '*'), strstr(text, "* best of"));
	free(text);
	pw_result_finish(&r);
}

static void wires_are_not_ranked_against_each_other(void **state)
{
	struct pw_bench_result r;
	char *text;

	(void)state;
	bench_fixture_rows(&r, 4);
	give(&r.rows[0], "a", 1e9, 5e3);
	give(&r.rows[1], "b", 2e9, 6e3);
	give(&r.rows[2], "c", 100e9, 1e3);
	give(&r.rows[3], "d", 200e9, 2e3);
	r.rows[2].wire = r.rows[3].wire = PW_WIRE_NULL;
	pw_result_summarize(&r);
	text = print(&r, false);
	has_line(text, "a", " 5.00*");
	has_line(text, "b", "[2.00, 2.00]*");
	has_line(text, "d", "[200, 200]*");
	free(text);
	pw_result_finish(&r);
}

static void long_names_and_large_numbers_fit(void **state)
{
	static const char name[] =
		"a_way_whose_name_is_longer_than_any_table_has_room_for_of_course";
	static const double values[] = {
		NAN, 0, 1e-9, 0.99949, 999.5, 99999, 123456, 9.99e14, 1e300};
	struct pw_bench_result r;
	struct pw_row *row;
	size_t i, k, m;
	char *text;

	(void)state;
	bench_fixture_rows(&r, PW_ARRAY_LEN(values));
	for (i = 0; i < r.n_rows; i++) {
		row = &r.rows[i];
		row->way = row->label = row->pages = name;
		row->bypass = true;
		bench_fixture_samples(row, 4);
		for (k = 1; k < 4; k++)
			for (m = 0; m < PW_N_METRICS; m++)
				row->samples[k].v[m] = values[i] / pw_metrics[m].scale;
		memset(row->samples[2].void_why, 'x', PW_ERR_MAX - 1);
	}
	memset(r.rows[0].skipped, 'y', PW_ERR_MAX - 1);
	pw_result_summarize(&r);
	text = print(&r, true);
	fits(text);
	free(text);
	pw_result_finish(&r);
}

static void a_result_of_nothing_prints(void **state)
{
	struct pw_bench_result r;
	char *text;
	size_t i;

	(void)state;
	bench_fixture_rows(&r, 0);
	text = print(&r, true);
	assert_non_null(strstr(text, "no way was asked for"));
	free(text);
	pw_result_finish(&r);

	bench_fixture_rows(&r, 2); /* rows that were never run: interrupted */
	pw_result_summarize(&r);
	text = print(&r, true);
	fits(text);
	has_line(text, "udp_gso", "- (?)");
	free(text);

	for (i = 0; i < 2; i++)
		snprintf(r.rows[i].skipped, PW_ERR_MAX, "make namespaces: no privilege; use root");
	text = print(&r, true);
	fits(text);
	assert_non_null(
		strstr(text, "skipped  udp_gso: make namespaces: no privilege; use root\n"));
	assert_null(strstr(text, "goodput ["));
	free(text);
	pw_result_finish(&r);
}

static void a_terminal_does_not_obey_a_reason(void **state)
{
	struct pw_bench_result r;
	char *text;

	(void)state;
	bench_fixture_rows(&r, 1);
	snprintf(r.rows[0].skipped, PW_ERR_MAX, "open \033[31mx\nroot: done");
	pw_result_summarize(&r);
	text = print(&r, false);
	assert_null(strchr(text, '\033'));
	assert_non_null(strstr(text, "open ?[31mx?root: done"));
	free(text);
	pw_result_finish(&r);
}

static void the_textbook_stands_beside_what_was_counted(void **state)
{
	struct pw_classic_row rows[] = {
		{.way = PW_CLASSIC_READ_WRITE,
			.calls = "read, write",
			.bytes = 65536,
			.syscalls = 2,
			.user_faults = 0,
			.kernel_faults = 0,
			.copies = 2.0},
		{.way = PW_CLASSIC_MMAP_WRITE,
			.calls = "mmap, write",
			.bytes = 65536,
			.syscalls = 2,
			.user_faults = 0,
			.kernel_faults = 1,
			.copies = NAN,
			.copies_why = "lockdown refuses BPF",
			.reason = "the kernel faults the mapping in itself, a block of pages a "
				  "fault"},
		{.way = PW_CLASSIC_SENDFILE,
			.calls = "sendfile",
			.bytes = 65536,
			.syscalls = NAN,
			.user_faults = NAN,
			.kernel_faults = NAN,
			.copies = 0,
			.switches_why = "perf_event_paranoid is 4"},
		{.way = PW_CLASSIC_BYPASS, .calls = "", .skipped = "no DPDK in this build"},
	};
	bool failed = false;
	json_t *doc, *row;
	char *text;

	(void)state;
	BENCH_CAPTURE(text, pw_classic_print(out, rows, 4, "64 KiB, page cache warm"));
	fits(text);
	has_line(text, "read + write", " 4 ");
	has_line(text, "read + write", "4       2       0               0");
	has_line(text, "read + write", " 2.00  ");
	has_line(text, "              mmap, write; the kernel faults", "a block of pages");
	has_line(text, "sendfile", "3 or 2");
	has_line(text, "              skipped: no DPDK", "in this build");
	has_line(text, "copies not measured: ", "lockdown refuses BPF");
	has_line(text, "switches not measured: ", "perf_event_paranoid is 4");
	free(text);
	doc = pw_classic_json(rows, 4, "64 KiB");
	assert_non_null(doc);
	row = json_array_get(json_object_get(doc, "rows"), 0);
	failed |= json_number_value(json_object_get(row, "mode_switches")) != 4;
	row = json_array_get(json_object_get(doc, "rows"), 2);
	failed |= !json_is_null(json_object_get(row, "mode_switches"));
	json_decref(doc);
	assert_false(failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_have_three_digits_in_six_columns),
		cmocka_unit_test(every_metric_is_described),
		cmocka_unit_test(a_whole_result_fits_the_terminal),
		cmocka_unit_test(setup_is_told_when_asked_for),
		cmocka_unit_test(the_best_of_each_column_is_marked),
		cmocka_unit_test(nothing_is_best_where_all_are_alike),
		cmocka_unit_test(wires_are_not_ranked_against_each_other),
		cmocka_unit_test(long_names_and_large_numbers_fit),
		cmocka_unit_test(a_result_of_nothing_prints),
		cmocka_unit_test(a_terminal_does_not_obey_a_reason),
		cmocka_unit_test(the_textbook_stands_beside_what_was_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
