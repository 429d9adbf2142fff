/* SPDX-License-Identifier: BSD-3-Clause */
/* Files that are written past the page cache, from memory that they share. */
#include <signal.h>
#include <sys/resource.h>

#include "file/outpool_private.h"
#include "file/regfile.h"
#include "outdir_util.h"

#define LEN (9ull * MIB + 4097) /* chunks of 2 MiB, and a last one with a part of a block */

static struct outdir_test t;
static struct page_dirs dirs;

/* The least memory there may be: 4 chunks. */
static int setup(void **state)
{
	(void)state;
	return outdir_start(&t, (struct pw_outdir_config){.write = PW_OUTDIR_DIRECT,
					.write_memory_bytes = PW_OUTDIR_MEMORY_LO});
}

static int teardown(void **state)
{
	(void)state;
	outdir_end(&t);
	return 0;
}

static struct pw_outfile *make(const char *name, uint64_t len, uint32_t symbol)
{
	struct pw_outfile *f = NULL;
	struct pw_err err = {0};

	if (pw_outdir_create(t.d, name, len, symbol, 0, &f, &err) < 0)
		fail_msg("%s", err.msg);
	assert_non_null(f->direct);
	assert_null(f->base);
	return f;
}

static void put_symbol(struct pw_outfile *f, uint64_t i, uint32_t symbol)
{
	const uint64_t at = i * symbol;

	put_pattern(f, at, at + symbol > f->len_bytes ? (uint32_t)(f->len_bytes - at) : symbol);
}

static uint64_t n_symbols(const struct pw_outfile *f, uint32_t symbol)
{
	return (f->len_bytes + symbol - 1) / symbol;
}

static void put_all(struct pw_outfile *f, uint32_t symbol)
{
	uint64_t i;

	for (i = 0; i < n_symbols(f, symbol); i++)
		put_symbol(f, i, symbol);
}

/* Since it was `before`; no claim where the kernel does not count. */
static void assert_wrote_at_most(uint64_t before, uint64_t bytes)
{
	uint64_t after = written_bytes();

	if (after != UINT64_MAX)
		assert_true(after - before <= bytes);
}

/* NAME.part has all of the pattern, also on the disk. */
static void assert_synced(struct pw_outfile *f, const char *name)
{
	assert_int_equal(pw_outfile_sync(f, NULL), 0);
	assert_file_pattern(in_out(&t, name), 0, f->len_bytes);
}

static void assert_digest(struct pw_outfile *f)
{
	struct pw_digest_state *s;
	struct pw_digest got, want;
	struct pw_err err = {0};

	assert_int_equal(pw_digest_create(&s, PW_DIGEST_XXH3_128, NULL), 0);
	assert_int_equal(pw_outfile_digest(f, s, 0, f->len_bytes, false, &err), f->len_bytes);
	assert_int_equal(err.code, 0);
	pw_digest_final(s, &got);
	pw_digest_destroy(s);
	digest_of_pattern(f->len_bytes, &want);
	assert_memory_equal(got.bytes, want.bytes, 16);
}

static void in_order_it_never_sees_the_page_cache(void **state)
{
	static const uint32_t symbols[] = {1440, 8192, 1433, 512};
	struct pw_outfile *f;
	size_t k;

	(void)state;
	for (k = 0; k < 4; k++) {
		f = make("order", LEN, symbols[k]);
		put_all(f, symbols[k]);
		assert_int_equal(pw_outfile_sync(f, NULL), 0);
		/* but for the last block, which is no whole one */
		assert_true(n_cached(in_out(&t, "order.part")) <= 2);
		assert_file_pattern(in_out(&t, "order.part"), 0, LEN);
		assert_digest(f);
		pw_outfile_close(f);
	}
}

static void any_order_makes_the_same_file(void **state)
{
	struct pw_outfile *f = make("any", LEN, 1440);
	const uint64_t n = n_symbols(f, 1440);
	uint64_t i;

	(void)state;
	/* 1009 is a prime, so every symbol comes once */
	for (i = 0; i < n; i++)
		put_symbol(f, i * 1009 % n, 1440);
	assert_digest(f);
	assert_synced(f, "any.part");
	pw_outfile_close(f);
}

