/* SPDX-License-Identifier: BSD-3-Clause */
#include <signal.h>
#include <sys/resource.h>

#include "recv_dir.h"

#define HEAD "{\"schema\": \"pagewire.gaps/1\", \"tsi\": 7, \"files\": ["

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
	struct pw_gaps g = {0};

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
	struct pw_gaps g = {.tsi = 99, .files = files, .n_files = 2}, back = {0};
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
	struct pw_gaps g = {0};
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
	struct pw_gaps g = {0};

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

/* What jansson's and our own reading make of it must be the same bytes. */
static void every_name_of_a_file_system_survives(void **state)
{
	static const char *const names[] = {"caf\xe9.txt", "caf\xc3\xa9.txt", "100%", "%41\xff",
		"\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\xaf", "\xc2",
		"c1 \xc2\x80\xc2\x9f\xc2\xa0", "\x01\x1b[2J\n\x7f\\\"", "\xff\\\"\n", "{[,]}",
		"\xf0\x9f\x98\x80"};
	enum { N = sizeof(names) / sizeof(names[0]) };
	struct pw_gap_file files[N + 1] = {0};
	struct pw_gaps g = {.files = files, .n_files = N + 1}, back = {0};
	const char *path = in_dir(dir, "names.json");
	char all[256];
	size_t i;

	(void)state;
	for (i = 1; i < sizeof(all); i++)
		all[i - 1] = (char)i;
	all[255] = '\0';
	for (i = 0; i < N; i++)
		files[i].name = (char *)(uintptr_t)names[i];
	files[N].name = all;
	assert_int_equal(pw_gaps_save(path, &g, NULL), 0);
	assert_int_equal(pw_gaps_load(path, &back, NULL), 0);
	assert_int_equal(back.n_files, N + 1);
	for (i = 0; i <= N; i++)
		assert_non_null(pw_gaps_find(&back, files[i].name));
	pw_gaps_finish(&back);
}

static void a_name_is_said_once_and_in_one_way(void **state)
{
	struct pw_gaps g = {0};

	(void)state;
	assert_int_equal(
		parse(HEAD "{\"name_bytes\": \"a%2fb\", \"bytes\": 1, \"missing\": []}]}", &g), 0);
	assert_string_equal(g.files[0].name, "a/b");
	pw_gaps_finish(&g);
	assert_bad(HEAD "{\"bytes\": 1, \"missing\": []}]}");
	assert_bad(HEAD "{\"name\": \"a\", \"name_bytes\": \"a\", \"bytes\": 1, "
			"\"missing\": []}]}");
	assert_bad(HEAD "{\"name\": \"a\", \"name\": \"a\", \"bytes\": 1, \"missing\": []}]}");
	assert_bad(HEAD "{\"name_bytes\": \"%\", \"bytes\": 1, \"missing\": []}]}");
	assert_bad(HEAD "{\"name_bytes\": \"%4\", \"bytes\": 1, \"missing\": []}]}");
	assert_bad(HEAD "{\"name_bytes\": \"%G0\", \"bytes\": 1, \"missing\": []}]}");
	assert_bad(HEAD "{\"name_bytes\": \"a%00\", \"bytes\": 1, \"missing\": []}]}");
	assert_bad(HEAD "{\"name_bytes\": \"\xc3\xa9\", \"bytes\": 1, \"missing\": []}]}");
	assert_bad(HEAD "{\"name_bytes\": \"\", \"bytes\": 1, \"missing\": []}]}");
	assert_bad(HEAD "{\"name\": 5, \"bytes\": 1, \"missing\": []}]}");
}

