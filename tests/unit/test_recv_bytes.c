/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes that come by another way than packets: what is asked for, and what becomes of the file. */
#include "recv_dir.h"

#include "base/bytes.h"
#include "recv/bytes.h"

#define LEN    (40u * 500u + 123u)
#define SYMBOL 500u

static struct pw_recv_bytes *bytes_make(struct pw_recv *r)
{
	struct pw_recv_bytes *b;

	assert_int_equal(pw_recv_bytes_create(&b, r, NULL), 0);
	return b;
}

/* Puts what file 0 misses, in pieces of `step`; returns the number of ranges. */
static size_t complete(struct pw_recv_bytes *b, const struct source *s, size_t step)
{
	struct pw_range *ranges;
	size_t n, i;

	assert_int_equal(pw_recv_bytes_want(b, 0, &ranges, &n, NULL), 0);
	for (i = 0; i < n; i++)
		for (uint64_t at = ranges[i].from, len; at < ranges[i].to; at += len) {
			len = step < ranges[i].to - at ? step : ranges[i].to - at;
			pw_recv_bytes_put(b, at, s->data + at, len);
		}
	free(ranges);
	pw_recv_bytes_settle(b);
	return n;
}

/* The file without these symbols, with its table. */
static struct packets lossy(const struct source *s, uint64_t tsi)
{
	struct packets p = {0};
	uint64_t i;

	packets_add_fdt(&p, tsi, 0, s, 1, true, 1);
	for (i = 0; i < source_symbols(s); i++)
		if (i != 0 && i != 7 && i != 8 && i != 40)
			packets_add_symbol(&p, tsi, s, i);
	return p;
}

static void missing_bytes_complete_a_file(void **state)
{
	const size_t steps[] = {1, 499, 500, 501, 4096};

	(void)state;
	for (size_t i = 0; i < PW_ARRAY_LEN(steps); i++) {
		struct source s = source_make(1, "a.bin", LEN, SYMBOL, PW_DIGEST_XXH3_128);
		struct packets p = lossy(&s, TSI);
		struct pw_recv *r =
			recv_make(&(struct pw_recv_config){.out_dir = dir, .force = true});
		struct pw_recv_bytes *b;

		push(r, &p);
		b = bytes_make(r);
		assert_int_equal(complete(b, &s, steps[i]), 3);
		assert_state(r, 0, PW_RECV_COMPLETE);
		assert_int_equal(complete(b, &s, 1), 0);
		assert_int_equal(counters(r).packets, p.n); /* its own are not counted */
		assert_int_equal(counters(r).payload_bytes, LEN - 3 * SYMBOL - 123);
		assert_int_equal(settle(r).symbols_seen, 37);
		pw_recv_bytes_destroy(b);
		assert_int_equal(pw_recv_finish(r, NULL), 0);
		assert_content(in_dir(dir, "a.bin"), &s);
		pw_recv_destroy(r);
		packets_drop(&p);
		source_drop(&s);
	}
}

