/* SPDX-License-Identifier: BSD-3-Clause */
/* The output directory itself, with openat2(2) and without. */
#include "page/guard.h"
#include "xfer/output.h"
#include "xfer_util.h"

static char top[64], dir[80];
static struct pw_output out;

static void fill(struct pw_mapping *m, const char *text)
{
	memcpy(m->base, text, strlen(text));
	assert_false(pw_mapping_close(m));
	assert_null(m->base);
}

static void a_part_is_created_mapped_and_renamed(void **state)
{
	struct pw_mapping m;
	struct stat st;

	(void)state;
	assert_int_equal(pw_output_create(&out, "a/b/c", 5, &m, NULL), 0);
	assert_int_equal(stat(in_dir(dir, "a/b/c.part"), &st), 0);
	assert_int_equal(st.st_size, 5);
	assert_int_equal(st.st_ino, m.ino);
	fill(&m, "hello");
	assert_int_equal(pw_output_rename(&out, "a/b/c", false, NULL), 0);
	assert_false(is_there(in_dir(dir, "a/b/c.part")));
	assert_int_equal(pw_output_reopen(&out, "a/b/c", false, 5, &m, NULL), 0);
	assert_memory_equal(m.base, "hello", 5);
	pw_mapping_close(&m);
}

static void a_taken_name_is_replaced_only_by_force(void **state)
{
	struct pw_err err = {0};
	struct pw_mapping m;
	struct stat st;

	(void)state;
	write_text(in_dir(dir, "x"), "old");
	assert_int_equal(pw_output_create(&out, "x", 5, &m, NULL), 0);
	fill(&m, "hello");
	assert_int_equal(pw_output_rename(&out, "x", false, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "--force"));
	assert_int_equal(stat(in_dir(dir, "x"), &st), 0);
	assert_int_equal(st.st_size, 3);
	assert_int_equal(pw_output_rename(&out, "x", true, NULL), 0);
	assert_int_equal(stat(in_dir(dir, "x"), &st), 0);
	assert_int_equal(st.st_size, 5);
}

static void no_symbolic_link_is_walked(void **state)
{
	enum pw_output_kind kind;
	struct pw_mapping m;
	uint64_t len;

	(void)state;
	mkdir(in_dir(top, "away"), 0755);
	mkdir(in_dir(top, "away/deep"), 0755);
	mkdir(in_dir(dir, "in"), 0755);
	assert_int_equal(symlink("../../away", in_dir(dir, "in/up")), 0);
	assert_int_equal(symlink("in", in_dir(dir, "within")), 0);
	assert_true(pw_output_create(&out, "in/up/f", 5, &m, NULL) < 0);
	assert_true(pw_output_create(&out, "in/up/deep/f", 5, &m, NULL) < 0);
	assert_true(pw_output_create(&out, "within/f", 5, &m, NULL) < 0);
	assert_true(pw_output_create_empty(&out, "in/up/f", NULL) < 0);
	assert_true(pw_output_look(&out, "in/up/f", false, &kind, &len) < 0);
	assert_true(pw_output_rename(&out, "in/up/f", true, NULL) < 0);
	assert_false(is_there(in_dir(top, "away/f.part")));
	assert_false(is_there(in_dir(top, "away/deep/f.part")));
	assert_false(is_there(in_dir(dir, "in/f.part")));
	assert_int_equal(pw_output_look(&out, "in/up", false, &kind, &len), 0);
	assert_int_equal(kind, PW_OUTPUT_OTHER);
}

