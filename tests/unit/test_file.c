/* SPDX-License-Identifier: BSD-3-Clause */
#include "file_util.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include "base/bytes.h"
#include "file/window.h"

static struct page_dirs dirs;

static const uint64_t sizes[] = {
	0, 1, 4095, 4096, 4097, HUGE_BYTES - 1, HUGE_BYTES, HUGE_BYTES + 1, 2 * HUGE_BYTES + 12345};

/* A file on the private hugetlbfs, written through pw_hugefile_create()'s mapping. */
static void make_huge(const char *path, uint64_t len)
{
	uint64_t map_bytes;
	struct stat st;
	void *map;
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pw_hugefile_create(fd, path, len, HUGE_BYTES, &map, &map_bytes, NULL), 0);
	assert_int_equal(map_bytes, pw_align_up(len, HUGE_BYTES));
	if (len == 0) {
		assert_null(map);
	} else {
		fill_pattern(map, 0, len);
		munmap(map, map_bytes);
	}
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, len);
	close(fd);
}

static void assert_window(const struct pw_window *w, enum pw_pages pages, uint64_t len)
{
	assert_int_equal(w->pages, pages);
	assert_int_equal(w->len_bytes, len);
	assert_int_equal(w->n_out, 0);
	assert_int_equal(w->cpu_copies, 0);
	assert_int_equal(w->map_bytes, pw_align_up(len, w->page_bytes));
	if (len == 0) {
		assert_int_equal(w->n_extents, 0);
		return;
	}
	assert_int_equal(w->n_extents, 1);
	assert_ptr_equal(w->extents[0].va, w->map);
	assert_int_equal(w->extents[0].offset, 0);
	assert_int_equal(w->extents[0].len_bytes, len);
	assert_true(w->extents[0].iova == PW_IOVA_NONE);
	assert_pattern(w->extents[0].va, 0, len);
}

static void names_and_providers_match(void **state)
{
	enum pw_pages p = PW_PAGES_AUTO;

	(void)state;
	assert_string_equal(pw_pages_name(PW_PAGES_HUGEFILE), "hugefile");
	assert_true(pw_pages_parse("stage", &p));
	assert_int_equal(p, PW_PAGES_STAGE);
	assert_true(pw_pages_parse("auto", &p));
	assert_int_equal(p, PW_PAGES_AUTO);
	assert_false(pw_pages_parse("Stage", &p));
	assert_false(pw_pages_parse("", &p));
}

static void pagecache_shows_files_of_every_size(void **state)
{
	char path[128];
	size_t i;

	(void)state;
	path_in(path, sizeof(path), dirs.tmp, "file");
	for (i = 0; i < PW_ARRAY_LEN(sizes); i++) {
		struct pw_window w;

		make_file(path, sizes[i]);
		assert_int_equal(pw_pagecache_open(&w, path, NULL, NULL), 0);
		assert_int_equal(w.page_bytes, 4096);
		assert_false(w.writable);
		assert_window(&w, PW_PAGES_PAGECACHE, sizes[i]);
		assert_int_equal(pw_window_check(&w, path, NULL), 0);
		pw_window_close(&w);
		assert_null(w.map);
		pw_window_close(&w);
	}
}

static void hugefile_shows_files_of_every_size_and_leaves_them_so(void **state)
{
	char path[128];
	struct stat st;
	size_t i;

	(void)state;
	need_huge(&dirs);
	path_in(path, sizeof(path), dirs.huge, "file");
	for (i = 0; i < PW_ARRAY_LEN(sizes); i++) {
		struct pw_window w;

		make_huge(path, sizes[i]);
		assert_int_equal(pw_hugefile_open(&w, path, NULL, NULL), 0);
		assert_int_equal(w.page_bytes, HUGE_BYTES);
		assert_true(w.writable);
		assert_window(&w, PW_PAGES_HUGEFILE, sizes[i]);
		assert_int_equal(pw_window_check(&w, path, NULL), 0);
		pw_window_close(&w);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, sizes[i]);
		unlink(path);
	}
}

