/* SPDX-License-Identifier: BSD-3-Clause */
#include "file_util.h"

#include <sys/mman.h>

#include "base/bytes.h"
#include "file/filereader.h"
#include "file/stream.h"

#define WAIT_NS 100000000ull

static struct page_dirs dirs;

/* A ring over one file, its pieces one after the other. */
struct fixture {
	struct pw_stream_plan plan;
	struct pw_stream *ring;
	struct pw_window file;
	uint64_t at; /* of the next piece */
	uint64_t end;
	uint32_t slot;      /* of the last piece that was taken */
	unsigned int n_out; /* memory that was not given back */
};

static void *give(void *ctx, size_t len, size_t align)
{
	struct fixture *f = ctx;

	f->n_out++;
	return aligned_alloc(align, len);
}

static void take_back(void *ctx, void *p)
{
	struct fixture *f = ctx;

	f->n_out--;
	free(p);
}

static bool next_piece(void *ctx, struct pw_stream_piece *piece)
{
	struct fixture *f = ctx;

	if (f->at == f->end)
		return false;
	*piece = (struct pw_stream_piece){.file = &f->file,
		.offset = f->at,
		.len_bytes = pw_min_u64(f->plan.slot_bytes, f->end - f->at)};
	f->at += piece->len_bytes;
	return true;
}

static void open_ring(struct fixture *f)
{
	struct pw_stream_config cfg = {.plan = f->plan,
		.mem = {.alloc = give, .free = take_back, .ctx = f},
		.next = next_piece,
		.ctx = f};
	struct pw_err err = {0};
	int ret = pw_stream_create(&f->ring, &cfg, &err);

	if (ret == -EPERM || ret == -ENOSYS) {
		print_message("# skipped: %s\n", err.msg);
		pw_window_close(&f->file);
		skip();
	}
	assert_int_equal(ret, 0);
}

static void open_fixture(struct fixture *f, const char *path, uint32_t n_slots, uint64_t slot_bytes)
{
	struct pw_err err = {0};

	*f = (struct fixture){.plan = {.n_slots = n_slots, .slot_bytes = slot_bytes}};
	assert_int_equal(pw_stream_file_open(&f->file, path, &err), 0);
	f->end = f->file.len_bytes;
	open_ring(f);
}

static void close_fixture(struct fixture *f)
{
	pw_stream_destroy(f->ring);
	pw_window_close(&f->file);
	assert_int_equal(f->n_out, 0);
}

/* NULL: the ring has ended with *ret. */
static const struct pw_stream_piece *await(struct fixture *f, struct pw_window **win, int *ret)
{
	const struct pw_stream_piece *piece = NULL;
	struct pw_err err = {0};
	int i;

	*ret = 0;
	for (i = 0; i < 300 && !piece && *ret == 0; i++) {
		*ret = pw_stream_pump(f->ring, WAIT_NS, &err);
		piece = pw_stream_take(f->ring, &f->slot);
		*win = pw_stream_slot(f->ring, f->slot);
		if (!piece && !pw_stream_owed(f->ring))
			break;
	}
	return piece;
}

static const struct pw_extent *extent_of(const struct pw_window *w, uint64_t offset)
{
	uint32_t i;

	for (i = w->n_extents; i-- > 0;)
		if (w->extents[i].offset <= offset)
			return &w->extents[i];
	fail();
	return NULL;
}

static void assert_piece(const struct pw_window *w, const struct pw_stream_piece *piece)
{
	uint64_t at = piece->offset, end = at + piece->len_bytes;

	while (at < end) {
		const struct pw_extent *extent = extent_of(w, at);
		uint64_t skip = at - extent->offset, n = extent->len_bytes - skip;

		assert_true(extent->len_bytes > skip);
		assert_pattern(extent->va + skip, at, n);
		at += n;
	}
	assert_int_equal(at, end); /* an extent does not go beyond the piece */
}

static void assert_streams(const char *path, uint32_t n_slots, uint64_t slot_bytes)
{
	const struct pw_stream_piece *piece;
	struct pw_window *win;
	struct fixture f;
	uint64_t at = 0;
	int ret;

	open_fixture(&f, path, n_slots, slot_bytes);
	while ((piece = await(&f, &win, &ret))) {
		assert_int_equal(piece->offset, at);
		assert_piece(win, piece);
		at += piece->len_bytes;
		pw_stream_give_back(f.ring, f.slot);
	}
	assert_int_equal(ret, 0);
	assert_int_equal(at, f.file.len_bytes);
	close_fixture(&f);
}

