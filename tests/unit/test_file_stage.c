/* SPDX-License-Identifier: BSD-3-Clause */
#include "file_util.h"

#include <sys/mman.h>

#include "base/bytes.h"
#include "file/window.h"

static struct page_dirs dirs;

/* Memory that is as short and as scattered as a test wants it, and counts. */
struct memory {
	struct pw_stage_mem mem;
	uint64_t piece_bytes; /* nothing larger is in one piece */
	uint64_t left_bytes;
	unsigned int n_allocs;
	unsigned int n_out;
};

static void *give(void *ctx, size_t len, size_t align)
{
	struct memory *m = ctx;

	m->n_allocs++;
	assert_int_equal(len % 4096, 0);
	assert_true(len <= m->mem.max_extent_bytes);
	if (len > m->piece_bytes || len > m->left_bytes)
		return NULL;
	m->left_bytes -= len;
	m->n_out++;
	return aligned_alloc(align, len);
}

static void take_back(void *ctx, void *p)
{
	struct memory *m = ctx;

	assert_non_null(p);
	m->n_out--;
	free(p);
}

static void memory_init(struct memory *m, uint64_t max_extent_bytes)
{
	*m = (struct memory){
		.mem = {.alloc = give, .free = take_back, .max_extent_bytes = max_extent_bytes},
		.piece_bytes = UINT64_MAX,
		.left_bytes = UINT64_MAX,
	};
	m->mem.ctx = m;
}

/* Every byte once, in order, and right; all runs but the last a multiple of unit. */
static void assert_runs(const struct pw_window *w, uint64_t len, uint64_t unit)
{
	uint64_t at = 0;
	uint32_t i;

	assert_int_equal(w->pages, PW_PAGES_STAGE);
	assert_int_equal(w->len_bytes, len);
	for (i = 0; i < w->n_extents; i++) {
		const struct pw_extent *run = &w->extents[i];

		assert_int_equal(run->offset, at);
		assert_true(run->len_bytes > 0);
		assert_true(run->iova == PW_IOVA_NONE);
		assert_int_equal((uintptr_t)run->va % 4096, 0);
		if (i + 1 < w->n_extents)
			assert_int_equal(run->len_bytes % unit, 0);
		assert_pattern(run->va, at, run->len_bytes);
		at += run->len_bytes;
	}
	assert_int_equal(at, len);
}

static void files_of_every_size_in_one_extent(void **state)
{
	static const uint64_t sizes[] = {0, 1, 511, 4095, 4096, 4097, HUGE_BYTES - 1, HUGE_BYTES,
		HUGE_BYTES + 1, 9 * HUGE_BYTES + 777};
	char path[128];
	size_t i;

	(void)state;
	path_in(path, sizeof(path), dirs.tmp, "file");
	for (i = 0; i < PW_ARRAY_LEN(sizes); i++) {
		struct pw_window w;
		struct memory m;

		memory_init(&m, 64 * HUGE_BYTES);
		make_file(path, sizes[i]);
		assert_int_equal(pw_stage_open(&w, path, 1440, &m.mem, NULL, NULL, NULL), 0);
		assert_int_equal(w.n_extents, sizes[i] ? 1 : 0);
		assert_runs(&w, sizes[i], 1440);
		assert_int_equal(m.n_out, w.n_extents);
		assert_int_equal(pw_window_check(&w, path, NULL), 0);
		pw_window_close(&w);
		assert_int_equal(m.n_out, 0);
	}
}

static void extents_hold_whole_symbols_and_blocks(void **state)
{
	static const struct {
		uint32_t symbol_len;
		uint64_t max_bytes, extent_bytes;
	} cases[] = {
		{1024, 65536, 65536},
		{1024, 65535, 61440},
		{1440, 200000, 184320}, /* lcm(1440, 4096) */
		{1440, 400000, 368640},
		{8928, 1200000, 1142784}, /* lcm(8928, 4096) */
		{1440, 8192, 8192},       /* no symbol multiple fits: blocks */
		{1439, 1 << 20, 1 << 20},
	};
	char path[128];
	uint64_t len = 2345678;
	size_t i;

	(void)state;
	make_file(path_in(path, sizeof(path), dirs.tmp, "file"), len);
	for (i = 0; i < PW_ARRAY_LEN(cases); i++) {
		struct pw_window w;
		struct memory m;

		memory_init(&m, cases[i].max_bytes);
		assert_int_equal(
			pw_stage_open(&w, path, cases[i].symbol_len, &m.mem, NULL, NULL, NULL), 0);
		assert_int_equal(w.n_extents, pw_div_ceil(len, cases[i].extent_bytes));
		assert_int_equal(w.extents[0].len_bytes, cases[i].extent_bytes);
		assert_runs(&w, len, cases[i].extent_bytes);
		assert_int_equal(m.n_out, w.n_extents);
		pw_window_close(&w);
		assert_int_equal(m.n_out, 0);
	}
}

