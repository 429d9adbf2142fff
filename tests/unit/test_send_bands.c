/* SPDX-License-Identifier: BSD-3-Clause */
/* Streamed files with parity: each source and parity symbol goes as often as it should, with the right bytes until the
 * path lets it go, through rings of many sizes. */
#include "send_path.h"

#include "fec/rs.h"

#define K 20u
#define R 4u

static const struct pw_send_fec fec = {.k = K, .r = R, .points = PW_RS_RFC};

/* The parity of a file, from its bytes in one piece. */
static uint8_t *make_parity(const struct source *s, const struct pw_blocks *b)
{
	const struct pw_blocks parity = pw_send_fec_parity(&fec, b);
	uint8_t *padded = calloc(b->n_symbols, SYMBOL), *out = calloc(parity.n_symbols, SYMBOL);
	uint8_t *at = padded, *to = out;
	uint32_t sbn, i;

	assert_true(padded && out);
	memcpy(padded, s->data, s->f.transfer_len);
	for (sbn = 0; sbn < b->n_blocks; sbn++) {
		const uint32_t k = pw_blocks_block_len(b, sbn);
		const uint32_t r = pw_blocks_block_len(&parity, sbn);
		const uint8_t *source[PW_RS_MAX_SYMBOLS];
		uint8_t *rows[PW_RS_MAX_SYMBOLS];
		struct pw_rs *rs;

		for (i = 0; i < k; i++, at += SYMBOL)
			source[i] = at;
		for (i = 0; i < r; i++, to += SYMBOL)
			rows[i] = to;
		assert_int_equal(pw_rs_create(&rs, k, r, fec.points, NULL), 0);
		pw_rs_encode(rs, SYMBOL, source, rows);
		pw_rs_destroy(rs);
	}
	free(padded);
	return out;
}

static struct expected expect(const struct source *s)
{
	struct expected e;

	assert_int_equal(pw_send_fec_cut(&e.source, &fec, s->f.transfer_len, SYMBOL, NULL), 0);
	e.parity = make_parity(s, &e.source);
	e.n_sent = calloc(2 * e.source.n_symbols, sizeof(*e.n_sent));
	assert_non_null(e.n_sent);
	return e;
}

static void drop(struct expected *e, struct source *s)
{
	free((void *)(uintptr_t)e->parity);
	free(e->n_sent);
	source_drop(s);
}

/* A ring in which the paths may keep all but two bands of `blocks` blocks. */
static struct pw_stream_plan ring(uint32_t blocks, uint32_t n_lanes)
{
	const uint32_t band_slots = 2 + (blocks * (K + R) + 63) / 64;

	return (struct pw_stream_plan){.slot_bytes = 64 * SYMBOL,
		.n_slots = 2 * band_slots + n_lanes * (KEEPS + 63) / 64,
		.band_slots = band_slots};
}

/* The paths have no peer that reads the last packets later. */
static struct pw_send_config session(struct pw_files *files)
{
	struct pw_send_config cfg = config(files);

	cfg.no_linger = true;
	return cfg;
}

/* Sends a file of these bytes, and checks that each symbol has gone n_passes times. */
static void check(struct pw_send_config *cfg, uint64_t len, uint64_t n_passes)
{
	struct source s = source_make(1, "s.img", len, SYMBOL, PW_DIGEST_XXH3_128);
	struct expected e = expect(&s);
	const uint64_t n = e.source.n_symbols + pw_send_fec_parity(&fec, &e.source).n_symbols;
	struct pw_files files = {0};
	struct pw_send_result res;
	struct pw_err err = {0};
	uint64_t i;

	for (i = 0; i < MAX_LANES; i++)
		paths[i] = (struct path){.sources = &s, .expected = &e};
	add_file(&files, &s, "s.img");
	cfg->files = &files;
	cfg->set.fec = fec;
	assert_int_equal(run(cfg, &res, &err), 0);
	for (i = 0; i < n; i++)
		assert_int_equal(e.n_sent[i], n_passes);
	assert_int_equal(
		res.parity_packets, n_passes * pw_send_fec_parity(&fec, &e.source).n_symbols);
	assert_memory_equal(files.v[0].digest.bytes, s.f.digest.bytes, 16);
	drop(&e, &s);
	pw_files_finish(&files);
}