static void hugefile_maps_the_pages_of_the_file_and_no_copy(void **state)
{
	struct pw_window a, b;
	char path[128];
	uint8_t byte;

	(void)state;
	need_huge(&dirs);
	make_huge(path_in(path, sizeof(path), dirs.huge, "file"), HUGE_BYTES + 7);
	assert_int_equal(pw_hugefile_open(&a, path, NULL, NULL), 0);
	assert_int_equal(pw_hugefile_open(&b, path, NULL, NULL), 0);
	((uint8_t *)a.map)[HUGE_BYTES + 3] ^= 0xff;
	assert_int_equal(((const uint8_t *)b.map)[HUGE_BYTES + 3], pattern(HUGE_BYTES + 3) ^ 0xff);
	assert_int_equal(pread(b.fd, &byte, 1, HUGE_BYTES + 3), 1);
	assert_int_equal(byte, pattern(HUGE_BYTES + 3) ^ 0xff);
	pw_window_close(&a);
	pw_window_close(&b);
	unlink(path);
}

static void another_process_finds_the_last_partial_page(void **state)
{
	static const uint64_t lens[] = {1, HUGE_BYTES - 1, HUGE_BYTES + 1};
	char path[128];
	size_t i;

	(void)state;
	need_huge(&dirs);
	path_in(path, sizeof(path), dirs.huge, "file");
	for (i = 0; i < PW_ARRAY_LEN(lens); i++) {
		int status;
		pid_t pid;

		make_huge(path, lens[i]);
		pid = fork();
		if (pid == 0) {
			struct pw_window w;
			uint64_t k, bad = 0;

			if (pw_hugefile_open(&w, path, NULL, NULL) < 0)
				_exit(2);
			for (k = 0; k < w.map_bytes; k++)
				bad += ((uint8_t *)w.map)[k] != (k < lens[i] ? pattern(k) : 0);
			_exit(bad != 0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
		unlink(path);
	}
}

static void pagecache_takes_a_hugetlbfs_file_too(void **state)
{
	struct pw_window w;
	char path[128];

	(void)state;
	need_huge(&dirs);
	make_huge(path_in(path, sizeof(path), dirs.huge, "file"), HUGE_BYTES + 4097);
	assert_int_equal(pw_pagecache_open(&w, path, NULL, NULL), 0);
	assert_int_equal(w.page_bytes, HUGE_BYTES);
	assert_false(w.writable);
	assert_window(&w, PW_PAGES_PAGECACHE, HUGE_BYTES + 4097);
	pw_window_close(&w);
	unlink(path);
}

static void mappings_follow_the_hint_and_line_up_above_it(void **state)
{
	uint8_t *hint = (uint8_t *)0x200000000000 + 4096;
	struct pw_window a, b, c;
	char path[128];

	(void)state;
	make_file(path_in(path, sizeof(path), dirs.tmp, "file"), 10000);
	assert_int_equal(pw_pagecache_open(&a, path, hint, NULL), 0);
	assert_int_equal(pw_pagecache_open(&b, path, hint, NULL), 0);
	assert_ptr_equal(a.map, hint);
	assert_ptr_equal(b.map, hint + a.map_bytes);
	/* not page-aligned: the next page is meant */
	assert_int_equal(
		pw_pagecache_open(&c, path, hint + a.map_bytes + b.map_bytes - 1, NULL), 0);
	assert_ptr_equal(c.map, hint + a.map_bytes + b.map_bytes);
	assert_pattern(c.map, 0, 10000);
	pw_window_close(&a);
	pw_window_close(&b);
	pw_window_close(&c);
	if (!dirs.have_huge)
		return;
	make_huge(path_in(path, sizeof(path), dirs.huge, "file"), HUGE_BYTES + 1);
	assert_int_equal(pw_hugefile_open(&a, path, hint, NULL), 0);
	assert_ptr_equal(a.map, (uint8_t *)0x200000000000 + HUGE_BYTES);
	pw_window_close(&a);
	unlink(path);
}

static void changes_are_noticed_but_not_a_removal(void **state)
{
	struct timespec ts[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1, .tv_nsec = 2}};
	struct pw_err err;
	struct pw_window w;
	char path[128];

	(void)state;
	make_file(path_in(path, sizeof(path), dirs.tmp, "file"), 10000);
	assert_int_equal(pw_pagecache_open(&w, path, NULL, NULL), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(pw_window_check(&w, path, &err), 0);
	assert_pattern(w.map, 0, 10000);
	pw_window_close(&w);

	make_file(path, 10000);
	assert_int_equal(pw_pagecache_open(&w, path, NULL, NULL), 0);
	assert_int_equal(truncate(path, 9999), 0);
	assert_int_equal(pw_window_check(&w, path, &err), -ESTALE);
	assert_int_equal(err.code, ESTALE);
	assert_non_null(strstr(err.msg, "from 10000 to 9999"));
	pw_window_close(&w);

	assert_int_equal(pw_pagecache_open(&w, path, NULL, NULL), 0);
	assert_int_equal(utimensat(AT_FDCWD, path, ts, 0), 0);
	assert_int_equal(pw_window_check(&w, path, &err), -ESTALE);
	assert_non_null(strstr(err.msg, "changed"));
	pw_window_close(&w);
}

static void refused(const char *name, int code, const char *reason)
{
	struct pw_err err = {0};
	struct pw_window w;
	char path[128];

	path_in(path, sizeof(path), name[0] == '/' ? "" : dirs.tmp, name);
	assert_int_equal(pw_hugefile_open(&w, path, NULL, &err), -code);
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.msg, reason));
	assert_non_null(strstr(err.msg, path));
	assert_int_equal(pw_pagecache_open(&w, path, NULL, &err), -code);
	assert_non_null(strstr(err.msg, reason));
	assert_int_equal(w.fd, 0);
	assert_null(w.map);
}

