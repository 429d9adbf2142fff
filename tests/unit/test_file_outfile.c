/* SPDX-License-Identifier: BSD-3-Clause */
/* Files under way that are mapped: sparse, guarded, and written by several threads. */
#include <dirent.h>
#include <signal.h>

#include "file/guard.h"
#include "outdir_util.h"

static struct outdir_test t;
static struct page_dirs dirs;     /* a hugetlbfs, where one can be had */
static struct sigaction guarding; /* file/guard.h's; cmocka puts its own around each test */

static int setup(void **state)
{
	(void)state;
	return outdir_start(&t, (struct pw_outdir_config){.write = PW_OUTDIR_MAPPED});
}

static int teardown(void **state)
{
	(void)state;
	outdir_end(&t);
	return 0;
}

static void zeros_of_a_new_file_leave_holes(void **state)
{
	static const uint8_t zeros[8192];
	struct pw_outfile *f = make_part(&t, "z", 16 * MIB, 0);
	uint64_t at;
	struct stat st;

	(void)state;
	assert_true(f->fresh);
	assert_true(f->is_large);
	for (at = 0; at < 16 * MIB; at += sizeof(zeros))
		pw_outfile_put(f, at, zeros, sizeof(zeros));
	put_pattern(f, 5 * MIB + 100, 1000);
	assert_int_equal(pw_outfile_sync(f, NULL), 0);
	assert_int_equal(stat(in_out(&t, "z.part"), &st), 0);
	assert_int_equal(st.st_size, 16 * MIB);
	assert_true(st.st_blocks * 512 <= 64 << 10);
	assert_file_pattern(in_out(&t, "z.part"), 5 * MIB + 100, 1000);
	pw_outfile_close(f);
}

/* All of it is looked at, whatever its length is, and its first bytes may be zeros. */
static void a_zero_block_is_told_from_others(void **state)
{
	uint8_t b[64] = {0};
	uint32_t len, i;

	(void)state;
	for (len = 1; len <= sizeof(b); len++) {
		assert_true(pw_is_zero(b, len));
		for (i = 0; i < len; i++) {
			b[i] = 1;
			assert_false(pw_is_zero(b, len));
			b[i] = 0;
		}
		if (len < sizeof(b)) {
			b[len] = 1;
			assert_true(pw_is_zero(b, len));
			b[len] = 0;
		}
	}
}

static void zeros_overwrite_what_is_received_again(void **state)
{
	static const uint8_t zeros[4096];
	struct pw_outfile *f = make_part(&t, "r", 2 * MIB, 0);
	struct pw_outfile_id id = f->id;

	(void)state;
	put_pattern(f, 0, 4096);
	pw_outfile_put(f, 0, zeros, 4096);
	assert_pattern(f->base, 0, 4096);
	pw_outfile_rewrite(f);
	assert_false(f->fresh);
	pw_outfile_put(f, 0, zeros, 4096);
	assert_memory_equal(f->base, zeros, 4096);
	pw_outfile_close(f);
	/* nor is one that is opened again taken for empty */
	assert_int_equal(pw_outdir_reopen(t.d, "r", 0, 2 * MIB, &id, &f, NULL), 0);
	put_pattern(f, 0, 4096);
	pw_outfile_put(f, 0, zeros, 4096);
	assert_memory_equal(f->base, zeros, 4096);
	pw_outfile_close(f);
}

static void a_digest_takes_any_pieces(void **state)
{
	const uint64_t len = 3 * MIB + 77;
	struct pw_outfile *f = make_part(&t, "d", len, 0);
	struct pw_digest_state *s;
	struct pw_digest got, want;
	struct pw_err err = {.code = 5};
	uint64_t at;

	(void)state;
	for (at = 0; at < len; at += 1440)
		put_pattern(f, at, at + 1440 > len ? (uint32_t)(len - at) : 1440);
	assert_int_equal(pw_digest_create(&s, PW_DIGEST_XXH3_128, NULL), 0);
	assert_int_equal(pw_outfile_digest(f, s, 0, 1000, true, &err), 1000);
	assert_int_equal(err.code, 0);
	assert_int_equal(pw_outfile_digest(f, s, 1000, 2 * MIB, true, &err), 2 * MIB);
	assert_int_equal(pw_outfile_digest(f, s, 2 * MIB, len, false, &err), len);
	pw_digest_final(s, &got);
	pw_digest_destroy(s);
	digest_of_pattern(len, &want);
	assert_memory_equal(got.bytes, want.bytes, 16);
	pw_outfile_close(f);
}

