/* SPDX-License-Identifier: BSD-3-Clause */
/* JSON against docs/bench.schema.json, CSV read back: by other programs than ours. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/report.h"
#include "bench_fixture.h"

static const char validator[] =
	"import json, os, sys\n"
	"try:\n"
	"    import jsonschema\n"
	"except ImportError:\n"
	"    sys.exit(77)\n"
	"schema = json.load(open(os.environ['PW_SOURCE_ROOT'] + '/docs/bench.schema.json'))\n"
	"check = jsonschema.Draft202012Validator\n"
	"check.check_schema(schema)\n"
	"errors = list(check(schema).iter_errors(json.load(sys.stdin)))\n"
	"for e in errors[:5]:\n"
	"    print(e.json_path, e.message[:200], file=sys.stderr)\n"
	"sys.exit(3 if errors else 0)\n";

/* Exit code of a Python program that reads text. */
static int python(const char *program, const char *text)
{
	char path[] = "/tmp/pagewire-test-XXXXXX";
	char command[128];
	int fd = mkstemp(path), status;
	FILE *f;

	assert_true(fd >= 0);
	close(fd);
	snprintf(command, sizeof(command), "exec python3 %s", path);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(program, f);
	fclose(f);
	f = popen(command, "w");
	assert_non_null(f);
	fputs(text, f);
	status = pclose(f);
	unlink(path);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int validate(json_t *doc)
{
	char *text = json_dumps(doc, JSON_INDENT(1));
	int code;

	assert_non_null(text);
	code = python(validator, text);
	free(text);
	return code;
}

static bool lacks(int code, const char *what)
{
	if (code != 77 && code != 127)
		return false;
	print_message("skipped: %s\n", what);
	return true;
}

#define NO_VALIDATOR "python3-jsonschema is not installed"

static void a_result_is_valid_by_its_schema(void **state)
{
	struct pw_bench_result r;
	json_t *doc;
	int code;

	(void)state;
	bench_fixture_fill(&r);
	doc = pw_result_json(&r);
	assert_non_null(doc);
	code = validate(doc);
	json_decref(doc);
	pw_result_finish(&r);
	if (lacks(code, NO_VALIDATOR))
		skip();
	assert_int_equal(code, 0);
}

static void a_result_of_nothing_is_valid_too(void **state)
{
	struct pw_bench_result r;
	json_t *doc;
	int code;

	(void)state;
	bench_fixture_rows(&r, 0);
	r.baseline = r.command = r.profile = NULL;
	r.seconds = NAN;
	r.seed = UINT64_MAX;
	doc = pw_result_json(&r);
	assert_non_null(doc);
	assert_string_equal(
		json_string_value(json_object_get(doc, "seed")), "18446744073709551615");
	json_object_set_new(doc, "exit_code", json_integer(77)); /* as the command adds it */
	code = validate(doc);
	json_decref(doc);
	pw_result_finish(&r);
	if (lacks(code, NO_VALIDATOR))
		skip();
	assert_int_equal(code, 0);
}

static void the_schema_refuses_what_is_wrong(void **state)
{
	static const char *const keys[] = {"summary", "samples", "skipped", "wire"};
	struct pw_bench_result r;
	json_t *doc, *row;
	int code[5];
	size_t i;

	(void)state;
	for (i = 0; i < 5; i++) {
		bench_fixture_rows(&r, 1);
		bench_fixture_samples(&r.rows[0], 2);
		pw_result_summarize(&r);
		doc = pw_result_json(&r);
		row = json_array_get(json_object_get(doc, "rows"), 0);
		if (i < 4)
			json_object_del(row, keys[i]);
		else
			json_object_set_new(doc, "schema", json_string("pagewire.bench/2"));
		code[i] = validate(doc);
		json_decref(doc);
		pw_result_finish(&r);
	}
	if (lacks(code[0], NO_VALIDATOR))
		skip();
	for (i = 0; i < 5; i++)
		assert_int_equal(code[i], 3);
}

static void numbers_and_reasons_are_where_they_belong(void **state)
{
	struct pw_bench_result r;
	json_t *doc, *row, *sample;
	const char *label;
	double cycles, copies, median;
	bool null_loss;

	(void)state;
	bench_fixture_fill(&r);
	snprintf(r.env.items[0].value, sizeof(r.env.items[0].value), "caf\xe9");
	doc = pw_result_json(&r);
	row = json_array_get(json_object_get(doc, "rows"), 0);
	assert_int_equal(json_unpack(row, "{s:s, s:{s:{s:F}}, s:{s:F}}", "label", &label, "summary",
				 "goodput_bps", "median", &median, "expected",
				 "cpu_copies_per_byte", &copies),
		0);
	assert_string_equal(label, r.rows[0].label);
	assert_true(median == r.rows[0].sum[PW_M_GOODPUT].median);
	assert_true(copies == 2);
	assert_int_equal(json_array_size(json_object_get(row, "samples")), r.rows[0].n_samples);
	sample = json_array_get(json_object_get(row, "samples"), 0);
	sample = json_object_get(sample, "values");
	null_loss = json_is_null(json_object_get(sample, "loss"));
	cycles = json_number_value(json_object_get(sample, "goodput_bps"));
	assert_true(null_loss); /* a stream loses no packets: NaN */
	assert_true(cycles == r.rows[0].samples[0].v[PW_M_GOODPUT]);
	assert_string_equal(json_string_value(json_object_get(
				    json_object_get(row, "not_measured"), "cycles_per_mb")),
		r.rows[0].not_measured[PW_M_HW_CYCLES]);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(doc, "env"), "date")), "caf?");
	assert_true(json_is_null(json_object_get(json_object_get(doc, "env"), "governor")));
	json_decref(doc);
	pw_result_finish(&r);
}