static void what_is_no_file_is_refused(void **state)
{
	char path[128];

	(void)state;
	refused("missing", ENOENT, "No such file");
	refused(".", EISDIR, "directory");
	refused("/dev/null", EINVAL, "is a device");
	path_in(path, sizeof(path), dirs.tmp, "fifo");
	assert_int_equal(mkfifo(path, 0600), 0);
	refused("fifo", EINVAL, "FIFO"); /* and without waiting for a writer */
}

static void an_unreadable_file_is_refused(void **state)
{
	char path[128];
	bool root = geteuid() == 0;

	(void)state;
	make_file(path_in(path, sizeof(path), dirs.tmp, "secret"), 10);
	assert_int_equal(chmod(path, 0), 0);
	if (root)
		assert_int_equal(seteuid(65534), 0);
	refused("secret", EACCES, "Permission denied");
	if (root)
		assert_int_equal(seteuid(0), 0);
}

static void hugefile_elsewhere_names_the_ways_out(void **state)
{
	struct pw_err err = {0};
	struct pw_window w;
	char path[128];

	(void)state;
	make_file(path_in(path, sizeof(path), dirs.tmp, "file"), 10);
	assert_int_equal(chmod(path, 0444), 0);
	assert_int_equal(pw_hugefile_open(&w, path, NULL, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "not on hugetlbfs; use --pages pagecache"));
	assert_non_null(strstr(err.msg, "pagewire stage"));
	assert_int_equal(chmod(path, 0600), 0);
}