static void the_files_that_were_named_survive(void **state)
{
	char *named[] = {(char *)"a\"b", (char *)"caf\xc3\xa9", (char *)"caf\xe9"};
	struct pw_gap_file file = {.name = (char *)"gap", .len_bytes = 1};
	struct pw_gaps g = {.files = &file,
			       .n_files = 1,
			       .n_unnamed = 64,
			       .named = named,
			       .n_named = 3},
		       back = {0};
	const char *path = in_dir(dir, "named.json");
	size_t i;

	(void)state;
	assert_int_equal(pw_gaps_save(path, &g, NULL), 0);
	assert_int_equal(pw_gaps_load(path, &back, NULL), 0);
	assert_int_equal(back.n_unnamed, 64);
	assert_int_equal(back.n_named, 3);
	for (i = 0; i < 3; i++)
		assert_true(pw_gaps_has_named(&back, named[i]));
	assert_false(pw_gaps_has_named(&back, "gap"));
	assert_false(pw_gaps_has_named(&back, "a"));
	pw_gaps_finish(&back);
	/* Without unnamed files the sender does not need the names. */
	g.n_unnamed = 0;
	assert_int_equal(pw_gaps_save(path, &g, NULL), 0);
	assert_int_equal(pw_gaps_load(path, &back, NULL), 0);
	assert_int_equal(back.n_unnamed, 0);
	assert_int_equal(back.n_named, 0);
	pw_gaps_finish(&back);
}

static void lists_of_names_are_checked_as_the_files_are(void **state)
{
	static const char *const bad[] = {"\"unnamed\": -1", "\"unnamed\": 9223372036854775808",
		"\"unnamed\": 1, \"unnamed\": 1", "\"named\": {}", "\"named\": [5]",
		"\"named\": [\"\"]", "\"named\": [\"a\" \"b\"]", "\"named\": [\"a\", \"a\"]",
		"\"named\": [\"gap\"]", "\"named\": [\"a\"", "\"named\": [\"a\",]",
		"\"named\": [\"a\"], \"named_bytes\": [\"%61\"]", "\"named_bytes\": [\"%\"]",
		"\"named_bytes\": [\"a%00\"]"};
	const char *gap = "{\"name\": \"gap\", \"bytes\": 1, \"missing\": []}";
	char text[2048];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), HEAD "%s], %s}", gap, bad[i]);
		assert_bad(text);
	}
	snprintf(text, sizeof(text), HEAD "], \"named\": [\"");
	memset(text + strlen(text), 'n', 1025);
	strcpy(text + sizeof(HEAD "], \"named\": [\"") - 1 + 1025, "\"]}");
	assert_bad(text);
}

/* Loads the files of this and the next manifest, and unites them. */
static int unite(const char *a, const char *b, struct pw_gaps *g, struct pw_err *err)
{
	int ret;

	write_text(in_dir(dir, "a.json"), a);
	write_text(in_dir(dir, "b.json"), b);
	assert_int_equal(pw_gaps_load(in_dir(dir, "a.json"), g, NULL), 0);
	ret = pw_gaps_load(in_dir(dir, "b.json"), g, err);
	return ret;
}

static void assert_missing(
	const struct pw_gaps *g, const char *name, const struct pw_range *want, size_t n)
{
	const struct pw_gap_file *f = pw_gaps_find(g, name);

	assert_non_null(f);
	assert_int_equal(f->n_missing, n);
	assert_memory_equal(f->missing, want, n * sizeof(*want));
}

#define GAP(name, ranges) "{\"name\": \"" name "\", \"bytes\": 100, \"missing\": [" ranges "]}"

static void two_manifests_ask_for_what_one_of_them_misses(void **state)
{
	static const struct pw_range both[] = {{0, 30}, {40, 60}, {70, 100}}, one[] = {{5, 6}};
	struct pw_gaps g = {0};

	(void)state;
	assert_int_equal(
		unite(HEAD GAP("x", "[0, 10], [20, 30], [40, 50]") "," GAP("a", "[5, 6]") "]}",
			HEAD GAP("x", "[5, 25], [50, 60], [70, 100]") "," GAP("z", "[5, 6]") "]}",
			&g, NULL),
		0);
	assert_int_equal(g.n_files, 3);
	assert_missing(&g, "x", both, 3);
	assert_missing(&g, "a", one, 1);
	assert_missing(&g, "z", one, 1);
	assert_int_equal(g.n_unnamed, 0);
	/* A third one. */
	write_text(in_dir(dir, "c.json"), HEAD GAP("b", "[5, 6]") "]}");
	assert_int_equal(pw_gaps_load(in_dir(dir, "c.json"), &g, NULL), 0);
	assert_int_equal(g.n_files, 4);
	assert_missing(&g, "b", one, 1);
	assert_missing(&g, "x", both, 3);
	pw_gaps_finish(&g);
}