static void files_of_every_size_come_whole_and_in_order(void **state)
{
	/* a slot of whole blocks, and one whose pieces start inside a block */
	static const uint64_t slots[] = {64 * 1440 * 2, 45 * 1433};
	char path[128];
	size_t i, j;

	(void)state;
	path_in(path, sizeof(path), dirs.tmp, "file");
	for (i = 0; i < PW_ARRAY_LEN(slots); i++) {
		const uint64_t slot = slots[i];
		const uint64_t sizes[] = {
			0, 1, 4095, 4096, 4097, slot - 1, slot, slot + 1, 4 * slot, 9 * slot + 777};

		for (j = 0; j < PW_ARRAY_LEN(sizes); j++) {
			make_file(path, sizes[j]);
			assert_streams(path, 4, slot);
		}
	}
}

static void a_file_system_without_o_direct_is_read_with_one_copy_that_is_counted(void **state)
{
	const char *path = "/dev/shm/pw-stream-test";
	bool direct = true;
	struct pw_window w;

	(void)state;
	make_file(path, 300001);
	assert_int_equal(pw_stream_probe(path, &direct, NULL), 0);
	assert_false(direct);
	assert_int_equal(pw_stream_file_open(&w, path, NULL), 0);
	assert_int_equal(w.cpu_copies, 1);
	pw_window_close(&w);
	assert_streams(path, 4, 45 * 1433);
	unlink(path);
}

static void a_slot_is_read_into_again_only_when_it_was_given_back(void **state)
{
	const struct pw_stream_piece *piece;
	struct pw_window *win, *kept;
	struct fixture f;
	char path[128];
	uint32_t slots[4], unused;
	int ret, i;

	(void)state;
	make_file(path_in(path, sizeof(path), dirs.tmp, "file"), 20 * 65536);
	open_fixture(&f, path, 4, 65536);
	for (i = 0; i < 4; i++) {
		piece = await(&f, &win, &ret);
		assert_non_null(piece);
		if (i == 1)
			kept = win;
		slots[i] = f.slot;
	}
	/* every slot is out: nothing is read, and the bytes stay */
	for (i = 0; i < 20; i++)
		assert_int_equal(pw_stream_pump(f.ring, 1000000, NULL), 0);
	assert_null(pw_stream_owed(f.ring));
	assert_null(pw_stream_take(f.ring, &unused));
	assert_int_equal(f.at, 4 * 65536);
	assert_pattern(kept->extents[0].va, 65536, 65536);

	/* lanes give them back in any order */
	pw_stream_give_back(f.ring, slots[1]);
	piece = await(&f, &win, &ret);
	assert_non_null(piece);
	assert_ptr_equal(win, kept);
	assert_int_equal(piece->offset, 4 * 65536);
	assert_int_equal(f.at, 5 * 65536); /* and only that one */
	assert_piece(win, piece);
	close_fixture(&f);
}

static void a_file_that_is_truncated_ends_it_with_its_name(void **state)
{
	static const off_t lengths[] = {5 * 65536 + 100, 5 * 65536 + 4096, 6 * 65536};
	struct pw_window *win;
	struct pw_err err = {0};
	struct fixture f;
	char path[128];
	unsigned int i;
	int ret;

	(void)state;
	path_in(path, sizeof(path), dirs.tmp, "file");
	for (i = 0; i < PW_ARRAY_LEN(lengths); i++) {
		make_file(path, 20 * 65536 + 5);
		open_fixture(&f, path, 4, 65536);
		assert_non_null(await(&f, &win, &ret));
		assert_int_equal(truncate(path, lengths[i]), 0);
		pw_stream_give_back(f.ring, f.slot);
		while (await(&f, &win, &ret))
			pw_stream_give_back(f.ring, f.slot);
		assert_int_equal(ret, -ESTALE);
		assert_int_equal(pw_stream_pump(f.ring, 0, &err), -ESTALE);
		assert_non_null(strstr(err.msg, path));
		assert_non_null(strstr(err.msg, "truncated"));
		close_fixture(&f);
	}
}

static void free_reader(struct pw_window *w)
{
	free(w->priv);
}