static void bytes_that_are_no_whole_symbols_get_there_too(void **state)
{
	struct pw_outfile *f = make("odd", LEN, 1440);
	uint64_t at = 0;
	uint32_t n, k = 0;

	(void)state;
	for (; at < LEN; at += n, k++) {
		n = 700 + k * 37 % 3000;
		n = at + n > LEN ? (uint32_t)(LEN - at) : n;
		put_pattern(f, at, n);
	}
	assert_digest(f);
	assert_synced(f, "odd.part");
	pw_outfile_close(f);
}

/* Chunks with holes leave memory; what is missing comes afterwards. */
static void what_comes_late_is_written_by_itself(void **state)
{
	const uint64_t len = 40 * MIB;
	struct pw_outfile *f = make("late", len, 1440);
	const uint64_t n = n_symbols(f, 1440);
	uint64_t i;

	(void)state;
	for (i = 0; i < n; i++)
		if (i % 97 != 13 && !(i > 1456 && i < 1460))
			put_symbol(f, i, 1440);
	for (i = 0; i < n; i++)
		if (i % 97 == 13 || (i > 1456 && i < 1460))
			put_symbol(f, i, 1440);
	assert_synced(f, "late.part");
	assert_digest(f);
	pw_outfile_close(f);
}

/* Only what came is written, and holes stay holes. */
static void packets_far_apart_cost_little(void **state)
{
	struct pw_outfile *f = make("far", 1000ull * 2 * MIB, 1024);
	uint64_t i, before;
	struct stat st;

	(void)state;
	before = written_bytes();
	for (i = 0; i < 1000; i++)
		put_symbol(f, i * 2048 + i % 7, 1024);
	assert_int_equal(pw_outfile_sync(f, NULL), 0);
	assert_wrote_at_most(before, 2 * 1000 * 4096);
	assert_int_equal(stat(in_out(&t, "far.part"), &st), 0);
	assert_true(st.st_blocks * 512 <= 2 * 1000 * 4096);
	for (i = 0; i < 1000; i++)
		assert_file_pattern(in_out(&t, "far.part"), (i * 2048 + i % 7) * 1024, 1024);
	pw_outfile_close(f);
}

/* A packet of each in turn: more files than there are chunks. */
static void jumping_between_files_costs_about_their_bytes(void **state)
{
	enum { N = 24 };
	const uint64_t len = 1 * MIB;
	struct pw_outfile *f[N];
	uint64_t i, before;
	char name[32];
	int k;

	(void)state;
	for (k = 0; k < N; k++) {
		snprintf(name, sizeof(name), "j%d", k);
		f[k] = make(name, len, 1440);
	}
	before = written_bytes();
	for (i = 0; i < n_symbols(f[0], 1440); i++)
		for (k = 0; k < N; k++)
			put_symbol(f[k], i, 1440);
	for (k = 0; k < N; k++)
		assert_int_equal(pw_outfile_flush(f[k], NULL), 0);
	assert_wrote_at_most(before, 2 * N * len);
	for (k = 0; k < N; k++) {
		snprintf(name, sizeof(name), "j%d.part", k);
		assert_file_pattern(in_out(&t, name), 0, len);
		pw_outfile_close(f[k]);
	}
}

static void zeros_of_a_new_file_leave_holes(void **state)
{
	static const uint8_t zeros[8192];
	struct pw_outfile *f = make("z", 64 * MIB, 8192);
	struct stat st;
	uint64_t at;

	(void)state;
	for (at = 0; at < 64 * MIB; at += 8192)
		if (at == 31 * MIB)
			put_pattern(f, at, 8192);
		else
			pw_outfile_put(f, at, zeros, 8192);
	assert_int_equal(pw_outfile_sync(f, NULL), 0);
	assert_int_equal(stat(in_out(&t, "z.part"), &st), 0);
	assert_true(st.st_blocks * 512 <= 3 * MIB);
	assert_file_pattern(in_out(&t, "z.part"), 31 * MIB, 8192);
	pw_outfile_close(f);
}