static void a_file_is_sent_unless_every_receiver_has_it(void **state)
{
	static const struct pw_range all[] = {{0, 100}}, some[] = {{1, 2}};
	const char *a = HEAD GAP("gap1", "[1, 2]") "," GAP("gap2", "[1, 2]") "," GAP("gap3",
		"[1, 2]") "], \"unnamed\": 5, \"named\": [\"both\", \"only_a\", \"gap_b\"]}";
	const char *b = HEAD GAP("gap_b", "[1, 2]") "," GAP(
		"gap3", "[1, 2]") "], \"unnamed\": 7, "
				  "\"named\": [\"both\", \"gap1\", "
				  "\"only_b\"]}";
	struct pw_gaps g = {0};

	(void)state;
	assert_int_equal(unite(a, b, &g, NULL), 0);
	assert_int_equal(g.n_unnamed, 7);
	assert_int_equal(g.n_files, 4);
	assert_missing(&g, "gap1", some, 1); /* complete at b */
	assert_missing(&g, "gap2", all, 1);  /* b may not know of it */
	assert_missing(&g, "gap3", some, 1);
	assert_missing(&g, "gap_b", some, 1); /* complete at a */
	assert_int_equal(g.n_named, 1);
	assert_true(pw_gaps_has_named(&g, "both"));
	pw_gaps_finish(&g);
}

/* A manifest without unnamed files, as older versions write it, belongs to a receiver that has all other
 * files. */
static void a_receiver_that_lacks_no_name_adds_only_its_gaps(void **state)
{
	static const struct pw_range some[] = {{1, 2}}, all[] = {{0, 100}};
	const char *a = HEAD GAP("gap", "[1, 2]") "], \"unnamed\": 5, \"named\": [\"a\", \"b\"]}";
	const char *b = HEAD GAP("b", "[1, 2]") "," GAP("new", "[1, 2]") "]}";
	struct pw_gaps g = {0};
	int order;

	(void)state;
	for (order = 0; order < 2; order++) {
		assert_int_equal(unite(order ? b : a, order ? a : b, &g, NULL), 0);
		assert_int_equal(g.n_unnamed, 5);
		assert_int_equal(g.n_files, 3);
		assert_missing(&g, "gap", some, 1);
		assert_missing(&g, "b", some, 1);
		assert_missing(&g, "new", all, 1);
		assert_int_equal(g.n_named, 1);
		assert_true(pw_gaps_has_named(&g, "a"));
		pw_gaps_finish(&g);
	}
}

static void manifests_about_different_files_are_not_united(void **state)
{
	const char *x = HEAD "{\"name\": \"x\", \"bytes\": 100, \"missing\": [], \"digest\": "
			     "\"xxh3-128:00112233445566778899aabbccddeeff\"}]}";
	const char *other = HEAD "{\"name\": \"x\", \"bytes\": 100, \"missing\": [], \"digest\": "
				 "\"xxh3-128:99112233445566778899aabbccddeeff\"}]}";
	const char *longer = HEAD "{\"name\": \"x\", \"bytes\": 101, \"missing\": []}]}";
	struct pw_gaps g = {0};
	struct pw_err err = {0};

	(void)state;
	assert_int_equal(unite(x, other, &g, &err), -EBADMSG);
	assert_non_null(strstr(err.msg, "a.json and "));
	assert_non_null(strstr(err.msg, "b.json together"));
	assert_non_null(strstr(err.msg, "xxh3-128:9911"));
	pw_gaps_finish(&g);
	assert_int_equal(unite(x, longer, &g, &err), -EBADMSG);
	assert_non_null(strstr(err.msg, "length 100 in the first and 101 in the second"));
	pw_gaps_finish(&g);
	assert_int_equal(unite(x, HEAD GAP("x", "[0, 1]") "]}", &g, &err), 0);
	assert_int_equal(g.files[0].digest.kind, PW_DIGEST_XXH3_128);
	pw_gaps_finish(&g);
}

