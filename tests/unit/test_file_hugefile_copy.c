/* SPDX-License-Identifier: BSD-3-Clause */
#include "file_util.h"

#include "base/bytes.h"
#include "file/hugefile_copy.h"
#include "file/window.h"

static struct page_dirs dirs;
static char from[128], to[128], part[140];

static int copy(bool replace, struct pw_err *err)
{
	struct pw_hugefile_copy c = {.from = from, .to = to, .replace = replace};

	return pw_hugefile_copy(&c, err);
}

static void assert_nothing_at(const char *path)
{
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(errno, ENOENT);
}

static void copies_keep_size_content_mode_and_time(void **state)
{
	static const uint64_t sizes[] = {
		0, 1, 4095, 4097, HUGE_BYTES - 1, HUGE_BYTES, 2 * HUGE_BYTES + 12345};
	struct timespec ts[2] = {{.tv_sec = 7}, {.tv_sec = 1234567890, .tv_nsec = 987654321}};
	size_t i;

	(void)state;
	need_huge(&dirs);
	for (i = 0; i < PW_ARRAY_LEN(sizes); i++) {
		struct pw_hugefile_copy c = {.from = from, .to = to};
		struct pw_window w;
		struct stat st;

		make_file(from, sizes[i]);
		assert_int_equal(chmod(from, 0440), 0);
		assert_int_equal(utimensat(AT_FDCWD, from, ts, 0), 0);
		assert_int_equal(pw_hugefile_copy(&c, NULL), 0);
		assert_int_equal(c.len_bytes, sizes[i]);
		assert_int_equal(c.page_bytes, HUGE_BYTES);
		assert_int_equal(c.n_pages, pw_div_ceil(sizes[i], HUGE_BYTES));
		assert_int_equal(stat(to, &st), 0);
		assert_int_equal(st.st_size, sizes[i]);
		assert_int_equal(st.st_mode & 0777, 0640);
		assert_int_equal(st.st_mtim.tv_sec, 1234567890);
		assert_int_equal(st.st_mtim.tv_nsec, 987654321);
		assert_nothing_at(part);
		assert_int_equal(pw_hugefile_open(&w, to, NULL, NULL), 0);
		assert_int_equal(w.len_bytes, sizes[i]);
		if (sizes[i])
			assert_pattern(w.map, 0, sizes[i]);
		pw_window_close(&w);
		unlink(to);
		assert_int_equal(chmod(from, 0600), 0);
	}
}

static void what_exists_is_replaced_only_on_request(void **state)
{
	struct pw_err err = {0};
	struct stat st;

	(void)state;
	need_huge(&dirs);
	make_file(from, 100);
	assert_int_equal(copy(false, NULL), 0);
	make_file(from, 200);
	assert_int_equal(copy(false, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "--force"));
	assert_int_equal(stat(to, &st), 0);
	assert_int_equal(st.st_size, 100);
	assert_int_equal(copy(true, &err), 0);
	assert_int_equal(stat(to, &st), 0);
	assert_int_equal(st.st_size, 200);
	unlink(to);

	close(open(part, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(copy(false, &err), -EEXIST);
	assert_non_null(strstr(err.msg, part));
	assert_int_equal(access(part, F_OK), 0); /* may be another's */
	assert_int_equal(copy(true, &err), 0);
	assert_nothing_at(part);
	unlink(to);
}

static void a_file_is_not_staged_onto_itself(void **state)
{
	struct pw_hugefile_copy again = {.from = to, .to = to, .replace = true};
	struct pw_err err = {0};
	struct stat st;

	(void)state;
	need_huge(&dirs);
	make_file(from, 100);
	assert_int_equal(copy(false, NULL), 0);
	assert_int_equal(pw_hugefile_copy(&again, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "already"));
	assert_int_equal(stat(to, &st), 0);
	assert_int_equal(st.st_size, 100);
	unlink(to);
}

static void too_few_pages_leave_nothing_behind(void **state)
{
	struct pw_err err = {0};

	(void)state;
	need_huge(&dirs);
	make_file(from, 1);
	assert_int_equal(truncate(from, 9 * HUGE_BYTES), 0);
	assert_int_equal(copy(false, &err), -ENOSPC);
	assert_non_null(strstr(err.msg, "pagewire doctor: hugepages.free"));
	assert_nothing_at(part);
	assert_nothing_at(to);
	make_file(from, 8 * HUGE_BYTES);
	assert_int_equal(copy(false, &err), 0);
	unlink(to);
}

static bool cancel_late(void *ctx, uint64_t done, uint64_t total)
{
	(*(int *)ctx)++;
	return done < total / 2;
}

static bool truncate_from(void *ctx, uint64_t done, uint64_t total)
{
	(void)ctx;
	(void)done;
	(void)total;
	return truncate(from, 5000) == 0;
}

static void an_interrupted_copy_leaves_nothing_behind(void **state)
{
	int calls = 0;
	struct pw_hugefile_copy c = {
		.from = from, .to = to, .progress = cancel_late, .progress_ctx = &calls};
	struct pw_err err = {0};

	(void)state;
	need_huge(&dirs);
	make_file(from, 7 * HUGE_BYTES);
	assert_int_equal(pw_hugefile_copy(&c, &err), -ECANCELED);
	assert_true(calls >= 2);
	assert_nothing_at(part);
	assert_nothing_at(to);
}

static void a_source_that_shrinks_leaves_nothing_behind(void **state)
{
	struct pw_hugefile_copy c = {.from = from, .to = to, .progress = truncate_from};
	struct pw_err err = {0};

	(void)state;
	need_huge(&dirs);
	make_file(from, 3 * HUGE_BYTES);
	assert_int_equal(pw_hugefile_copy(&c, &err), -ESTALE);
	assert_nothing_at(part);
	assert_nothing_at(to);
}

static void a_target_elsewhere_is_refused(void **state)
{
	char elsewhere[128];
	struct pw_hugefile_copy c = {.from = from, .to = elsewhere};
	struct pw_err err = {0};

	(void)state;
	make_file(from, 10);
	path_in(elsewhere, sizeof(elsewhere), dirs.tmp, "copy");
	assert_int_equal(pw_hugefile_copy(&c, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "not on hugetlbfs"));
	assert_nothing_at(elsewhere);
	c.from = dirs.tmp;
	assert_int_equal(pw_hugefile_copy(&c, &err), -EISDIR);
}

static int teardown(void **state)
{
	(void)state;
	dirs_drop(&dirs);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_keep_size_content_mode_and_time),
		cmocka_unit_test(what_exists_is_replaced_only_on_request),
		cmocka_unit_test(a_file_is_not_staged_onto_itself),
		cmocka_unit_test(too_few_pages_leave_nothing_behind),
		cmocka_unit_test(an_interrupted_copy_leaves_nothing_behind),
		cmocka_unit_test(a_source_that_shrinks_leaves_nothing_behind),
		cmocka_unit_test(a_target_elsewhere_is_refused),
	};

	umask(022);
	dirs_make(&dirs, 8);
	path_in(from, sizeof(from), dirs.tmp, "original");
	path_in(to, sizeof(to), dirs.huge, "copy");
	snprintf(part, sizeof(part), "%s.part", to);
	return cmocka_run_group_tests(tests, NULL, teardown);
}