static void a_truncated_file_has_failed(void **state)
{
	struct pw_outfile *f = make_part(&t, "cut", 64 << 10, 0);
	struct pw_digest_state *s;
	struct pw_err err = {0};

	(void)state;
	sigaction(SIGBUS, &guarding, NULL);
	put_pattern(f, 0, 4096);
	assert_int_equal(pw_outfile_failed(f), 0);
	assert_int_equal(truncate(in_out(&t, "cut.part"), 8192), 0);
	put_pattern(f, 4096, 4096);
	assert_int_equal(pw_outfile_failed(f), 0);
	put_pattern(f, 16384, 4096);
	assert_int_equal(pw_outfile_failed(f), EIO);
	assert_int_equal(pw_outfile_flush(f, &err), -EIO);
	assert_int_equal(pw_outfile_sync(f, &err), -EIO);
	assert_non_null(strstr(err.msg, "truncated"));
	assert_int_equal(pw_digest_create(&s, PW_DIGEST_XXH3_128, NULL), 0);
	assert_int_equal(pw_outfile_digest(f, s, 0, 64 << 10, false, &err), 0);
	assert_int_equal(err.code, EIO);
	pw_digest_destroy(s);
	pw_outfile_close(f);
}

static void a_full_disk_ends_one_file(void **state)
{
	struct pw_outdir_config cfg = {.path = t.dir};
	struct pw_outfile *f, *small;
	struct pw_err err = {0};
	struct stat st;
	uint64_t at;

	(void)state;
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("none", t.dir, "tmpfs", 0, "size=1M") < 0) {
		print_message("# skipped: no mount namespace (not root)\n");
		skip();
	}
	sigaction(SIGBUS, &guarding, NULL);
	pw_outdir_close(t.d);
	assert_int_equal(pw_outdir_open(&t.d, &cfg, NULL), 0);
	small = make_part(&t, "small", 8192, 0);
	put_pattern(small, 0, 8192);
	/* longer than the disk is: nothing was allocated for it */
	f = make_part(&t, "big", 256 * MIB, 0);
	for (at = 0; at < 2 * MIB; at += 4096)
		put_pattern(f, at, 4096);
	assert_int_equal(pw_outfile_failed(f), ENOSPC);
	assert_int_equal(pw_outfile_sync(f, &err), -ENOSPC);
	assert_non_null(strstr(err.msg, "disk full"));
	assert_true(pw_outdir_is_refusal(err.code));
	assert_int_equal(pw_outfile_sync(small, &err), 0);
	pw_outdir_remove_part(t.d, "big", 0, &f->id);
	pw_outfile_close(f);
	pw_outfile_close(small);
	assert_file_pattern(in_out(&t, "small.part"), 0, 8192);
	assert_int_not_equal(stat(in_out(&t, "big.part"), &st), 0);
	pw_outdir_close(t.d);
	t.d = NULL;
	umount2(t.dir, MNT_DETACH);
}

static void a_length_beyond_all_bounds_is_refused(void **state)
{
	static const uint64_t lens[] = {UINT64_MAX, INT64_MAX, INT64_MAX - 4096, 1ull << 50};
	struct pw_outfile *f;
	struct pw_err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		err = (struct pw_err){0};
		assert_true(pw_outdir_create(t.d, "huge", lens[i], 1440, 0, &f, &err) < 0);
		assert_true(pw_outdir_is_refusal(err.code));
		assert_false(is_there(in_out(&t, "huge.part")));
	}
}

#define N_THREADS 4u
#define SHARED    (8u * MIB)

struct putter {
	struct pw_outfile *f;
	unsigned int n;
};