/* Nothing is mapped at address 0: reading our own memory there fails as a bad disk does. */
static void a_read_error_ends_it_and_says_where(void **state)
{
	struct pw_filereader *in = calloc(1, sizeof(*in));
	struct pw_err err = {0};
	struct pw_window *win;
	struct fixture f = {.plan = {.n_slots = 4, .slot_bytes = 65536}, .end = 1 << 20};
	int ret;

	(void)state;
	*in = (struct pw_filereader){.fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC),
		.len_bytes = 1 << 20,
		.path = "/disk/bad.img"};
	assert_true(in->fd > 2);
	f.file = (struct pw_window){.pages = PW_PAGES_STREAM,
		.len_bytes = 1 << 20,
		.fd = in->fd,
		.priv = in,
		.release = free_reader};
	open_ring(&f);
	assert_null(await(&f, &win, &ret));
	assert_int_equal(ret, -EIO);
	assert_int_equal(pw_stream_pump(f.ring, 0, &err), -EIO);
	assert_non_null(strstr(err.msg, "/disk/bad.img at byte "));
	close_fixture(&f);
}

static size_t n_cached(int fd, uint64_t len)
{
	unsigned char *seen = malloc(len / 4096);
	void *map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	size_t i, n = 0;

	assert_true(seen && map != MAP_FAILED);
	assert_int_equal(mincore(map, len, seen), 0);
	for (i = 0; i < len / 4096; i++)
		n += seen[i] & 1;
	munmap(map, len);
	free(seen);
	return n;
}

static void streaming_brings_no_page_into_the_page_cache(void **state)
{
	const uint64_t len = 64 * 65536;
	bool direct = false;
	char path[128];
	size_t before;
	int fd;

	(void)state;
	make_file(path_in(path, sizeof(path), dirs.tmp, "file"), len);
	assert_int_equal(pw_stream_probe(path, &direct, NULL), 0);
	if (!direct) {
		print_message("# skipped: %s takes no O_DIRECT\n", dirs.tmp);
		skip();
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fsync(fd), 0);
	assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	before = n_cached(fd, len);
	assert_true(before < len / 4096 / 2);
	assert_streams(path, 4, 65536);
	assert_true(n_cached(fd, len) <= before);
	close(fd);
}

static void a_plan_stays_in_its_memory_and_above_what_the_driver_keeps(void **state)
{
	static const uint32_t symbols[] = {1, 32, 1433, 1440, 8192, 8960, 65507};
	struct pw_stream_need need = {.memory_bytes = 256ull << 20,
		.file_bytes = 1ull << 40,
		.n_parts = 1,
		.out_bytes = 30u << 20};
	struct pw_stream_plan p;
	struct pw_err err = {0};
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(symbols); i++) {
		need.symbol_len = symbols[i];
		assert_int_equal(pw_stream_plan(&p, &need, &err), 0);
		assert_int_equal(p.slot_bytes % symbols[i], 0);
		assert_true(pw_stream_plan_bytes(&p) <= need.memory_bytes);
		assert_true(p.n_slots * p.slot_bytes > need.memory_bytes * 9 / 10);
	}
	need.symbol_len = 1440;
	need.file_bytes = 1 << 20; /* no more than the driver and the file take */
	assert_int_equal(pw_stream_plan(&p, &need, &err), 0);
	assert_true(p.n_slots * p.slot_bytes < 40u << 20);
	need.memory_bytes = 30u << 20;
	assert_int_equal(pw_stream_plan(&p, &need, &err), -ENOMEM);
	assert_non_null(strstr(err.msg, "--stream-memory"));
}

static int setup(void **state)
{
	(void)state;
	dirs_make(&dirs, 0);
	return 0;
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
		cmocka_unit_test(files_of_every_size_come_whole_and_in_order),
		cmocka_unit_test(
			a_file_system_without_o_direct_is_read_with_one_copy_that_is_counted),
		cmocka_unit_test(a_slot_is_read_into_again_only_when_it_was_given_back),
		cmocka_unit_test(a_file_that_is_truncated_ends_it_with_its_name),
		cmocka_unit_test(a_read_error_ends_it_and_says_where),
		cmocka_unit_test(streaming_brings_no_page_into_the_page_cache),
		cmocka_unit_test(a_plan_stays_in_its_memory_and_above_what_the_driver_keeps),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
