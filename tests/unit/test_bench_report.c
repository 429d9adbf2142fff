/* SPDX-License-Identifier: BSD-3-Clause */
/* The report of an invented result. PW_TEST_REPORT=DIR keeps it there, to be looked at. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <libxml/parser.h>

#include "base/bytes.h"
#include "bench/report.h"
#include "bench_fixture.h"

static const char *const files[] = {"report.html", "result.json", "samples.csv", "overview.svg"};

struct place {
	char dir[64];
};

static int make_place(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	if (!p)
		return -1;
	strcpy(p->dir, "/tmp/pagewire-test-XXXXXX");
	*state = p;
	return mkdtemp(p->dir) ? 0 : -1;
}

static int remove_place(void **state)
{
	struct place *p = *state;
	char path[128];
	size_t i;
	int ret;

	for (i = 0; i < PW_ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", p->dir, files[i]);
		unlink(path);
	}
	ret = rmdir(p->dir);
	free(p);
	return ret;
}

static char *slurp(const struct place *p, const char *name)
{
	char path[128], *text;
	struct stat st;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	f = fopen(path, "r");
	if (!f)
		return NULL;
	assert_int_equal(fstat(fileno(f), &st), 0);
	text = calloc(1, (size_t)st.st_size + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, (size_t)st.st_size, f), st.st_size);
	fclose(f);
	return text;
}

static bool no_gnuplot(int ret)
{
	if (ret != -ENOENT)
		return false;
	print_message("skipped: gnuplot is not installed\n");
	return true;
}

static size_t count(const char *text, const char *word)
{
	size_t n = 0;

	while ((text = strstr(text, word))) {
		n++;
		text += strlen(word);
	}
	return n;
}

static void keep_for_the_eye(const struct pw_bench_result *r)
{
	const char *dir = getenv("PW_TEST_REPORT");

	if (dir)
		assert_int_equal(pw_report_write(r, dir, NULL), 0);
}

static void a_report_has_its_figures_and_fetches_nothing(void **state)
{
	struct pw_bench_result r;
	struct pw_err err = {0};
	char *page;
	int ret;

	bench_fixture_fill(&r);
	ret = pw_report_write(&r, ((struct place *)*state)->dir, &err);
	if (no_gnuplot(ret)) {
		pw_result_finish(&r);
		skip();
	}
	if (ret)
		fail_msg("%s", err.msg);
	page = slurp(*state, "report.html");
	assert_non_null(page);
	/* two for each wire's largest file (veth: twice, by MTU), and sizes on three of them */
	assert_int_equal(count(page, "<svg"), 13);
	assert_int_equal(count(page, "</svg>"), 13);
	assert_int_equal(count(page, "<h2 id="), 4);
	assert_int_equal(count(page, "id='gpDot"), 0); /* identifiers are each figure's own */
	assert_int_equal(count(page, "id='speed27-gpDot'"), 1);
	assert_int_equal(count(page, "-gpDot'"), 13);
	assert_null(strstr(page, "<script"));
	assert_null(strstr(page, "src="));
	assert_null(strstr(page, "@import"));
	assert_int_equal(count(page, "http://www.w3.org/"), count(page, "http"
									"://"));
	assert_int_equal(count(page, "https://"), 0);
	assert_non_null(strstr(page, "veth has no zero-copy driver"));
	assert_non_null(strstr(page, r.command));
	keep_for_the_eye(&r);
	free(page);
	pw_result_finish(&r);
}

static void the_overview_is_an_image_of_its_own(void **state)
{
	struct pw_bench_result r;
	char *svg;
	xmlDocPtr doc;
	int ret;

	bench_fixture_fill(&r);
	ret = pw_report_write(&r, ((struct place *)*state)->dir, NULL);
	pw_result_finish(&r);
	if (no_gnuplot(ret))
		skip();
	assert_int_equal(ret, 0);
	svg = slurp(*state, "overview.svg");
	assert_non_null(svg);
	doc = xmlReadMemory(svg, (int)strlen(svg), NULL, NULL, XML_PARSE_NONET);
	assert_non_null(doc);
	assert_string_equal((const char *)xmlDocGetRootElement(doc)->name, "svg");
	xmlFreeDoc(doc);
	assert_non_null(strstr(svg, "vhost: 64 MiB file"));
	assert_non_null(strstr(svg, ">dpdk_vhost/hugefile<"));
	assert_non_null(strstr(svg, ">void<"));
	free(svg);
}