static void a_read_only_hugefile_says_why_it_must_be_writable(void **state)
{
	struct pw_err err = {0};
	struct pw_window w;
	char path[128];

	(void)state;
	need_huge(&dirs);
	make_huge(path_in(path, sizeof(path), dirs.huge, "file"), 10);
	assert_int_equal(chmod(dirs.huge, 0755), 0);
	assert_int_equal(chmod(path, 0444), 0);
	assert_int_equal(seteuid(65534), 0);
	assert_int_equal(pw_hugefile_open(&w, path, NULL, &err), -EACCES);
	assert_int_equal(seteuid(0), 0);
	assert_non_null(strstr(err.msg, "read-write"));
	assert_non_null(strstr(err.msg, "--pages pagecache"));
	unlink(path);
}

static void a_probe_tells_hugetlbfs_from_the_rest(void **state)
{
	uint64_t page_bytes;
	bool huge;

	(void)state;
	assert_int_equal(pw_hugefile_probe(dirs.tmp, &huge, &page_bytes, NULL), 0);
	assert_false(huge);
	assert_int_equal(pw_hugefile_probe("/nonexistent", &huge, &page_bytes, NULL), -ENOENT);
	need_huge(&dirs);
	assert_int_equal(pw_hugefile_probe(dirs.huge, &huge, &page_bytes, NULL), 0);
	assert_true(huge);
	assert_int_equal(page_bytes, HUGE_BYTES);
}

static void too_few_huge_pages_are_a_clear_error_and_none_is_kept(void **state)
{
	struct pw_err err = {0};
	uint64_t map_bytes = 1;
	struct stat st;
	char path[128];
	void *map = &err;
	int fd;

	(void)state;
	need_huge(&dirs);
	fd = open(
		path_in(path, sizeof(path), dirs.huge, "big"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(
		pw_hugefile_create(fd, path, 9 * HUGE_BYTES, HUGE_BYTES, &map, &map_bytes, &err),
		-ENOSPC);
	assert_non_null(strstr(err.msg, "needs 9 huge pages of 2.00 MiB"));
	assert_non_null(strstr(err.msg, "pagewire doctor: hugepages.free"));
	assert_null(map);
	assert_int_equal(map_bytes, 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_blocks, 0);
	assert_int_equal(st.st_size, 0);
	close(fd);
	unlink(path);
}

static void holes_that_cannot_be_filled_are_a_clear_error(void **state)
{
	struct pw_err err = {0};
	struct pw_window w;
	char path[128];
	int fd;

	(void)state;
	need_huge(&dirs);
	fd = open(path_in(path, sizeof(path), dirs.huge, "holes"), O_RDWR | O_CREAT | O_CLOEXEC,
		0600);
	/* more than there is */
	assert_int_equal(ftruncate(fd, 9 * HUGE_BYTES), 0);
	assert_int_equal(pw_hugefile_open(&w, path, NULL, &err), -ENOMEM);
	assert_non_null(strstr(err.msg, "pagewire doctor: hugepages.free"));
	assert_int_equal(pw_pagecache_open(&w, path, NULL, &err), -ENOMEM);
	assert_non_null(strstr(err.msg, "pagewire doctor: hugepages.free"));
	/* a last partial page that is not there */
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(fallocate(fd, 0, 0, HUGE_BYTES + 1), 0);
	assert_int_equal(
		fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, HUGE_BYTES, HUGE_BYTES),
		0);
	assert_int_equal(pw_hugefile_open(&w, path, NULL, &err), -EFAULT);
	assert_non_null(strstr(err.msg, "stage it again"));
	/* a hole that can be filled is zeros */
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(ftruncate(fd, 2 * HUGE_BYTES), 0);
	assert_int_equal(pw_hugefile_open(&w, path, NULL, &err), 0);
	assert_int_equal(((uint8_t *)w.map)[2 * HUGE_BYTES - 1], 0);
	pw_window_close(&w);
	close(fd);
	unlink(path);
}

static void creating_again_keeps_or_cuts_as_the_size_says(void **state)
{
	uint64_t map_bytes;
	char path[128];
	struct stat st;
	void *map;
	int fd;

	(void)state;
	need_huge(&dirs);
	make_huge(path_in(path, sizeof(path), dirs.huge, "file"), HUGE_BYTES + 5);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pw_hugefile_create(
				 fd, path, 2 * HUGE_BYTES + 9, HUGE_BYTES, &map, &map_bytes, NULL),
		0);
	assert_pattern(map, 0, HUGE_BYTES + 5);
	munmap(map, map_bytes);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 2 * HUGE_BYTES + 9);
	assert_int_equal(pw_hugefile_create(fd, path, 4097, HUGE_BYTES, &map, &map_bytes, NULL), 0);
	munmap(map, map_bytes);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 4097);
	assert_int_equal(st.st_blocks * 512, HUGE_BYTES);
	close(fd);
	unlink(path);
}

