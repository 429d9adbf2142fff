/* SPDX-License-Identifier: BSD-3-Clause */
#include "recv_dir.h"

#include "send/files.h"

static void collect(struct pw_files *f, const char *operand)
{
	char *operands[] = {(char *)(uintptr_t)operand};
	struct pw_err err = {0};

	if (pw_files_collect(f, operands, 1, &err) < 0)
		fail_msg("%s", err.msg);
}

/* How many of the notes have that text. */
static unsigned int noted(const struct pw_files *f, const char *text)
{
	size_t i, kept = pw_filenotes_kept(&f->notes);
	unsigned int n = 0;

	for (i = 0; i < kept; i++)
		n += strstr(f->notes.text[i], text) != NULL;
	return n;
}

static void a_files_mode_and_time_are_taken(void **state)
{
	const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1000000000, .tv_nsec = 5}};
	const char *path = in_dir(dir, "moded");
	struct pw_files f;

	(void)state;
	write_text(path, "x");
	assert_int_equal(chmod(path, 04751), 0);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	collect(&f, path);
	assert_int_equal(f.n, 1);
	assert_int_equal(f.v[0].mode, 0751);
	assert_int_equal(f.v[0].mtime_ns, 1000000000000000005);
	assert_int_equal(f.notes.n, 0);
	pw_files_finish(&f);
}

static void what_is_not_sent_is_noted(void **state)
{
	struct pw_files f;

	(void)state;
	assert_int_equal(mkdir(in_dir(dir, "t"), 0755), 0);
	assert_int_equal(mkdir(in_dir(dir, "t/full"), 0755), 0);
	assert_int_equal(mkdir(in_dir(dir, "t/void"), 0755), 0);
	write_text(in_dir(dir, "t/full/a"), "");
	assert_int_equal(symlink("a", in_dir(dir, "t/full/l")), 0);
	collect(&f, in_dir(dir, "t"));
	assert_int_equal(f.n, 1);
	assert_string_equal(f.v[0].name, "t/full/a");
	assert_int_equal(f.notes.n, 2);
	assert_int_equal(noted(&f, "t/void is an empty directory"), 1);
	assert_int_equal(noted(&f, "t/full/l is neither"), 1);
	pw_files_finish(&f);
}

static void a_file_without_a_size_but_with_content_is_noted(void **state)
{
	struct pw_files f;

	(void)state;
	collect(&f, "/proc/self/stat");
	assert_int_equal(f.v[0].len_bytes, 0);
	assert_int_equal(noted(&f, "/proc/self/stat has no size"), 1);
	pw_files_finish(&f);
}

static void names_that_our_receiver_refuses_are_noted(void **state)
{
	static const char *const names[] = {"n.part", "a\nb", "c\xc2\x9b", "caf\xe9", "good"};
	struct pw_files f;
	char path[128], name[252];
	size_t i;

	(void)state;
	assert_int_equal(mkdir(in_dir(dir, "n"), 0755), 0);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "n/%s", names[i]);
		write_text(in_dir(dir, path), "x");
	}
	memset(name, 'x', 251);
	name[251] = '\0';
	snprintf(path, sizeof(path), "%s", in_dir(dir, "n"));
	write_text(in_dir(path, name), "x");
	collect(&f, path);
	pw_files_note_names(&f);
	assert_int_equal(f.notes.n, 4);
	assert_int_equal(noted(&f, "n/n.part: "), 1);
	assert_int_equal(noted(&f, "n/a?b: "), 1);
	assert_int_equal(noted(&f, "n/c??: "), 1);
	assert_int_equal(noted(&f, "longer than 250"), 1);
	pw_files_finish(&f);
	assert_non_null(pw_filenotes_name_fault(PW_GAPS_FILE));
	assert_non_null(pw_filenotes_name_fault(PW_GAPS_FILE "/x"));
	assert_null(pw_filenotes_name_fault("x/" PW_GAPS_FILE));
	assert_null(pw_filenotes_name_fault(PW_GAPS_FILE "x"));
}

static void notes_are_counted_beyond_those_that_are_kept(void **state)
{
	struct pw_filenotes notes = {0};
	unsigned int i;

	(void)state;
	for (i = 0; i < 1000; i++)
		pw_filenotes_add(&notes, "%u", i);
	assert_int_equal(notes.n, 1000);
	assert_int_equal(pw_filenotes_kept(&notes), PW_FILENOTES_KEPT);
	assert_string_equal(notes.text[PW_FILENOTES_KEPT - 1], "19");
	pw_filenotes_finish(&notes);
	assert_int_equal(pw_filenotes_kept(&notes), 0);
}