static void scattered_memory_gives_smaller_extents(void **state)
{
	uint64_t len = 20 * HUGE_BYTES + 5;
	struct pw_window w;
	struct memory m;
	char path[128];

	(void)state;
	memory_init(&m, 64 * HUGE_BYTES);
	m.piece_bytes = 3 * HUGE_BYTES;
	make_file(path_in(path, sizeof(path), dirs.tmp, "file"), len);
	assert_int_equal(pw_stage_open(&w, path, 1024, &m.mem, NULL, NULL, NULL), 0);
	assert_true(w.n_extents >= 7 && w.n_extents <= 16);
	assert_true(m.n_allocs <= w.n_extents + 8); /* a size that failed is not asked for again */
	assert_runs(&w, len, 4096);
	pw_window_close(&w);
	assert_int_equal(m.n_out, 0);
}

static void too_little_memory_says_how_much_is_missing(void **state)
{
	struct pw_err err = {0};
	struct pw_window w;
	struct memory m;
	char path[128];

	(void)state;
	memory_init(&m, 2 * HUGE_BYTES);
	m.left_bytes = 4 * HUGE_BYTES;
	make_file(path_in(path, sizeof(path), dirs.tmp, "file"), 10 * HUGE_BYTES);
	assert_int_equal(pw_stage_open(&w, path, 1024, &m.mem, NULL, NULL, &err), -ENOMEM);
	assert_non_null(strstr(err.msg, "12.0 MiB of its 20.0 MiB"));
	assert_non_null(strstr(err.msg, "--memory"));
	assert_non_null(strstr(err.msg, "hugepages.free"));
	assert_int_equal(m.n_out, 0);
	assert_true(m.n_allocs < 16);
	assert_int_equal(w.fd, 0);
	assert_int_equal(w.n_extents, 0);
}

struct meddler {
	const char *path;
	int calls;
	uint64_t last;
	int cancel_at;
	off_t truncate_to; /* -1: do not */
	bool touch;
};

static bool meddle(void *ctx, uint64_t done, uint64_t total)
{
	struct meddler *x = ctx;
	struct timespec ts[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1}};

	assert_true(done > x->last && done <= total);
	x->last = done;
	if (++x->calls == 1 && x->truncate_to >= 0)
		assert_int_equal(truncate(x->path, x->truncate_to), 0);
	if (x->touch)
		assert_int_equal(utimensat(AT_FDCWD, x->path, ts, 0), 0);
	return x->calls != x->cancel_at;
}

static void stage_meddled(struct meddler *x, int want, const char *reason)
{
	struct pw_err err = {0};
	struct pw_window w;
	struct memory m;
	char path[128];
	int ret;

	memory_init(&m, 2 * HUGE_BYTES);
	make_file(path_in(path, sizeof(path), dirs.tmp, "file"), 10 * HUGE_BYTES + 1);
	x->path = path;
	ret = pw_stage_open(&w, path, 1024, &m.mem, meddle, x, &err);
	assert_int_equal(ret, want);
	if (ret < 0)
		assert_non_null(strstr(err.msg, reason));
	else
		assert_int_equal(x->last, 10 * HUGE_BYTES + 1);
	pw_window_close(&w);
	assert_int_equal(m.n_out, 0);
}

static void progress_is_told_and_may_cancel(void **state)
{
	struct meddler plain = {.truncate_to = -1};
	struct meddler cancels = {.truncate_to = -1, .cancel_at = 2};

	(void)state;
	stage_meddled(&plain, 0, NULL);
	assert_true(plain.calls >= 5);
	stage_meddled(&cancels, -ECANCELED, "interrupted");
	assert_int_equal(cancels.calls, 2);
}

static void a_file_that_changes_meanwhile_is_an_error(void **state)
{
	struct meddler cuts = {.truncate_to = 7 * HUGE_BYTES + 100};
	struct meddler cuts_all = {.truncate_to = 0};
	struct meddler grows = {.truncate_to = 20 * HUGE_BYTES};
	struct meddler touches = {.truncate_to = -1, .touch = true};

	(void)state;
	stage_meddled(&cuts, -ESTALE, "truncated");
	stage_meddled(&cuts_all, -ESTALE, "truncated");
	stage_meddled(&grows, -ESTALE, "was changed");
	stage_meddled(&touches, -ESTALE, "was changed");
}