static void only_the_file_that_it_was_is_opened_again(void **state)
{
	struct pw_err err = {0};
	struct pw_mapping m, again;

	(void)state;
	assert_int_equal(pw_output_create(&out, "f", 5, &m, NULL), 0);
	fill(&m, "hello");
	again = m;
	assert_int_equal(pw_output_reopen(&out, "f", true, 5, &again, NULL), 0);
	pw_mapping_close(&again);
	assert_int_equal(truncate(in_dir(dir, "f.part"), 4), 0);
	assert_int_equal(pw_output_reopen(&out, "f", true, 5, &again, &err), -ESTALE);
	assert_int_equal(rename(in_dir(dir, "f.part"), in_dir(dir, "g")), 0);
	assert_int_equal(pw_output_reopen(&out, "f", true, 5, &again, &err), -ESTALE);
	write_text(in_dir(dir, "f.part"), "world");
	assert_int_equal(pw_output_reopen(&out, "f", true, 5, &again, &err), -ESTALE);
	assert_non_null(strstr(err.msg, "f"));
	assert_int_equal(unlink(in_dir(dir, "f.part")), 0);
	assert_int_equal(symlink("g", in_dir(dir, "f.part")), 0);
	again.ino = 0;
	assert_true(pw_output_reopen(&out, "f", true, 4, &again, &err) < 0);
}

static void what_is_there_is_told_apart(void **state)
{
	enum pw_output_kind kind;
	uint64_t len;

	(void)state;
	assert_int_equal(pw_output_look(&out, "no/such", false, &kind, &len), 0);
	assert_int_equal(kind, PW_OUTPUT_ABSENT);
	mkdir(in_dir(dir, "d"), 0755);
	assert_int_equal(pw_output_look(&out, "d", false, &kind, &len), 0);
	assert_int_equal(kind, PW_OUTPUT_DIR);
	write_text(in_dir(dir, "d/f.part"), "1234");
	assert_int_equal(pw_output_look(&out, "d/f", true, &kind, &len), 0);
	assert_int_equal(kind, PW_OUTPUT_FILE);
	assert_int_equal(len, 4);
	assert_int_equal(link(in_dir(dir, "d/f.part"), in_dir(dir, "second")), 0);
	assert_int_equal(pw_output_look(&out, "d/f", true, &kind, &len), 0);
	assert_int_equal(kind, PW_OUTPUT_OTHER);
	assert_true(pw_output_look(&out, "second/x", false, &kind, &len) < 0);
}

static void a_directory_under_the_parts_name_is_an_error(void **state)
{
	struct pw_err err = {0};
	struct pw_mapping m;

	(void)state;
	mkdir(in_dir(dir, "p.part"), 0755);
	assert_int_equal(pw_output_create(&out, "p", 5, &m, &err), -EISDIR);
	assert_true(pw_output_is_refusal(EISDIR));
	assert_non_null(strstr(err.msg, "p.part"));
	assert_false(pw_output_is_refusal(ENOSPC));
	assert_false(pw_output_is_refusal(EIO));
}

static int setup(bool walk_only)
{
	dir_make(top, sizeof(top));
	snprintf(dir, sizeof(dir), "%s/out", top);
	if (mkdir(dir, 0755) < 0 || pw_output_open(&out, dir, NULL) < 0)
		return -1;
	if (walk_only)
		out.walk_only = true;
	return 0;
}

static int setup_openat2(void **state)
{
	(void)state;
	return setup(false);
}

/* As on a kernel before 5.6, or in a sandbox that forbids openat2(2). */
static int setup_walk(void **state)
{
	(void)state;
	return setup(true);
}

static int teardown(void **state)
{
	(void)state;
	pw_output_close(&out);
	dir_drop(top);
	return 0;
}

#define test(f)                                                      \
	cmocka_unit_test_setup_teardown(f, setup_openat2, teardown), \
	{                                                            \
#f "_by_walking", f, setup_walk, teardown, NULL      \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_part_is_created_mapped_and_renamed),
		test(a_taken_name_is_replaced_only_by_force),
		test(no_symbolic_link_is_walked),
		test(only_the_file_that_it_was_is_opened_again),
		test(what_is_there_is_told_apart),
		test(a_directory_under_the_parts_name_is_an_error),
	};

	return cmocka_run_group_tests_name("xfer_output", tests, NULL, NULL);
}
