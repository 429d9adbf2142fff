/* SPDX-License-Identifier: BSD-3-Clause */
/* File systems that are full, shrink under us, or are made of huge pages. */
#include <signal.h>

#include "file/guard.h"
#include "file_util.h"
#include "recv_util.h"

#define HUGE_PAGES 8

static struct page_dirs dirs;
static char dir[96]; /* on a tmpfs of 1 MiB */
static const char *why_not;
static struct sigaction guarding; /* what pw_guard_init() installed */

static struct pw_recv_config config(const char *out_dir)
{
	return (struct pw_recv_config){.out_dir = out_dir};
}

static void need_tmpfs(void)
{
	if (why_not) {
		print_message("# skipped: %s\n", why_not);
		skip();
	}
}

static void a_file_larger_than_the_free_space_is_refused(void **state)
{
	struct source s[2] = {source_make(1, "big", 2u << 20, 1440, PW_DIGEST_XXH3_128),
		source_make(2, "small", 10000, 1440, PW_DIGEST_XXH3_128)};
	struct pw_recv_config cfg = config(dir);
	struct pw_recv *r;
	struct packets p = {0};

	(void)state;
	need_tmpfs();
	r = recv_make(&cfg);
	packets_add_fdt(&p, TSI, 0, s, 2, true, 2);
	packets_add_file(&p, TSI, &s[0]);
	packets_add_file(&p, TSI, &s[1]);
	push(r, &p);
	assert_done(r);
	assert_state(r, 0, PW_RECV_REFUSED);
	assert_non_null(strstr(file_info(r, 0).reason, "free space"));
	assert_state(r, 1, PW_RECV_COMPLETE);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	pw_recv_destroy(r);
	assert_false(is_there(in_dir(dir, "big.part")));
	packets_drop(&p);
	source_drop(&s[0]);
	source_drop(&s[1]);
}

/* Each fits by itself. What does not fit with the others ends alone. */
static void two_files_that_do_not_fit_together_end_with_the_first(void **state)
{
	struct source s[4] = {source_make(1, "one", 600000, 1440, PW_DIGEST_XXH3_128),
		source_make(2, "two", 600000, 1440, PW_DIGEST_XXH3_128),
		source_make(3, "small", 50000, 1440, PW_DIGEST_XXH3_128),
		source_make(4, "empty", 0, 1440, PW_DIGEST_XXH3_128)};
	unsigned int at_once;
	size_t i;

	(void)state;
	need_tmpfs();
	for (at_once = 0; at_once < 2; at_once++) {
		struct pw_recv_config cfg = config(dir);
		struct pw_recv *r = recv_make(&cfg);
		struct packets p = {0};
		struct pw_recv_status st;

		packets_add_fdt(&p, TSI, 0, s, 4, true, 4);
		if (!at_once)
			push(r, &p);
		packets_add_symbol(&p, TSI, &s[0], 3);
		packets_add_symbol(&p, TSI, &s[1], 3);
		for (i = 0; i < 3; i++)
			packets_add_file(&p, TSI, &s[i]);
		push(r, &p);
		st = settle(r);
		assert_true(st.done);
		assert_false(st.fatal);
		assert_state(r, 0, PW_RECV_COMPLETE);
		assert_state(r, 1, PW_RECV_REFUSED);
		assert_non_null(strstr(file_info(r, 1).reason, "free space"));
		assert_state(r, 2, PW_RECV_COMPLETE);
		assert_state(r, 3, PW_RECV_COMPLETE);
		assert_int_equal(st.bytes_have, 650000);
		assert_int_equal(pw_recv_finish(r, NULL), 1);
		assert_content(in_dir(dir, "one"), &s[0]);
		assert_content(in_dir(dir, "small"), &s[2]);
		assert_false(is_there(in_dir(dir, "two.part")));
		pw_recv_destroy(r);
		assert_int_equal(unlink(in_dir(dir, "one")), 0);
		unlink(in_dir(dir, "small"));
		unlink(in_dir(dir, "empty"));
		/* Now that there is space, the refused file is received. */
		cfg.expect_files = 1;
		packets_drop(&p);
		packets_add_fdt(&p, TSI, 0, &s[1], 1, true, 1);
		packets_add_file(&p, TSI, &s[1]);
		r = recv_make(&cfg);
		push(r, &p);
		assert_int_equal(pw_recv_finish(r, NULL), 0);
		pw_recv_destroy(r);
		assert_content(in_dir(dir, "two"), &s[1]);
		unlink(in_dir(dir, "two"));
		packets_drop(&p);
	}
	for (i = 0; i < 4; i++)
		source_drop(&s[i]);
}