static void a_range_that_ends_early_leaves_its_last_symbol_missing(void **state)
{
	struct source s = source_make(1, "a.bin", LEN, SYMBOL, PW_DIGEST_XXH3_128);
	struct packets p = lossy(&s, TSI);
	struct pw_recv *r = recv_make(&(struct pw_recv_config){.out_dir = dir});
	struct pw_recv_bytes *b;
	struct pw_range *ranges;
	size_t n;

	(void)state;
	push(r, &p);
	b = bytes_make(r);
	assert_int_equal(pw_recv_bytes_want(b, 0, &ranges, &n, NULL), 0);
	assert_int_equal(ranges[1].from, 7 * SYMBOL);
	assert_int_equal(ranges[1].to, 9 * SYMBOL);
	free(ranges);
	pw_recv_bytes_put(b, 7 * SYMBOL, s.data + 7 * SYMBOL, 900);
	pw_recv_bytes_put(b, 100, s.data + 100, 400); /* not from a symbol's start */
	pw_recv_bytes_settle(b);
	assert_int_equal(file_info(r, 0).have_bytes, LEN - 2 * SYMBOL - 123);
	assert_int_equal(complete(b, &s, 300), 3);
	assert_state(r, 0, PW_RECV_COMPLETE);
	pw_recv_bytes_destroy(b);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

static void wrong_bytes_are_never_published_and_not_asked_for_again(void **state)
{
	struct source s = source_make(1, "a.bin", LEN, SYMBOL, PW_DIGEST_XXH3_128);
	struct packets p = lossy(&s, TSI);
	struct pw_recv *r = recv_make(&(struct pw_recv_config){.out_dir = dir});
	struct pw_recv_bytes *b;

	(void)state;
	push(r, &p);
	b = bytes_make(r);
	s.data[7 * SYMBOL] ^= 1;
	complete(b, &s, 4096);
	assert_state(r, 0, PW_RECV_MISMATCH);
	assert_int_equal(complete(b, &s, 4096), 0);
	pw_recv_bytes_destroy(b);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	assert_false(is_there(in_dir(dir, "a.bin")));
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

static void a_file_without_a_digest_asks_for_nothing(void **state)
{
	struct source s = source_make(1, "a.bin", LEN, SYMBOL, PW_DIGEST_NONE);
	struct packets p = lossy(&s, TSI);
	struct pw_recv *r = recv_make(&(struct pw_recv_config){.out_dir = dir});
	struct pw_recv_bytes *b;

	(void)state;
	push(r, &p);
	b = bytes_make(r);
	assert_int_equal(complete(b, &s, 4096), 0);
	pw_recv_bytes_destroy(b);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

/* Also with --tsi and --source, and with symbols of another length than the manifest's. */
static void a_manifest_is_announced_as_by_a_table(void **state)
{
	struct source s = source_make(1, "d/a.bin", LEN, SYMBOL, PW_DIGEST_SHA256);
	struct packets p = lossy(&s, TSI);
	struct pw_recv_config cfg = {.out_dir = dir};
	struct pw_recv *r = recv_make(&cfg);
	struct pw_recv_bytes *b;

	(void)state;
	push(r, &p);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	pw_recv_destroy(r);
	cfg.resume = true;
	cfg.tsi_given = true;
	cfg.tsi = 99;
	assert_int_equal(pw_addr_parse("source", "10.0.0.9", 1, &cfg.source, NULL), 0);
	r = recv_make(&cfg);
	b = bytes_make(r);
	assert_int_equal(pw_recv_bytes_announce(b, NULL), 0);
	assert_int_equal(pw_recv_n_files(r), 1);
	assert_int_equal(complete(b, &s, 4096), 3);
	assert_state(r, 0, PW_RECV_COMPLETE);
	pw_recv_bytes_destroy(b);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	assert_content(in_dir(dir, "d/a.bin"), &s);
	assert_false(is_there(in_dir(dir, PW_GAPS_FILE)));
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

static void a_file_that_a_table_named_is_not_announced_again(void **state)
{
	struct source s = source_make(1, "a.bin", LEN, SYMBOL, PW_DIGEST_XXH3_128);
	struct packets p = lossy(&s, TSI);
	struct pw_recv *r = recv_make(&(struct pw_recv_config){.out_dir = dir});
	struct pw_recv_bytes *b;

	(void)state;
	push(r, &p);
	pw_recv_destroy(r);
	r = recv_make(&(struct pw_recv_config){.out_dir = dir, .resume = true});
	push(r, &(struct packets){.v = p.v, .n = 3}); /* the table, and two symbols that are here */
	b = bytes_make(r);
	assert_int_equal(pw_recv_bytes_announce(b, NULL), 0);
	assert_int_equal(pw_recv_n_files(r), 1);
	assert_int_equal(complete(b, &s, 4096), 3);
	assert_state(r, 0, PW_RECV_COMPLETE);
	pw_recv_bytes_destroy(b);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(missing_bytes_complete_a_file),
		test(a_range_that_ends_early_leaves_its_last_symbol_missing),
		test(wrong_bytes_are_never_published_and_not_asked_for_again),
		test(a_file_without_a_digest_asks_for_nothing),
		test(a_manifest_is_announced_as_by_a_table),
		test(a_file_that_a_table_named_is_not_announced_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