static void text_of_others_is_no_markup(void **state)
{
	static const char bad[] = "</td><script>alert('1')</script>&\"";
	struct pw_bench_result r;
	char *page, *svg;
	int ret;

	bench_fixture_rows(&r, 2);
	bench_fixture_samples(&r.rows[0], 2);
	r.rows[0].samples[1].v[PW_M_GOODPUT] = 1e9;
	r.rows[0].label = r.rows[0].pages = bad;
	r.rows[0].expected.reason = bad;
	r.rows[0].not_measured[PW_M_COPIES] = bad;
	snprintf(r.rows[1].skipped, PW_ERR_MAX, "%s", bad);
	r.command = r.baseline = r.profile = bad;
	r.env.n = 2;
	snprintf(r.env.items[0].key, sizeof(r.env.items[0].key), "<b>key");
	snprintf(r.env.items[0].value, sizeof(r.env.items[0].value), "%s", bad);
	snprintf(r.env.items[1].key, sizeof(r.env.items[1].key), "kernel");
	snprintf(r.env.items[1].value, sizeof(r.env.items[1].value), "%s", bad);
	pw_result_summarize(&r);
	ret = pw_report_write(&r, ((struct place *)*state)->dir, NULL);
	pw_result_finish(&r);
	if (no_gnuplot(ret))
		skip();
	assert_int_equal(ret, 0);
	page = slurp(*state, "report.html");
	svg = slurp(*state, "overview.svg");
	assert_null(strstr(page, "<script"));
	assert_null(strstr(page, "<b>key"));
	assert_non_null(strstr(page, "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;"));
	assert_null(strstr(svg, "<script"));
	free(page);
	free(svg);
}

static void results_of_nothing_make_a_page(void **state)
{
	struct pw_bench_result r;
	size_t kind;
	char *page;
	int ret = 0;

	for (kind = 0; kind < 4; kind++) {
		/* no rows, rows that never ran, rows of NaN, skipped rows */
		bench_fixture_rows(&r, kind ? 3 : 0);
		if (kind == 2)
			bench_fixture_samples(&r.rows[1], 3);
		if (kind == 3)
			for (size_t i = 0; i < 3; i++)
				snprintf(r.rows[i].skipped, PW_ERR_MAX, "no privilege; use root");
		pw_result_summarize(&r);
		ret = pw_report_write(&r, ((struct place *)*state)->dir, NULL);
		pw_result_finish(&r);
		if (no_gnuplot(ret))
			skip();
		assert_int_equal(ret, 0);
		page = slurp(*state, "report.html");
		assert_non_null(strstr(page, "</html>"));
		if (kind == 3)
			assert_non_null(strstr(page, "<b>udp_gso</b>: no privilege; use root"));
		free(page);
	}
}

static void without_gnuplot_the_data_is_there_and_the_error_says_what_to_install(void **state)
{
	char *path = strdup(getenv("PATH")), *json, *page;
	struct pw_bench_result r;
	struct pw_err err = {0};
	int ret;

	assert_non_null(path);
	bench_fixture_fill(&r);
	setenv("PATH", "/nonexistent", 1);
	ret = pw_report_write(&r, ((struct place *)*state)->dir, &err);
	setenv("PATH", path, 1);
	free(path);
	pw_result_finish(&r);
	assert_int_equal(ret, -ENOENT);
	assert_int_equal(err.code, ENOENT);
	assert_non_null(strstr(err.msg, "gnuplot is not installed; apt-get install gnuplot-nox"));
	json = slurp(*state, "result.json");
	page = slurp(*state, "report.html");
	assert_non_null(json);
	assert_null(page); /* no half of a report */
	free(json);
}

static void a_directory_that_cannot_be_made_is_named(void **state)
{
	struct pw_bench_result r;
	struct pw_err err = {0};

	(void)state;
	bench_fixture_rows(&r, 0);
	assert_int_equal(pw_report_write(&r, "/proc/none/report", &err), -ENOENT);
	assert_non_null(strstr(err.msg, "/proc/none/report"));
	pw_result_finish(&r);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_PLACE(a_report_has_its_figures_and_fetches_nothing),
		IN_PLACE(the_overview_is_an_image_of_its_own),
		IN_PLACE(text_of_others_is_no_markup),
		IN_PLACE(results_of_nothing_make_a_page),
		IN_PLACE(without_gnuplot_the_data_is_there_and_the_error_says_what_to_install),
		cmocka_unit_test(a_directory_that_cannot_be_made_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
