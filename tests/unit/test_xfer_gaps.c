/* SPDX-License-Identifier: BSD-3-Clause */
#include "xfer_util.h"

#define HEAD "{\"schema\": \"pagewire.gaps/1\", \"tsi\": 7, \"files\": ["

static char dir[64];

static int parse(const char *text, struct pw_gaps *g)
{
	struct pw_err err = {0};
	int ret = pw_gaps_parse(text, strlen(text), g, &err);

	if (ret < 0) {
		assert_int_equal(err.code, -ret);
		assert_true(strlen(err.msg) > 20);
	}
	return ret;
}

static void assert_bad(const char *text)
{
	struct pw_gaps g;

	if (parse(text, &g) != -EBADMSG)
		fail_msg("taken: %s", text);
	assert_null(g.files);
}

static void a_manifest_survives_writing_and_reading(void **state)
{
	struct pw_range ranges[] = {{0, 1440}, {2880, 5760}, {5760, 3000001}};
	struct pw_gap_file files[] = {
		{.name = (char *)"z \"quoted\" \\ back\tslash \xc3\xa9",
			.len_bytes = 3000001,
			.missing = ranges,
			.n_missing = 3},
		{.name = (char *)"a/b.img", .len_bytes = 10, .missing = ranges, .n_missing = 0},
	};
	struct pw_gaps g = {.tsi = 99, .files = files, .n_files = 2}, back;
	const struct pw_gap_file *f;
	const char *path = in_dir(dir, "g.json");

	(void)state;
	files[1].digest.kind = PW_DIGEST_SHA256;
	files[1].digest.bytes[31] = 0xfe;
	assert_int_equal(pw_gaps_save(path, &g, NULL), 0);
	assert_false(is_there(in_dir(dir, "g.json.part")));
	assert_int_equal(pw_gaps_load(path, &back, NULL), 0);
	assert_int_equal(back.tsi, 99);
	assert_int_equal(back.n_files, 2);
	f = pw_gaps_find(&back, files[0].name);
	assert_non_null(f);
	assert_int_equal(f->len_bytes, 3000001);
	assert_int_equal(f->n_missing, 3);
	assert_memory_equal(f->missing, ranges, sizeof(ranges));
	assert_int_equal(f->digest.kind, PW_DIGEST_NONE);
	f = pw_gaps_find(&back, "a/b.img");
	assert_non_null(f);
	assert_int_equal(f->n_missing, 0);
	assert_memory_equal(&f->digest, &files[1].digest, sizeof(f->digest));
	assert_null(pw_gaps_find(&back, "a/b"));
	assert_ptr_equal(pw_gaps_find(&g, "a/b.img"), &files[1]);
	pw_gaps_finish(&back);
}

static void a_name_is_found_among_many(void **state)
{
	char *text = NULL, name[32];
	struct pw_gaps g;
	size_t len, i;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	fputs(HEAD, f);
	for (i = 0; i < 1000; i++)
		fprintf(f, "%s{\"name\": \"%zu\", \"bytes\": %zu, \"missing\": []}", i ? "," : "",
			i * 7919 % 1000, i * 7919 % 1000);
	fputs("]}", f);
	fclose(f);
	assert_int_equal(pw_gaps_parse(text, len, &g, NULL), 0);
	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "%zu", i);
		assert_int_equal(pw_gaps_find(&g, name)->len_bytes, i);
	}
	assert_null(pw_gaps_find(&g, "1000"));
	pw_gaps_finish(&g);
	pw_gaps_finish(&g);
	free(text);
}

static void what_is_no_manifest_is_refused(void **state)
{
	(void)state;
	assert_bad("");
	assert_bad("[]");
	assert_bad("{");
	assert_bad("{\"schema\": \"pagewire.gaps/2\", \"tsi\": 7, \"files\": []}");
	assert_bad("{\"tsi\": 7, \"files\": []}");
	assert_bad("{\"schema\": \"pagewire.gaps/1\", \"files\": []}");
	assert_bad("{\"schema\": \"pagewire.gaps/1\", \"tsi\": -1, \"files\": []}");
	assert_bad("{\"schema\": \"pagewire.gaps/1\", \"tsi\": 1.5, \"files\": []}");
	assert_bad("{\"schema\": \"pagewire.gaps/1\", \"tsi\": 7}");
	assert_bad("{\"schema\": \"pagewire.gaps/1\", \"tsi\": 7, \"files\": {}}");
	assert_bad(HEAD "3]}");
	assert_bad(HEAD "{\"name\": \"\", \"bytes\": 1, \"missing\": []}]}");
	assert_bad(HEAD "{\"name\": \"a\\u0000b\", \"bytes\": 1, \"missing\": []}]}");
	assert_bad(HEAD "{\"name\": \"a\", \"missing\": []}]}");
	assert_bad(HEAD "{\"name\": \"a\", \"bytes\": 281474976710656, \"missing\": []}]}");
	assert_bad(HEAD "{\"name\": \"a\", \"bytes\": -1, \"missing\": []}]}");
	assert_bad(HEAD "{\"name\": \"a\", \"bytes\": 1}]}");
	assert_bad(
		HEAD "{\"name\": \"a\", \"bytes\": 1, \"digest\": \"md9:00\", \"missing\": []}]}");
	assert_bad(HEAD "{\"name\": \"a\", \"bytes\": 1, \"digest\": 5, \"missing\": []}]}");
}