static void each_symbol_goes_once_whatever_the_size_of_the_file(void **state)
{
	static const uint64_t sizes[] = {1, SYMBOL, 64 * SYMBOL + 1, K * SYMBOL, K * SYMBOL + 1,
		30 * K * SYMBOL, 33 * K * SYMBOL + 7, 100 * K * SYMBOL - 5, 4000001};
	struct pw_send_config cfg = session(NULL);
	size_t i;

	(void)state;
	cfg.stream = ring(15, 1);
	for (i = 0; i < PW_ARRAY_LEN(sizes); i++)
		check(&cfg, sizes[i], 1);
}

static void bands_of_any_size_pass_through_the_ring(void **state)
{
	static const uint32_t blocks[] = {1, 2, 3, 7, 50, 300};
	uint32_t n_lanes;
	size_t i;

	(void)state;
	for (n_lanes = 1; n_lanes <= MAX_LANES; n_lanes++)
		for (i = 0; i < PW_ARRAY_LEN(blocks); i++) {
			struct pw_send_config cfg = session(NULL);

			cfg.n_paths = n_lanes;
			cfg.stream = ring(blocks[i], n_lanes);
			check(&cfg, 150 * K * SYMBOL + 77, 1);
		}
}

/* Blocks that are longer than a slot, and a symbol that begins inside a block of the disk. */
static void a_block_may_lie_in_several_slots(void **state)
{
	struct pw_send_config cfg = session(NULL);

	(void)state;
	cfg.stream =
		(struct pw_stream_plan){.slot_bytes = 7 * SYMBOL, .n_slots = 100, .band_slots = 25};
	check(&cfg, 70 * K * SYMBOL + 9, 1);
}

/* The paths keep more packets than there are in the ring: they get packets that make them free. */
static void a_path_may_keep_the_whole_ring(void **state)
{
	struct pw_send_config cfg = session(NULL);

	(void)state;
	cfg.n_paths = 2;
	cfg.stream = ring(2, 0);
	check(&cfg, 60 * K * SYMBOL, 1);
}

static void each_pass_has_all_symbols(void **state)
{
	struct pw_send_config cfg = session(NULL);

	(void)state;
	cfg.n_paths = MAX_LANES;
	cfg.set.loops = 4;
	cfg.stream = ring(10, MAX_LANES);
	check(&cfg, 40 * K * SYMBOL + 1, 4);
	check(&cfg, 3 * K * SYMBOL, 4);
}

/* Each pass is another half of the blocks; the digest is still that of the whole file. */
static void a_stripe_sends_its_blocks_with_their_parity(void **state)
{
	struct pw_send_config cfg = session(NULL);

	(void)state;
	cfg.stripe = (struct pw_stripe){.index = 0, .count = 2};
	cfg.set.loops = 2;
	cfg.stream = ring(4, 1);
	cfg.n_paths = 1;
	check(&cfg, 41 * K * SYMBOL + 1, 1);
}

/* More files than a group has, of all sizes: mapped ones between streamed ones, and empty ones. */
static void many_files_share_the_ring(void **state)
{
	enum { N = 2 * PW_SEND_GROUP + 5 };
	static struct source sources[N];
	static struct expected expected[N];
	struct pw_files files = {0};
	struct pw_send_config cfg = session(&files);
	struct pw_send_result res;
	struct pw_err err = {0};
	uint64_t k;
	unsigned int i;

	(void)state;
	for (i = 0; i < N; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%c%u", i % 5 == 3 ? 'm' : 's', i);
		sources[i] = source_make(
			i + 1, name, i % 7 ? i * i * 19 + 1 : 0, SYMBOL, PW_DIGEST_XXH3_128);
		add_file(&files, &sources[i], name);
		expected[i] = expect(&sources[i]);
	}
	for (i = 0; i < MAX_LANES; i++)
		paths[i] = (struct path){.sources = sources, .expected = expected};
	cfg.n_paths = MAX_LANES;
	cfg.open_window = open_mapped_or_streamed;
	cfg.stage_mem.max_extent_bytes = 1 << 20;
	cfg.set.fec = fec;
	cfg.set.loops = 2;
	cfg.stream = ring(5, MAX_LANES);
	assert_int_equal(run(&cfg, &res, &err), 0);
	for (i = 0; i < N; i++) {
		const struct pw_blocks *b = &expected[i].source;
		const uint64_t n = b->n_symbols + pw_send_fec_parity(&fec, b).n_symbols;

		for (k = 0; k < n; k++)
			assert_int_equal(expected[i].n_sent[k], 2);
		drop(&expected[i], &sources[i]);
	}
	pw_files_finish(&files);
}

