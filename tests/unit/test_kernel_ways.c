/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks the table of the kernel's ways. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/way.h"

static void every_way_is_found_by_its_name(void **state)
{
	const struct pw_way *const *w;

	(void)state;
	assert_non_null(pw_ways[0]);
	for (w = pw_ways; *w; w++)
		assert_ptr_equal(pw_way_find((*w)->name), *w);
	assert_null(pw_way_find(""));
	assert_null(pw_way_find("read"));
	assert_null(pw_way_find("Sendfile"));
}

static void every_way_is_complete(void **state)
{
	const struct pw_way *const *w;

	(void)state;
	for (w = pw_ways; *w; w++) {
		assert_true(strlen((*w)->summary) > 0);
		assert_null(strchr((*w)->summary, '\n'));
		assert_non_null((*w)->socket);
		assert_true((*w)->path_bytes > 0);
		/* exactly one table: that of its kind */
		assert_int_equal((*w)->stream != NULL, (*w)->kind == PW_WAY_STREAM);
		assert_int_equal((*w)->packets != NULL, (*w)->kind != PW_WAY_STREAM);
	}
	pw_way_close(NULL);
}

static unsigned int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Without an address, a file or an interface, every way fails, some after their io_uring is open. */
static void a_failed_open_leaves_nothing_open(void **state)
{
	const struct pw_way_config cfg = {.batch = 1};
	const unsigned int before = count_descriptors();
	const struct pw_way *const *w;

	(void)state;
	for (w = pw_ways; *w; w++) {
		struct pw_err err = {0};
		void *path = &err;

		assert_true(pw_way_open(*w, &path, &cfg, &err) < 0);
		assert_null(path);
		assert_true(strlen(err.msg) > 0);
		assert_int_equal(count_descriptors(), before);
	}
}

static void ways_of_a_kind_are_adjacent(void **state)
{
	const struct pw_way *const *w;

	(void)state;
	for (w = pw_ways + 1; *w; w++)
		assert_true((*w)->kind >= w[-1]->kind);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_is_found_by_its_name),
		cmocka_unit_test(every_way_is_complete),
		cmocka_unit_test(a_failed_open_leaves_nothing_open),
		cmocka_unit_test(ways_of_a_kind_are_adjacent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