static void ranges_that_contradict_themselves_are_refused(void **state)
{
	static const char *const ranges[] = {"[0, 11]", "[5, 5]", "[6, 5]", "[-1, 5]", "[0]",
		"[0, 1, 2]", "5", "[0, 5], [4, 6]", "[5, 6], [0, 1]", "[\"0\", 5]", "[0.0, 5]"};
	char text[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		snprintf(text, sizeof(text),
			HEAD "{\"name\": \"a\", \"bytes\": 10, \"missing\": [%s]}]}", ranges[i]);
		assert_bad(text);
	}
	assert_bad(HEAD "{\"name\": \"a\", \"bytes\": 1, \"missing\": []},"
			"{\"name\": \"a\", \"bytes\": 1, \"missing\": []}]}");
}

static void deep_and_wide_json_is_refused_before_it_takes_memory(void **state)
{
	size_t len = 20u << 20;
	char *text = malloc(len + 1);
	struct pw_gaps g;

	(void)state;
	assert_non_null(text);
	memset(text, '[', len);
	assert_int_equal(pw_gaps_parse(text, len, &g, NULL), -EBADMSG);
	memset(text, '{', len);
	assert_int_equal(pw_gaps_parse(text, len, &g, NULL), -EBADMSG);
	memset(text, ',', len);
	assert_int_equal(pw_gaps_parse(text, len, &g, NULL), -EBADMSG);
	memset(text, '[', 100000);
	assert_int_equal(pw_gaps_parse(text, 100000, &g, NULL), -EBADMSG);
	free(text);
}

static void loading_says_what_is_wrong(void **state)
{
	struct pw_err err = {0};
	struct pw_gaps g;

	(void)state;
	assert_int_equal(pw_gaps_load(in_dir(dir, "none.json"), &g, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "--resume"));
	assert_int_equal(pw_gaps_load(dir, &g, &err), -EINVAL);
	assert_int_equal(truncate(dir, 0), -1);
	write_text(in_dir(dir, "huge.json"), "{");
	assert_int_equal(truncate(in_dir(dir, "huge.json"), (off_t)PW_GAPS_MAX_BYTES + 1), 0);
	assert_int_equal(pw_gaps_load(in_dir(dir, "huge.json"), &g, &err), -EFBIG);
}

static void saving_follows_no_link_and_leaves_nothing_on_failure(void **state)
{
	struct pw_gaps g = {.tsi = 1};
	struct pw_err err = {0};
	struct stat st;

	(void)state;
	write_text(in_dir(dir, "victim"), "mine");
	assert_int_equal(symlink(in_dir(dir, "victim"), in_dir(dir, "l.json.part")), 0);
	assert_int_equal(pw_gaps_save(in_dir(dir, "l.json"), &g, NULL), 0);
	assert_int_equal(stat(in_dir(dir, "victim"), &st), 0);
	assert_int_equal(st.st_size, 4);
	assert_int_equal(pw_gaps_save(in_dir(dir, "no/such/g.json"), &g, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "no/such/g.json"));
	assert_int_equal(mkdir(in_dir(dir, "d.json"), 0755), 0);
	assert_int_equal(pw_gaps_save(in_dir(dir, "d.json"), &g, &err), -EISDIR);
	assert_false(is_there(in_dir(dir, "d.json.part")));
}

static int setup(void **state)
{
	(void)state;
	dir_make(dir, sizeof(dir));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dir_drop(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_manifest_survives_writing_and_reading),
		cmocka_unit_test(a_name_is_found_among_many),
		cmocka_unit_test(what_is_no_manifest_is_refused),
		cmocka_unit_test(ranges_that_contradict_themselves_are_refused),
		cmocka_unit_test(deep_and_wide_json_is_refused_before_it_takes_memory),
		cmocka_unit_test(loading_says_what_is_wrong),
		cmocka_unit_test(saving_follows_no_link_and_leaves_nothing_on_failure),
	};

	return cmocka_run_group_tests_name("xfer_gaps", tests, setup, teardown);
}