static void a_manifest_finds_files_by_the_bytes_of_their_names(void **state)
{
	static const char text[] =
		"{\"schema\": \"pagewire.gaps/1\", \"tsi\": 7, \"files\": ["
		"{\"name_bytes\": \"g/caf%E9\", \"bytes\": 4, \"missing\": [[1, 3]]}]}";
	struct pw_gaps gaps = {0};
	struct pw_files f;

	(void)state;
	assert_int_equal(mkdir(in_dir(dir, "g"), 0755), 0);
	assert_int_equal(mkdir(in_dir(dir, "g/void"), 0755), 0);
	write_text(in_dir(dir, "g/caf\xe9"), "text");
	write_text(in_dir(dir, "g/caf\xc3\xa9"), "text");
	assert_int_equal(pw_gaps_parse(text, strlen(text), &gaps, NULL), 0);
	collect(&f, in_dir(dir, "g"));
	assert_int_equal(f.n, 2);
	assert_int_equal(f.notes.n, 1);
	assert_int_equal(pw_files_keep_gaps(&f, &gaps, NULL), 0);
	assert_int_equal(f.n, 1);
	assert_string_equal(f.v[0].name, "g/caf\xe9");
	assert_int_equal(f.total_bytes, 2);
	assert_int_equal(f.notes.n, 0);
	pw_files_finish(&f);
	pw_gaps_finish(&gaps);
}

static void a_file_of_the_manifest_that_is_not_there_is_named(void **state)
{
	static const char text[] = "{\"schema\": \"pagewire.gaps/1\", \"tsi\": 7, \"files\": ["
				   "{\"name\": \"a\", \"bytes\": 4, \"missing\": [[1, 3]]},"
				   "{\"name\": \"b\", \"bytes\": 4, \"missing\": [[1, 3]]}]}";
	struct pw_err err = {0};
	struct pw_gaps gaps = {0};
	struct pw_files f;

	(void)state;
	write_text(in_dir(dir, "a"), "text");
	assert_int_equal(pw_gaps_parse(text, strlen(text), &gaps, NULL), 0);
	collect(&f, in_dir(dir, "a"));
	assert_int_equal(pw_files_keep_gaps(&f, &gaps, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "'b'"));
	pw_files_finish(&f);
	pw_gaps_finish(&gaps);
}

/* Files that no table named are repeated whole; what the receiver has is not. */
static void files_that_were_never_named_are_kept(void **state)
{
	static const char text[] = "{\"schema\": \"pagewire.gaps/1\", \"tsi\": 7, \"files\": ["
				   "{\"name\": \"u/gap\", \"bytes\": 4, \"missing\": [[1, 3]]}],"
				   "\"unnamed\": 2, \"named\": [\"u/have\"],"
				   "\"named_bytes\": [\"u/hav%E9\"]}";
	static const char *const names[] = {"u/gap", "u/have", "u/hav\xe9", "u/lost1", "u/lost2"};
	struct pw_gaps gaps = {0};
	struct pw_files f;
	size_t i;

	(void)state;
	assert_int_equal(mkdir(in_dir(dir, "u"), 0755), 0);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		write_text(in_dir(dir, names[i]), "text");
	assert_int_equal(pw_gaps_parse(text, strlen(text), &gaps, NULL), 0);
	collect(&f, in_dir(dir, "u"));
	assert_int_equal(pw_files_keep_gaps(&f, &gaps, NULL), 0);
	assert_int_equal(f.n, 3);
	assert_string_equal(f.v[0].name, "u/gap");
	assert_non_null(f.v[0].gap);
	assert_string_equal(f.v[1].name, "u/lost1");
	assert_null(f.v[1].gap);
	assert_string_equal(f.v[2].name, "u/lost2");
	assert_int_equal(f.total_bytes, 2 + 2 * 4);
	assert_int_equal(f.notes.n, 0);
	pw_files_finish(&f);
	/* Fewer operands than the receiver lacks. */
	assert_int_equal(unlink(in_dir(dir, "u/lost2")), 0);
	collect(&f, in_dir(dir, "u"));
	assert_int_equal(pw_files_keep_gaps(&f, &gaps, NULL), 0);
	assert_int_equal(f.n, 2);
	assert_int_equal(noted(&f, "at least 2 files that were never named"), 1);
	pw_files_finish(&f);
	pw_gaps_finish(&gaps);
}

static void a_repair_without_anything_to_send_is_an_error(void **state)
{
	static const char text[] = "{\"schema\": \"pagewire.gaps/1\", \"tsi\": 7, \"files\": [],"
				   "\"unnamed\": 2, \"named\": [\"done\"]}";
	struct pw_gaps gaps = {0};
	struct pw_err err = {0};
	struct pw_files f;

	(void)state;
	write_text(in_dir(dir, "done"), "text");
	assert_int_equal(pw_gaps_parse(text, strlen(text), &gaps, NULL), 0);
	collect(&f, in_dir(dir, "done"));
	assert_int_equal(pw_files_keep_gaps(&f, &gaps, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "all files of the session"));
	pw_files_finish(&f);
	pw_gaps_finish(&gaps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_files_mode_and_time_are_taken),
		cmocka_unit_test(what_is_not_sent_is_noted),
		cmocka_unit_test(a_file_without_a_size_but_with_content_is_noted),
		cmocka_unit_test(names_that_our_receiver_refuses_are_noted),
		cmocka_unit_test(notes_are_counted_beyond_those_that_are_kept),
		cmocka_unit_test(a_manifest_finds_files_by_the_bytes_of_their_names),
		cmocka_unit_test(a_file_of_the_manifest_that_is_not_there_is_named),
		cmocka_unit_test(files_that_were_never_named_are_kept),
		cmocka_unit_test(a_repair_without_anything_to_send_is_an_error),
	};

	return cmocka_run_group_tests_name("send_files", tests, setup, teardown);
}