static void a_content_that_comes_again_replaces_the_first(void **state)
{
	static uint8_t first[8192], zeros[8192];
	struct pw_outfile *f = make("again", 24 * MIB, 8192);
	uint64_t at;
	int round;

	(void)state;
	memset(first, 0xa5, sizeof(first));
	for (round = 0; round < 3; round++) {
		/* chunks that are filling, being written, written, and gone */
		for (at = 0; at < 23 * MIB; at += 8192)
			if (at % 100 != 7)
				pw_outfile_put(f, at, first, 8192);
		pw_outfile_rewrite(f);
	}
	for (at = 0; at < 24 * MIB; at += 8192)
		if (at / 8192 % 3 == 0)
			pw_outfile_put(f, at, zeros, 8192);
		else
			put_pattern(f, at, 8192);
	assert_int_equal(pw_outfile_sync(f, NULL), 0);
	for (at = 0; at < 24 * MIB; at += 8192) {
		int fd = open(in_out(&t, "again.part"), O_RDONLY | O_CLOEXEC);

		if (at / 8192 % 3 == 0) {
			assert_int_equal(pread(fd, first, 8192, (off_t)at), 8192);
			assert_memory_equal(first, zeros, 8192);
		} else {
			assert_file_pattern(in_out(&t, "again.part"), at, 8192);
		}
		close(fd);
	}
	pw_outfile_close(f);
}

static void a_digest_in_memory_stops_where_memory_ends(void **state)
{
	struct pw_outfile *f = make("mem", 32 * MIB, 1440);
	struct pw_digest_state *s;
	struct pw_digest got, want;
	struct pw_err err = {0};
	uint64_t i, at = 0;

	(void)state;
	assert_int_equal(pw_digest_create(&s, PW_DIGEST_XXH3_128, NULL), 0);
	for (i = 0; i < 1500; i++)
		put_symbol(f, i, 1440);
	/* across two chunks, the first of which may have been written */
	at = pw_outfile_digest(f, s, 0, 1500 * 1440, true, &err);
	assert_int_equal(at, 1500 * 1440);
	/* never beyond what came */
	assert_int_equal(pw_outfile_digest(f, s, at, at, true, &err), at);
	for (; i < n_symbols(f, 1440); i++)
		put_symbol(f, i, 1440);
	assert_int_equal(pw_outfile_flush(f, NULL), 0);
	/* its chunk was recycled long ago */
	assert_int_equal(pw_outfile_digest(f, s, at, 32 * MIB, true, &err), at);
	assert_int_equal(err.code, 0);
	assert_int_equal(pw_outfile_digest(f, s, at, 20 * MIB + 5, false, &err), 20 * MIB + 5);
	assert_int_equal(pw_outfile_digest(f, s, 20 * MIB + 5, 32 * MIB, false, &err), 32 * MIB);
	assert_int_equal(err.code, 0);
	pw_digest_final(s, &got);
	pw_digest_destroy(s);
	digest_of_pattern(32 * MIB, &want);
	assert_memory_equal(got.bytes, want.bytes, 16);
	/* the last chunk is still there */
	assert_int_equal(pw_digest_create(&s, PW_DIGEST_XXH3_128, NULL), 0);
	assert_int_equal(pw_outfile_digest(f, s, 31 * MIB, 32 * MIB, true, &err), 32 * MIB);
	pw_digest_destroy(s);
	pw_outfile_close(f);
}

static void a_file_may_be_flushed_again_and_again(void **state)
{
	struct pw_outfile *f = make("flush", LEN, 1440);
	uint64_t i, before = written_bytes();

	(void)state;
	for (i = 0; i < n_symbols(f, 1440); i++) {
		put_symbol(f, i, 1440);
		if (i % 300 == 7) {
			assert_int_equal(pw_outfile_flush(f, NULL), 0);
			assert_file_pattern(in_out(&t, "flush.part"), 0, (i + 1) * 1440);
		}
	}
	assert_int_equal(pw_outfile_sync(f, NULL), 0);
	assert_wrote_at_most(before, 2 * LEN);
	assert_file_pattern(in_out(&t, "flush.part"), 0, LEN);
	pw_outfile_close(f);
}

static void a_file_that_is_truncated_has_failed(void **state)
{
	struct pw_outfile *f = make("cut", LEN, 1440);
	struct pw_err err = {0};
	uint64_t i;

	(void)state;
	for (i = 0; i < n_symbols(f, 1440); i++) {
		put_symbol(f, i, 1440);
		if (i == 3000)
			assert_int_equal(truncate(in_out(&t, "cut.part"), LEN + 5), 0);
	}
	assert_int_equal(pw_outfile_sync(f, &err), -ESTALE);
	assert_int_equal(pw_outfile_failed(f), ESTALE);
	assert_non_null(strstr(err.msg, "cut"));
	pw_outfile_close(f);
}