/* Others take the space that the file was promised. */
static void a_disk_that_fills_up_ends_the_files_it_has_no_room_for(void **state)
{
	struct source s[2] = {source_make(1, "one", 500000, 1440, PW_DIGEST_XXH3_128),
		source_make(2, "two", 400000, 1440, PW_DIGEST_XXH3_128)};
	struct pw_recv_config cfg = config(dir);
	struct pw_recv *r;
	struct packets p = {0};
	struct pw_recv_status st;
	struct pw_gaps g = {0};
	uint8_t *junk = calloc(1, 400000);
	struct pw_err err = {0};
	FILE *f;

	(void)state;
	need_tmpfs();
	sigaction(SIGBUS, &guarding, NULL);
	r = recv_make(&cfg);
	packets_add_fdt(&p, TSI, 0, s, 2, true, 2);
	packets_add_symbol(&p, TSI, &s[0], 0);
	push(r, &p);
	f = fopen(in_dir(dir, "junk"), "we");
	assert_int_equal(fwrite(junk, 1, 400000, f), 400000);
	assert_int_equal(fflush(f), 0);
	packets_drop(&p); /* with a table, the free space would be measured again */
	packets_add_file(&p, TSI, &s[1]);
	packets_add_file(&p, TSI, &s[0]);
	push(r, &p);
	st = settle(r);
	pw_recv_settle(r);
	assert_false(st.fatal);
	assert_state(r, 1, PW_RECV_COMPLETE);
	if (pw_recv_finish(r, &err) < 0)
		fail_msg("%s", err.msg);
	assert_state(r, 0, PW_RECV_REFUSED);
	pw_recv_status(r, &st);
	assert_int_equal(st.bytes_have, 400000);
	assert_int_equal(pw_gaps_load(pw_recv_gaps_written(r), &g, NULL), 0);
	assert_int_equal(g.n_files, 1);
	assert_int_equal(pw_gaps_find(&g, "one")->n_missing, 1);
	assert_int_equal(pw_gaps_find(&g, "one")->missing[0].to, 500000);
	pw_gaps_finish(&g);
	pw_recv_destroy(r);
	fclose(f);
	unlink(in_dir(dir, "junk"));
	cfg.resume = true;
	r = recv_make(&cfg);
	packets_add_fdt(&p, TSI, 0, s, 2, true, 2);
	push(r, &p);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	pw_recv_destroy(r);
	assert_content(in_dir(dir, "one"), &s[0]);
	assert_content(in_dir(dir, "two"), &s[1]);
	free(junk);
	packets_drop(&p);
	source_drop(&s[0]);
	source_drop(&s[1]);
}

static void a_part_truncated_under_us_ends_alone(void **state)
{
	struct source s[2] = {source_make(1, "cut", 500000, 1000, PW_DIGEST_XXH3_128),
		source_make(2, "other", 100000, 1000, PW_DIGEST_XXH3_128)};
	struct pw_recv_config cfg = config(dirs.tmp);
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};
	struct pw_recv_status st;
	struct pw_gaps g = {0};

	(void)state;
	/* cmocka puts a SIGBUS handler of its own around each test. */
	sigaction(SIGBUS, &guarding, NULL);
	packets_add_fdt(&p, TSI, 0, s, 2, true, 2);
	packets_add_symbol(&p, TSI, &s[1], 0);
	packets_add_symbol(&p, TSI, &s[0], 0);
	push(r, &p);
	assert_int_equal(truncate(in_dir(dirs.tmp, "cut.part"), 4096), 0);
	packets_drop(&p);
	packets_add_file(&p, TSI, &s[0]);
	packets_add_symbol(&p, TSI, &s[1], 1);
	push(r, &p);
	st = settle(r);
	pw_recv_settle(r);
	assert_false(st.fatal);
	assert_state(r, 0, PW_RECV_REFUSED);
	assert_non_null(strstr(file_info(r, 0).reason, "cut"));
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	pw_recv_status(r, &st);
	assert_int_equal(st.bytes_have, 2000);
	assert_int_equal(pw_gaps_load(pw_recv_gaps_written(r), &g, NULL), 0);
	assert_int_equal(g.n_files, 2);
	assert_int_equal(pw_gaps_find(&g, "cut")->n_missing, 1);
	assert_int_equal(pw_gaps_find(&g, "cut")->missing[0].to, 500000);
	assert_int_equal(pw_gaps_find(&g, "other")->missing[0].from, 2000);
	pw_gaps_finish(&g);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s[0]);
	source_drop(&s[1]);
}