static void reserved_pages_are_there_when_they_are_touched(void **state)
{
	const uint64_t len = 6 * HUGE_BYTES + 9;
	struct pw_err err = {0};
	uint64_t map_bytes, other_bytes;
	char path[128], other[128];
	struct stat st;
	void *map, *none;
	int fd, fd2;

	(void)state;
	need_huge(&dirs);
	fd = open(path_in(path, sizeof(path), dirs.huge, "later"), O_RDWR | O_CREAT | O_CLOEXEC,
		0600);
	assert_int_equal(pw_hugefile_reserve(fd, path, len, HUGE_BYTES, &map, &map_bytes, NULL), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, len);
	assert_int_equal(st.st_blocks * 512, HUGE_BYTES); /* the last one */
	/* 8 pages in all: no other file gets more than one now */
	fd2 = open(path_in(other, sizeof(other), dirs.huge, "other"), O_RDWR | O_CREAT | O_CLOEXEC,
		0600);
	assert_int_equal(pw_hugefile_reserve(
				 fd2, other, 2 * HUGE_BYTES, HUGE_BYTES, &none, &other_bytes, &err),
		-ENOSPC);
	assert_non_null(strstr(err.msg, "pagewire doctor: hugepages.free"));
	assert_int_equal(fstat(fd2, &st), 0);
	assert_int_equal(st.st_blocks, 0);
	fill_pattern(map, 0, len);
	munmap(map, map_bytes);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, len);
	assert_int_equal(st.st_blocks * 512, 7 * HUGE_BYTES);
	close(fd2);
	close(fd);
	unlink(other);
	unlink(path);
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
		cmocka_unit_test(names_and_providers_match),
		cmocka_unit_test(pagecache_shows_files_of_every_size),
		cmocka_unit_test(hugefile_shows_files_of_every_size_and_leaves_them_so),
		cmocka_unit_test(hugefile_maps_the_pages_of_the_file_and_no_copy),
		cmocka_unit_test(another_process_finds_the_last_partial_page),
		cmocka_unit_test(pagecache_takes_a_hugetlbfs_file_too),
		cmocka_unit_test(mappings_follow_the_hint_and_line_up_above_it),
		cmocka_unit_test(changes_are_noticed_but_not_a_removal),
		cmocka_unit_test(what_is_no_file_is_refused),
		cmocka_unit_test(an_unreadable_file_is_refused),
		cmocka_unit_test(hugefile_elsewhere_names_the_ways_out),
		cmocka_unit_test(a_read_only_hugefile_says_why_it_must_be_writable),
		cmocka_unit_test(a_probe_tells_hugetlbfs_from_the_rest),
		cmocka_unit_test(too_few_huge_pages_are_a_clear_error_and_none_is_kept),
		cmocka_unit_test(reserved_pages_are_there_when_they_are_touched),
		cmocka_unit_test(holes_that_cannot_be_filled_are_a_clear_error),
		cmocka_unit_test(creating_again_keeps_or_cuts_as_the_size_says),
	};

	dirs_make(&dirs, 8);
	return cmocka_run_group_tests(tests, NULL, teardown);
}