static void *put_own(void *arg)
{
	struct putter *p = arg;
	uint64_t at;

	for (at = p->n * 1000u; at < SHARED; at += N_THREADS * 1000u)
		put_pattern(p->f, at, at + 1000 > SHARED ? (uint32_t)(SHARED - at) : 1000);
	pw_uncached_fence();
	return NULL;
}

static void several_threads_put_side_by_side(void **state)
{
	struct pw_outfile *f = make_part(&t, "many", SHARED, 0);
	pthread_t threads[N_THREADS];
	struct putter p[N_THREADS];
	unsigned int i;

	(void)state;
	for (i = 0; i < N_THREADS; i++) {
		p[i] = (struct putter){f, i};
		assert_int_equal(pthread_create(&threads[i], NULL, put_own, &p[i]), 0);
	}
	for (i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_pattern(f->base, 0, SHARED);
	assert_int_equal(pw_outfile_sync(f, NULL), 0);
	pw_outfile_close(f);
}

static unsigned int n_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void many_mapped_files_keep_no_descriptor(void **state)
{
	enum { N = 200 };
	const unsigned int before = n_descriptors();
	struct pw_outfile *f[N];
	char name[32];
	int i;

	(void)state;
	for (i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		f[i] = make_part(&t, name, 5000, 0);
		put_pattern(f[i], 0, 5000);
	}
	assert_int_equal(n_descriptors(), before);
	for (i = 0; i < N; i++) {
		assert_int_equal(pw_outfile_sync(f[i], NULL), 0);
		pw_outfile_close(f[i]);
	}
}

static void on_hugetlbfs_the_length_is_exact(void **state)
{
	struct pw_outdir_config cfg = {.path = dirs.huge, .write = PW_OUTDIR_AUTO};
	const uint64_t len = HUGE_BYTES + 12345;
	struct pw_outfile *f;
	struct pw_outfile_id id;
	struct pw_outdir *d;
	struct stat st;
	char path[160];

	(void)state;
	need_huge(&dirs);
	assert_int_equal(pw_outdir_open(&d, &cfg, NULL), 0);
	assert_int_equal(pw_outdir_create(d, "h", len, 1440, 0, &f, NULL), 0);
	id = f->id;
	put_pattern(f, len - 1000, 1000);
	assert_int_equal(pw_outfile_sync(f, NULL), 0);
	pw_outfile_close(f);
	assert_int_equal(stat(path_in(path, sizeof(path), dirs.huge, "h.part"), &st), 0);
	assert_int_equal(st.st_size, len);
	assert_int_equal(pw_outdir_reopen(d, "h", 0, len, &id, &f, NULL), 0);
	assert_pattern(f->base + len - 1000, len - 1000, 1000);
	pw_outfile_close(f);
	assert_int_equal(pw_outdir_publish(d, "h", 0, &id, false, NULL, NULL), 0);
	assert_int_equal(pw_outdir_sync_names(d, &(const char *){"h"}, 1, NULL), 0);
	assert_int_equal(pw_outdir_open_target(d, "h", len, &f, NULL), 0);
	assert_pattern(f->base + len - 1000, len - 1000, 1000);
	pw_outfile_close(f);
	/* more than the pool has */
	assert_int_equal(pw_outdir_create(d, "big", 1000 * HUGE_BYTES, 1440, 0, &f, NULL), -ENOSPC);
	pw_outdir_close(d);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(zeros_of_a_new_file_leave_holes),
		test(a_zero_block_is_told_from_others),
		test(zeros_overwrite_what_is_received_again),
		test(a_digest_takes_any_pieces),
		test(a_truncated_file_has_failed),
		test(a_full_disk_ends_one_file),
		test(a_length_beyond_all_bounds_is_refused),
		test(several_threads_put_side_by_side),
		test(many_mapped_files_keep_no_descriptor),
		cmocka_unit_test(on_hugetlbfs_the_length_is_exact),
	};
	int failed;

	signal(SIGBUS, SIG_DFL);
	assert_int_equal(pw_guard_init(NULL), 0);
	sigaction(SIGBUS, NULL, &guarding);
	dirs_make(&dirs, 4);
	failed = cmocka_run_group_tests_name("page_outfile", tests, NULL, NULL);
	dirs_drop(&dirs);
	return failed;
}