static bool on_hugetlbfs_exact(const char *path, uint64_t len)
{
	struct stat st;

	return stat(path, &st) == 0 && (uint64_t)st.st_size == len;
}

/* hugetlbfs files cannot be read(2) or written: their pages are mapped. */
static void assert_huge_content(const char *path, const struct source *s)
{
	struct pw_window w;
	struct pw_err err = {0};

	assert_true(on_hugetlbfs_exact(path, s->f.transfer_len));
	if (pw_hugefile_open(&w, path, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	assert_memory_equal(w.map, s->data, s->f.transfer_len);
	pw_window_close(&w);
}

static void files_on_hugetlbfs_have_their_exact_length(void **state)
{
	struct source s[3] = {source_make(1, "h/a", (2u << 20) + 12345, 1440, PW_DIGEST_XXH3_128),
		source_make(2, "h/b", 1, 1440, PW_DIGEST_XXH3_128),
		source_make(3, "h/empty", 0, 1440, PW_DIGEST_XXH3_128)};
	struct pw_recv_config cfg = config(dirs.huge);
	struct pw_recv *r;
	struct packets p = {0};
	size_t i;

	(void)state;
	need_huge(&dirs);
	for (i = 0; i < 2; i++) {
		cfg.resume = i == 1;
		r = recv_make(&cfg);
		packets_add_fdt(&p, TSI, 0, s, 3, true, 3);
		packets_add_file(&p, TSI, &s[0]);
		packets_add_file(&p, TSI, &s[1]);
		p.n -= i == 0 ? 5 : 0;
		push(r, &p);
		assert_int_equal(pw_recv_finish(r, NULL), i == 0);
		assert_true(is_there(in_dir(dirs.huge, PW_GAPS_FILE)) == (i == 0));
		pw_recv_destroy(r);
		p.n += i == 0 ? 5 : 0;
		packets_drop(&p);
	}
	assert_huge_content(in_dir(dirs.huge, "h/a"), &s[0]);
	assert_huge_content(in_dir(dirs.huge, "h/b"), &s[1]);
	assert_true(on_hugetlbfs_exact(in_dir(dirs.huge, "h/empty"), 0));
	for (i = 0; i < 3; i++)
		source_drop(&s[i]);
}

static void a_hugetlbfs_without_room_refuses_the_file(void **state)
{
	struct source s = source_make(1, "vast", (HUGE_PAGES + 1) << 21, 60000, PW_DIGEST_NONE);
	struct pw_recv_config cfg = config(dirs.huge);
	struct pw_recv *r;
	struct packets p = {0};

	(void)state;
	need_huge(&dirs);
	r = recv_make(&cfg);
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	packets_add_file(&p, TSI, &s);
	push(r, &p);
	assert_done(r);
	assert_state(r, 0, PW_RECV_REFUSED);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "%s/tmpfs", dirs.tmp);
	mkdir(dir, 0700);
	why_not = NULL;
	if (mount("none", dir, "tmpfs", 0, "size=1m") < 0)
		why_not = "no tmpfs can be mounted (not root)";
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (!why_not)
		umount2(dir, MNT_DETACH);
	return 0;
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_file_larger_than_the_free_space_is_refused),
		test(two_files_that_do_not_fit_together_end_with_the_first),
		test(a_disk_that_fills_up_ends_the_files_it_has_no_room_for),
		test(a_part_truncated_under_us_ends_alone),
		test(files_on_hugetlbfs_have_their_exact_length),
		test(a_hugetlbfs_without_room_refuses_the_file),
	};
	int ret;

	if (pw_guard_init(NULL) < 0 || sigaction(SIGBUS, NULL, &guarding) < 0)
		return 1;
	dirs_make(&dirs, HUGE_PAGES);
	ret = cmocka_run_group_tests_name("recv_disk", tests, NULL, NULL);
	dirs_drop(&dirs);
	return ret;
}