static void the_partial_files_number_survives(void **state)
{
	static const char *const parts[] = {"0", "16", "-1", "\"1\"", "1.0", "01", "null"};
	struct pw_gap_file files[] = {{.name = (char *)"a", .part = 15}, {.name = (char *)"b"}};
	struct pw_gaps g = {.files = files, .n_files = 2}, back = {0};
	const char *path = in_dir(dir, "part.json");
	char text[256];
	size_t i;

	(void)state;
	assert_int_equal(pw_gaps_save(path, &g, NULL), 0);
	assert_int_equal(pw_gaps_load(path, &back, NULL), 0);
	assert_int_equal(back.files[0].part, 15);
	assert_int_equal(back.files[1].part, 0);
	pw_gaps_finish(&back);
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		snprintf(text, sizeof(text),
			HEAD "{\"name\": \"a\", \"part\": %s, \"bytes\": 1, \"missing\": []}]}",
			parts[i]);
		assert_bad(text);
	}
}

static void keys_of_later_versions_are_skipped(void **state)
{
	const char *text = "{\"new\": {\"a\": [1, {}, null]}, \"files\": [{\"missing\": [ ], "
			   "\"x\": -1.5e3, \"bytes\":0,\"name\":\"a\"} ] , \"tsi\": 7, "
			   "\"a key that is longer than all known ones\": \"]\", "
			   "\"schema\": \"pagewire.gaps/1\"}\n";
	char *large = malloc(200000);
	struct pw_gaps g = {0};

	(void)state;
	assert_int_equal(parse(text, &g), 0);
	assert_string_equal(g.files[0].name, "a");
	pw_gaps_finish(&g);
	assert_non_null(large);
	memset(large, 'x', 199999);
	large[199999] = '\0';
	memcpy(large, "{\"new\": \"", 9);
	strcpy(large + 199996, "\"}");
	assert_bad(large);
	free(large);
	assert_bad("{\"schema\": \"pagewire.gaps/1\", \"tsi\": 7, \"files\": []} x");
	assert_bad("{\"schema\": \"pagewire.gaps/1\" \"tsi\": 7, \"files\": []}");
	assert_bad("{\"schema\": \"pagewire.gaps/1\", \"tsi\": 7, \"tsi\": 7, \"files\": []}");
	assert_bad(
		"{\"schema\": \"pagewire.gaps/1\", \"tsi\": 18446744073709551616, \"files\": []}");
	assert_bad("{\"schema\": \"pagewire.gaps/1\", \"tsi\": 7, \"files\": [],}");
}

/* Structure inside of names, a million ranges, many files: all that a receiver may write. */
static void what_was_written_can_be_read_however_large(void **state)
{
	enum { FILES = 60000, RANGES = 1000000 };
	struct pw_gap_file *files = calloc(FILES, sizeof(*files));
	struct pw_range *ranges = calloc(RANGES, sizeof(*ranges));
	struct pw_gaps g = {.files = files, .n_files = FILES}, back = {0};
	const char *path = in_dir(dir, "large.json");
	size_t i;

	(void)state;
	assert_true(files && ranges);
	for (i = 0; i < RANGES; i++)
		ranges[i] = (struct pw_range){2 * i, 2 * i + 1};
	for (i = 0; i < FILES; i++) {
		files[i].name = malloc(256);
		assert_non_null(files[i].name);
		snprintf(files[i].name, 256, "%06zu", i);
		memset(files[i].name + 6, "{[,\x9b"[i % 4], 249);
		files[i].name[255] = '\0';
		files[i].len_bytes = 2 * RANGES;
		files[i].missing = ranges;
		files[i].n_missing = i ? 1 : RANGES;
	}
	assert_int_equal(pw_gaps_save(path, &g, NULL), 0);
	assert_int_equal(pw_gaps_load(path, &back, NULL), 0);
	assert_int_equal(back.n_files, FILES);
	assert_int_equal(back.files[0].n_missing, RANGES);
	assert_memory_equal(back.files[0].missing, ranges, RANGES * sizeof(*ranges));
	for (i = 0; i < FILES; i++)
		assert_string_equal(back.files[i].name, files[i].name);
	pw_gaps_finish(&back);
	for (i = 0; i < FILES; i++)
		free(files[i].name);
	free(files);
	free(ranges);
}

