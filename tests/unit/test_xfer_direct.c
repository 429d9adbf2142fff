/* SPDX-License-Identifier: BSD-3-Clause */
/* Files that are written past the page cache while their symbols come. */
#include <sys/mman.h>

#include "page/window.h"
#include "xfer/direct.h"
#include "xfer_util.h"

#define MIB (1u << 20)
#define LEN (9u * MIB + 4097) /* chunks of 2 MiB, and a last one with a part of a block */

static char dir[64];

static struct pw_recv_config config(void)
{
	return (struct pw_recv_config){.out_dir = dir, .write = PW_WRITE_DIRECT, .force = true};
}

static size_t n_cached(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t i, n_pages, n = 0;
	unsigned char *seen;
	void *map;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	n_pages = ((size_t)st.st_size + 4095) / 4096;
	seen = malloc(n_pages);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(seen && map != MAP_FAILED);
	assert_int_equal(mincore(map, (size_t)st.st_size, seen), 0);
	for (i = 0; i < n_pages; i++)
		n += seen[i] & 1;
	munmap(map, (size_t)st.st_size);
	free(seen);
	close(fd);
	return n;
}

static void receive(const struct source *s, const struct packets *p)
{
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);

	push(r, p);
	settle(r);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	assert_state(r, 0, PW_RECV_COMPLETE);
	pw_recv_destroy(r);
	(void)s;
}

static void in_order_it_never_sees_the_page_cache(void **state)
{
	static const uint32_t symbols[] = {1440, 8192, 1433};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		struct source s = source_make(1, "order", LEN, symbols[i], PW_DIGEST_XXH3_128);
		struct packets p = {0};

		packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
		packets_add_file(&p, TSI, &s);
		receive(&s, &p);
		/* but for the last block, which is no whole one */
		assert_true(n_cached(in_dir(dir, "order")) <= 2);
		assert_content(in_dir(dir, "order"), &s);
		packets_drop(&p);
		source_drop(&s);
	}
}

static void any_order_makes_the_same_file(void **state)
{
	struct source s = source_make(1, "any", LEN, 1440, PW_DIGEST_XXH3_128);
	struct packets p = {0};
	const size_t half = (size_t)source_symbols(&s) / 2;
	struct pw_rx_view *v;
	size_t i;

	(void)state;
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	packets_add_file(&p, TSI, &s);
	shuffle(p.v + 1, p.n - 1, 5);
	receive(&s, &p);
	assert_content(in_dir(dir, "any"), &s);
	packets_drop(&p);

	/* two queues of a sender: its halves side by side */
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	packets_add_file(&p, TSI, &s);
	v = malloc(p.n * sizeof(*v));
	memcpy(v, p.v, p.n * sizeof(*v));
	for (i = 0; i < half; i++) {
		p.v[1 + 2 * i] = v[1 + i];
		p.v[2 + 2 * i] = v[1 + half + i];
	}
	receive(&s, &p);
	assert_content(in_dir(dir, "any"), &s);
	free(v);
	packets_drop(&p);
	source_drop(&s);
}

static void what_is_lost_is_repaired_by_resume(void **state)
{
	struct source s = source_make(1, "gaps", LEN, 1440, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config();
	struct packets p = {0}, repair = {0};
	struct pw_recv *r;
	uint64_t i;

	(void)state;
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	packets_add_fdt(&repair, TSI, 0, &s, 1, true, 1);
	for (i = 0; i < source_symbols(&s); i++)
		packets_add_symbol(
			i % 97 == 13 || (i > 1456 && i < 1460) ? &repair : &p, TSI, &s, i);
	r = recv_make(&cfg);
	push(r, &p);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	pw_recv_destroy(r);
	cfg.resume = true;
	r = recv_make(&cfg);
	push(r, &repair);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	pw_recv_destroy(r);
	assert_content(in_dir(dir, "gaps"), &s);
	packets_drop(&p);
	packets_drop(&repair);
	source_drop(&s);
}

/* A symbol a chunk, over more chunks than memory holds, forth and back: the first ones have been
 * written by then, with holes. */
static void what_comes_late_for_its_chunk_is_written_by_itself(void **state)
{
	const uint64_t len = PW_DIRECT_MEMORY + 32 * MIB, per_chunk = 2 * MIB / 1024;
	const uint64_t n_chunks = len / (2 * MIB);
	struct source s = source_make(1, "late", 1, 1024, PW_DIGEST_NONE);
	struct pw_recv_config cfg = config();
	uint8_t got[1024], zero[1024] = {0};
	struct pw_recv *r;
	uint64_t i, k;
	int fd;

	(void)state;
	free(s.data);
	s.data = calloc(len, 1);
	assert_non_null(s.data);
	s.f.content_len = s.f.transfer_len = len;
	s.f.max_sbl = 8192;
	r = recv_make(&cfg);
	for (k = 0; k < 2; k++) {
		struct packets p = {0};

		packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
		for (i = 0; i < n_chunks; i++) {
			uint64_t symbol = i * per_chunk + 3 * k + i % 7;

			memset(s.data + symbol * 1024, (int)(i + 1 + k), 1024);
			packets_add_symbol(&p, TSI, &s, symbol);
		}
		push(r, &p);
		packets_drop(&p);
	}
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	assert_int_equal(pw_recv_counters(r)->payload_bytes, file_info(r, 0).have_bytes);
	pw_recv_destroy(r);
	fd = open(in_dir(dir, "late.part"), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (i = 0; i < n_chunks; i++) {
		for (k = 0; k < 12; k++) {
			uint64_t at = (i * per_chunk + k) * 1024;

			assert_int_equal(pread(fd, got, 1024, (off_t)at), 1024);
			assert_memory_equal(got, s.data + at, 1024);
		}
		assert_int_equal(pread(fd, got, 1024, (off_t)((i * per_chunk + 20) * 1024)), 1024);
		assert_memory_equal(got, zero, 1024);
	}
	close(fd);
	source_drop(&s);
}

static void a_part_that_is_truncated_is_no_success(void **state)
{
	struct source s = source_make(1, "cut", LEN, 1440, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};
	struct pw_err err = {0};
	size_t all;

	(void)state;
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	packets_add_file(&p, TSI, &s);
	all = p.n;
	p.n = all / 2;
	push(r, &p);
	assert_int_equal(truncate(in_dir(dir, "cut.part"), LEN + 5), 0);
	p.n = all;
	push(r, &p);
	settle(r);
	assert_true(pw_recv_finish(r, &err) < 0);
	assert_false(is_there(in_dir(dir, "cut")));
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

static bool takes_direct(void)
{
	char path[128];
	bool takes;
	int fd;

	snprintf(path, sizeof(path), "%s/probe", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	takes = fd >= 0 && pw_file_takes_direct(fd);
	close(fd);
	unlink(path);
	return takes;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order_it_never_sees_the_page_cache),
		cmocka_unit_test(any_order_makes_the_same_file),
		cmocka_unit_test(what_is_lost_is_repaired_by_resume),
		cmocka_unit_test(what_comes_late_for_its_chunk_is_written_by_itself),
		cmocka_unit_test(a_part_that_is_truncated_is_no_success),
	};
	int failed = 77;

	snprintf(dir, sizeof(dir), "/var/tmp/pagewire-test-XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	if (takes_direct())
		failed = cmocka_run_group_tests(tests, NULL, NULL);
	else
		print_message("# skipped: %s takes no O_DIRECT\n", dir);
	dir_drop(dir);
	return failed;
}