static uint64_t asks_left;

static bool stop_at_last(void)
{
	return asks_left == 0 || --asks_left == 0;
}

static void a_signal_ends_it_at_any_moment(void **state)
{
	struct source s = source_make(1, "s.img", 200 * K * SYMBOL, SYMBOL, PW_DIGEST_XXH3_128);
	struct expected e = expect(&s);
	struct pw_files files = {0};
	struct pw_send_config cfg = session(&files);
	struct pw_send_result res = {0};
	struct pw_err err = {0};
	uint64_t n;
	unsigned int i;

	(void)state;
	add_file(&files, &s, "s.img");
	cfg.n_paths = MAX_LANES;
	cfg.set.fec = fec;
	cfg.set.loops = 2;
	cfg.stream = ring(10, MAX_LANES);
	cfg.stopped = stop_at_last;
	for (n = 1; n < 60; n += 4) {
		const uint64_t start = pw_clock_ns();

		files.v[0].digest = (struct pw_digest){0};
		for (i = 0; i < MAX_LANES; i++)
			paths[i] = (struct path){.sources = &s, .expected = &e};
		asks_left = n;
		assert_int_equal(run(&cfg, &res, &err), 0);
		assert_true(pw_clock_ns() - start < 5 * PW_NS_PER_S);
		assert_int_equal(paths[0].log[0], 0); /* no packet was kept */
	}
	drop(&e, &s);
	pw_files_finish(&files);
}

static void a_band_is_no_larger_than_the_ring_takes(void **state)
{
	static const uint32_t blocks[] = {1, 2, 3, 17, 100};
	static const struct pw_stripe all;
	struct pw_send_fec f = fec;
	struct pw_blocks b;
	uint32_t n;
	size_t i;

	(void)state;
	f.interleave_bytes = UINT64_MAX;
	assert_int_equal(pw_send_fec_cut(&b, &f, 1000 * K * SYMBOL + 1, SYMBOL, NULL), 0);
	for (i = 0; i < PW_ARRAY_LEN(blocks); i++) {
		const struct pw_stream_plan plan = ring(blocks[i], 1);
		const uint32_t fit = pw_send_fec_fit(&f, &b, &plan);
		const struct pw_send_turns t = pw_send_fec_turns(&f, &b, &all, 0, fit);

		assert_true(fit >= blocks[i]);
		for (n = 0; n < t.n_bands; n++) {
			const uint32_t from = pw_send_fec_band(&t, n);
			const uint32_t to = pw_send_fec_band(&t, n + 1);

			assert_true(from < to && to - from <= fit);
			assert_true((to - from) * K / 64 + 1 + (to - from) * R / 64 + 1 <=
				    plan.band_slots);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_symbol_goes_once_whatever_the_size_of_the_file),
		cmocka_unit_test(bands_of_any_size_pass_through_the_ring),
		cmocka_unit_test(a_block_may_lie_in_several_slots),
		cmocka_unit_test(a_path_may_keep_the_whole_ring),
		cmocka_unit_test(each_pass_has_all_symbols),
		cmocka_unit_test(a_stripe_sends_its_blocks_with_their_parity),
		cmocka_unit_test(many_files_share_the_ring),
		cmocka_unit_test(a_signal_ends_it_at_any_moment),
		cmocka_unit_test(a_band_is_no_larger_than_the_ring_takes),
	};
	int failed;

	dir_make(dir, sizeof(dir));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	dir_drop(dir);
	return failed;
}