static void what_could_not_be_read_is_not_written(void **state)
{
	struct pw_gap_file file = {.name = (char *)"a", .n_missing = PW_GAPS_MAX_RANGES + 1};
	struct pw_gaps g = {.files = &file, .n_files = 1};
	struct pw_err err = {0};

	(void)state;
	assert_int_equal(pw_gaps_save(in_dir(dir, "beyond.json"), &g, &err), -EFBIG);
	assert_non_null(strstr(err.msg, "beyond.json"));
	assert_false(is_there(in_dir(dir, "beyond.json")));
}

static void loading_says_what_is_wrong(void **state)
{
	struct pw_err err = {0};
	struct pw_gaps g = {0};

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
	assert_non_null(strstr(err.msg, "move it away"));
	assert_false(is_there(in_dir(dir, "d.json.part")));
	assert_int_equal(mkdir(in_dir(dir, "e.json.part"), 0755), 0);
	assert_int_equal(pw_gaps_save(in_dir(dir, "e.json"), &g, &err), -EISDIR);
	assert_non_null(strstr(err.msg, "e.json.part; move it away"));
	assert_false(is_there(in_dir(dir, "e.json")));
}

static void a_stale_part_of_a_manifest_is_replaced(void **state)
{
	struct pw_gaps g = {.tsi = 5}, back = {0};

	(void)state;
	write_text(in_dir(dir, "s.json.part"), "half of");
	write_text(in_dir(dir, "s.json"), "an older one");
	assert_int_equal(pw_gaps_save(in_dir(dir, "s.json"), &g, NULL), 0);
	assert_int_equal(pw_gaps_load(in_dir(dir, "s.json"), &back, NULL), 0);
	assert_int_equal(back.tsi, 5);
	pw_gaps_finish(&back);
	assert_false(is_there(in_dir(dir, "s.json.part")));
}

static void a_full_disk_leaves_the_old_manifest(void **state)
{
	struct pw_gap_file file = {.name = (char *)"a", .len_bytes = 1};
	struct pw_gaps g = {.files = &file, .n_files = 1}, back = {0};
	const struct rlimit none = {0, RLIM_INFINITY};
	struct rlimit before;
	struct pw_err err = {0};

	(void)state;
	assert_int_equal(pw_gaps_save(in_dir(dir, "f.json"), &g, NULL), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(pw_gaps_save(in_dir(dir, "f.json"), &g, &err), -EDQUOT);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_non_null(strstr(err.msg, "f.json"));
	assert_false(is_there(in_dir(dir, "f.json.part")));
	assert_int_equal(pw_gaps_load(in_dir(dir, "f.json"), &back, NULL), 0);
	pw_gaps_finish(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_manifest_survives_writing_and_reading),
		cmocka_unit_test(a_name_is_found_among_many),
		cmocka_unit_test(what_is_no_manifest_is_refused),
		cmocka_unit_test(ranges_that_contradict_themselves_are_refused),
		cmocka_unit_test(deep_and_wide_json_is_refused_before_it_takes_memory),
		cmocka_unit_test(every_name_of_a_file_system_survives),
		cmocka_unit_test(a_name_is_said_once_and_in_one_way),
		cmocka_unit_test(the_files_that_were_named_survive),
		cmocka_unit_test(lists_of_names_are_checked_as_the_files_are),
		cmocka_unit_test(two_manifests_ask_for_what_one_of_them_misses),
		cmocka_unit_test(a_file_is_sent_unless_every_receiver_has_it),
		cmocka_unit_test(a_receiver_that_lacks_no_name_adds_only_its_gaps),
		cmocka_unit_test(manifests_about_different_files_are_not_united),
		cmocka_unit_test(the_partial_files_number_survives),
		cmocka_unit_test(keys_of_later_versions_are_skipped),
		cmocka_unit_test(what_was_written_can_be_read_however_large),
		cmocka_unit_test(what_could_not_be_read_is_not_written),
		cmocka_unit_test(loading_says_what_is_wrong),
		cmocka_unit_test(saving_follows_no_link_and_leaves_nothing_on_failure),
		cmocka_unit_test(a_stale_part_of_a_manifest_is_replaced),
		cmocka_unit_test(a_full_disk_leaves_the_old_manifest),
	};

	return cmocka_run_group_tests_name("recv_gaps", tests, setup, teardown);
}