/* A limit on a file's length is an error of writing that can be had anywhere. */
static void a_write_that_fails_ends_one_file(void **state)
{
	struct pw_outfile *f = make("long", LEN, 1440), *other = make("short", 2 * MIB, 1440);
	struct rlimit before, limit;
	struct pw_err err = {0};
	struct pw_digest_state *s;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = (struct rlimit){4 * MIB, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	put_all(f, 1440);
	put_all(other, 1440);
	assert_int_equal(pw_outfile_sync(f, &err), -EFBIG);
	assert_int_equal(pw_outfile_failed(f), EFBIG);
	assert_true(pw_outdir_is_refusal(err.code));
	assert_int_equal(pw_digest_create(&s, PW_DIGEST_XXH3_128, NULL), 0);
	err.code = 0;
	assert_true(pw_outfile_digest(f, s, 0, LEN, false, &err) < LEN);
	assert_int_equal(err.code, EFBIG);
	pw_digest_destroy(s);
	assert_int_equal(pw_outfile_sync(other, NULL), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_file_pattern(in_out(&t, "short.part"), 0, 2 * MIB);
	pw_outfile_close(f);
	pw_outfile_close(other);
}

static void closing_waits_for_nothing(void **state)
{
	char name[32];
	uint64_t i;
	int k;

	(void)state;
	for (k = 0; k < 20; k++) {
		struct pw_outfile *f;

		snprintf(name, sizeof(name), "close%d", k);
		f = make(name, LEN, 1440);
		for (i = 0; i < n_symbols(f, 1440) - (k % 2 ? 5 : 0); i++)
			put_symbol(f, i, 1440);
		pw_outfile_close(f);
	}
}

static void short_symbols_and_small_files_are_mapped(void **state)
{
	struct pw_outdir_config cfg = {.path = t.dir};
	struct pw_outfile *f;

	(void)state;
	assert_int_equal(pw_outdir_create(t.d, "short", LEN, 100, 0, &f, NULL), 0);
	assert_null(f->direct);
	assert_non_null(f->base);
	assert_int_equal(t.n_warnings, 1);
	pw_outfile_close(f);
	assert_int_equal(pw_outdir_create(t.d, "short", LEN, 100, 0, &f, NULL), 0);
	assert_int_equal(t.n_warnings, 1);
	pw_outfile_close(f);
	pw_outdir_close(t.d);
	assert_int_equal(pw_outdir_open(&t.d, &cfg, NULL), 0);
	assert_int_equal(pw_outdir_create(t.d, "a", 64 * MIB - 1, 1440, 0, &f, NULL), 0);
	assert_non_null(f->base);
	pw_outfile_close(f);
	assert_int_equal(pw_outdir_create(t.d, "a", 64 * MIB, 1440, 0, &f, NULL), 0);
	assert_non_null(f->direct);
	pw_outfile_close(f);
}

static void memory_has_bounds(void **state)
{
	struct pw_outdir_config cfg = {.path = t.dir, .write_memory_bytes = 4 * MIB};
	struct pw_outdir *d;

	(void)state;
	assert_int_equal(pw_outdir_open(&d, &cfg, NULL), -EINVAL);
	cfg.write_memory_bytes = 512ull * MIB;
	assert_int_equal(pw_outdir_open(&d, &cfg, NULL), -EINVAL);
}

#define N_THREADS 4u
#define N_FILES   3u
#define SHARED    (24ull * MIB + 999)

struct putter {
	struct pw_outfile **files;
	unsigned int n;
	atomic_uint *n_ready;
};

/* Every symbol of every file belongs to one thread. Each takes another way through them, some leave
 * gaps that they fill in the end. */
static void *put_own(void *arg)
{
	struct putter *p = arg;
	const uint64_t n = (SHARED + 1439) / 1440;
	uint64_t i, k;

	for (k = 0; k < 2; k++)
		for (i = 0; i < n * N_FILES; i++) {
			struct pw_outfile *f = p->files[(i + p->n) % N_FILES];
			uint64_t symbol = i / N_FILES;

			if (symbol % N_THREADS == p->n && (symbol % 50 == 3) == (k == 1))
				put_symbol(f, symbol, 1440);
		}
	atomic_fetch_add(p->n_ready, 1);
	return NULL;
}

/* Meanwhile another one flushes. */
static void several_threads_put_to_several_files(void **state)
{
	struct pw_outfile *files[N_FILES];
	pthread_t threads[N_THREADS];
	struct putter p[N_THREADS];
	atomic_uint n_ready = 0;
	char name[32];
	unsigned int i;

	(void)state;
	for (i = 0; i < N_FILES; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		files[i] = make(name, SHARED, 1440);
	}
	for (i = 0; i < N_THREADS; i++) {
		p[i] = (struct putter){files, i, &n_ready};
		assert_int_equal(pthread_create(&threads[i], NULL, put_own, &p[i]), 0);
	}
	for (i = 0; atomic_load(&n_ready) < N_THREADS; i++) {
		assert_int_equal(pw_outfile_flush(files[i % N_FILES], NULL), 0);
		usleep(2000);
	}
	for (i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < N_FILES; i++) {
		assert_int_equal(pw_outfile_sync(files[i], NULL), 0);
		snprintf(name, sizeof(name), "t%u.part", i);
		assert_file_pattern(in_out(&t, name), 0, SHARED);
		assert_digest(files[i]);
		pw_outfile_close(files[i]);
	}
}

struct follower {
	struct pw_outfile *f;
	_Atomic uint64_t put; /* all bytes before it were put */
	struct pw_digest got;
};

static void *follow(void *arg)
{
	struct follower *w = arg;
	struct pw_digest_state *s;
	struct pw_err err = {0};
	uint64_t at = 0;

	if (pw_digest_create(&s, PW_DIGEST_XXH3_128, NULL) < 0)
		return NULL;
	while (at < w->f->len_bytes && err.code == 0) {
		uint64_t to = atomic_load(&w->put);

		at = pw_outfile_digest(w->f, s, at, to, at % 3 != 0, &err);
		sched_yield();
		if (at % 3 && at < to) /* recycled */
			at = pw_outfile_digest(w->f, s, at, to, false, &err);
	}
	pw_digest_final(s, &w->got);
	pw_digest_destroy(s);
	return NULL;
}

static void a_digest_follows_the_bytes(void **state)
{
	struct follower w = {.f = make("follow", SHARED, 1440)};
	struct pw_digest want;
	pthread_t thread;
	uint64_t i;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, follow, &w), 0);
	for (i = 0; i < n_symbols(w.f, 1440); i++) {
		put_symbol(w.f, i, 1440);
		atomic_store(&w.put, i * 1440 + 1440 > SHARED ? SHARED : (i + 1) * 1440);
	}
	pthread_join(thread, NULL);
	digest_of_pattern(SHARED, &want);
	assert_memory_equal(w.got.bytes, want.bytes, 16);
	assert_synced(w.f, "follow.part");
	pw_outfile_close(w.f);
}