static const char csv_reader[] =
	"import csv, io, sys\n"
	"raw = sys.stdin.buffer.read()\n"
	"rows = list(csv.DictReader(io.StringIO(raw.decode(), newline=''), strict=True))\n"
	"assert raw.count(b'\\r\\n') == len(rows) + 1, 'lines'\n"
	"assert all(None not in r and None not in r.values() for r in rows), 'columns'\n"
	"assert len(rows) == 3, len(rows)\n"
	"a, b, c = rows\n"
	"assert a['round'] == '0' and b['round'] == '1'\n"
	"assert b['label'] == 'odd, \"quoted\"\\nname', repr(b['label'])\n"
	"assert b['void'] == 'wrong, \"very\"', b['void']\n"
	"assert float(c['goodput_bps']) == 38e9 and c['loss'] == '', c\n"
	"assert c['wire'] == 'veth' and c['file_bytes'] == str(64 << 20) and c['cold'] == '1'\n"
	"assert c['evidence'] == '1' and c['proof'] == 'digest'\n";

static void csv_reads_back_as_it_was(void **state)
{
	struct pw_bench_result r;
	char *text;
	int code;

	(void)state;
	bench_fixture_rows(&r, 2); /* the second has no samples: no lines */
	bench_fixture_samples(&r.rows[0], 3);
	r.rows[0].label = "odd, \"quoted\"\nname";
	r.rows[0].cold = true;
	snprintf(r.rows[0].samples[1].void_why, PW_ERR_MAX, "wrong, \"very\"");
	r.rows[0].samples[2].v[PW_M_GOODPUT] = 38e9;
	r.rows[0].samples[2].evidence = true;
	BENCH_CAPTURE(text, pw_csv_print(out, &r));
	code = python(csv_reader, text);
	free(text);
	pw_result_finish(&r);
	if (lacks(code, "python3 is not installed"))
		skip();
	assert_int_equal(code, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_result_is_valid_by_its_schema),
		cmocka_unit_test(a_result_of_nothing_is_valid_too),
		cmocka_unit_test(the_schema_refuses_what_is_wrong),
		cmocka_unit_test(numbers_and_reasons_are_where_they_belong),
		cmocka_unit_test(csv_reads_back_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