static void what_happens_after_staging_does_not_matter(void **state)
{
	struct pw_window w;
	struct memory m;
	char path[128];

	(void)state;
	memory_init(&m, HUGE_BYTES);
	make_file(path_in(path, sizeof(path), dirs.tmp, "file"), 100000);
	assert_int_equal(pw_stage_open(&w, path, 1000, &m.mem, NULL, NULL, NULL), 0);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(pw_window_check(&w, path, NULL), 0);
	assert_runs(&w, 100000, 1000);
	pw_window_close(&w);
}

/* tmpfs accepts O_DIRECT since 6.6 and copies all the same. */
static void a_copy_is_counted_where_direct_reading_is_none(void **state)
{
	struct pw_window w;
	struct memory m;
	char path[64];
	uint8_t *p;
	int fd = memfd_create("pagewire-test", MFD_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 300000), 0);
	p = mmap(NULL, 300000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	fill_pattern(p, 0, 300000);
	munmap(p, 300000);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	memory_init(&m, 65536);
	assert_int_equal(pw_stage_open(&w, path, 1024, &m.mem, NULL, NULL, NULL), 0);
	assert_int_equal(w.cpu_copies, 1);
	assert_runs(&w, 300000, 65536);
	pw_window_close(&w);
	close(fd);
}

static void no_copy_is_counted_on_a_disk(void **state)
{
	struct statx sx = {0};
	struct pw_window w;
	struct memory m;
	char path[128];

	(void)state;
	memory_init(&m, HUGE_BYTES);
	make_file(path_in(path, sizeof(path), dirs.tmp, "file"), 3 * HUGE_BYTES + 77);
#ifdef STATX_DIOALIGN
	if (statx(AT_FDCWD, path, 0, STATX_DIOALIGN, &sx) < 0 || !(sx.stx_mask & STATX_DIOALIGN) ||
		sx.stx_dio_offset_align == 0 || sx.stx_dio_offset_align > 4096)
		skip();
#else
	skip();
#endif
	assert_int_equal(pw_stage_open(&w, path, 1024, &m.mem, NULL, NULL, NULL), 0);
	assert_int_equal(w.cpu_copies, 0);
	assert_runs(&w, 3 * HUGE_BYTES + 77, 4096);
	pw_window_close(&w);
}

static void what_cannot_be_staged_is_refused(void **state)
{
	struct pw_err err = {0};
	struct pw_window w;
	struct memory m;
	char path[128];

	(void)state;
	memory_init(&m, HUGE_BYTES);
	assert_int_equal(pw_stage_open(&w, dirs.tmp, 1024, &m.mem, NULL, NULL, &err), -EISDIR);
	assert_int_equal(pw_stage_open(&w, "/dev/zero", 1024, &m.mem, NULL, NULL, &err), -EINVAL);
	path_in(path, sizeof(path), dirs.tmp, "missing");
	assert_int_equal(pw_stage_open(&w, path, 1024, &m.mem, NULL, NULL, &err), -ENOENT);
	assert_non_null(strstr(err.msg, path));
	make_file(path, 1);
	assert_int_equal(pw_stage_open(&w, path, 0, &m.mem, NULL, NULL, &err), -EINVAL);
	m.mem.max_extent_bytes = 4095;
	assert_int_equal(pw_stage_open(&w, path, 1024, &m.mem, NULL, NULL, &err), -EINVAL);
	assert_int_equal(m.n_allocs, 0);
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
		cmocka_unit_test(files_of_every_size_in_one_extent),
		cmocka_unit_test(extents_hold_whole_symbols_and_blocks),
		cmocka_unit_test(scattered_memory_gives_smaller_extents),
		cmocka_unit_test(too_little_memory_says_how_much_is_missing),
		cmocka_unit_test(progress_is_told_and_may_cancel),
		cmocka_unit_test(a_file_that_changes_meanwhile_is_an_error),
		cmocka_unit_test(what_happens_after_staging_does_not_matter),
		cmocka_unit_test(a_copy_is_counted_where_direct_reading_is_none),
		cmocka_unit_test(no_copy_is_counted_on_a_disk),
		cmocka_unit_test(what_cannot_be_staged_is_refused),
	};

	dirs_make(&dirs, 0);
	return cmocka_run_group_tests(tests, NULL, teardown);
}