static bool takes_direct(const char *dir)
{
	char path[128];
	bool takes;
	int fd;

	fd = open(path_in(path, sizeof(path), dir, "probe"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	takes = fd >= 0 && pw_regfile_takes_direct(fd);
	close(fd);
	unlink(path);
	return takes;
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(in_order_it_never_sees_the_page_cache),
		test(any_order_makes_the_same_file),
		test(bytes_that_are_no_whole_symbols_get_there_too),
		test(what_comes_late_is_written_by_itself),
		test(packets_far_apart_cost_little),
		test(jumping_between_files_costs_about_their_bytes),
		test(zeros_of_a_new_file_leave_holes),
		test(a_content_that_comes_again_replaces_the_first),
		test(a_digest_in_memory_stops_where_memory_ends),
		test(a_file_may_be_flushed_again_and_again),
		test(a_file_that_is_truncated_has_failed),
		test(a_write_that_fails_ends_one_file),
		test(closing_waits_for_nothing),
		test(short_symbols_and_small_files_are_mapped),
		test(memory_has_bounds),
		test(several_threads_put_to_several_files),
		test(a_digest_follows_the_bytes),
	};
	int failed = 77;

	dirs = (struct page_dirs){.tmp = "/var/tmp/pagewire-test-XXXXXX"};
	if (!mkdtemp(dirs.tmp))
		return 1;
	if (takes_direct(dirs.tmp))
		failed = cmocka_run_group_tests_name("page_outdirect", tests, NULL, NULL);
	else
		print_message("# skipped: %s takes no O_DIRECT\n", dirs.tmp);
	dirs_drop(&dirs);
	return failed;
}
