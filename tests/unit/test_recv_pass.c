/* SPDX-License-Identifier: BSD-3-Clause */
/* A sender's passes: what one loses or damages, the next repairs. */
#include "recv_dir.h"

static struct pw_recv_config config(void)
{
	return (struct pw_recv_config){.out_dir = dir, .force = true};
}

static void a_mismatch_is_repaired_by_the_next_pass(void **state)
{
	static const uint64_t lens[] = {1, 5000, (2u << 20) + 77};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct source s = source_make(1, "m", lens[i], 1000, PW_DIGEST_XXH3_128);
		struct pw_recv_config cfg = config();
		struct pw_recv *r = recv_make(&cfg);
		struct packets p = {0};
		struct pw_recv_status st;
		unsigned int pass;

		packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
		for (pass = 0; pass < 2; pass++) {
			s.data[lens[i] / 2] ^= 1;
			packets_add_file(&p, TSI, &s);
			s.data[lens[i] / 2] ^= 1;
			push(r, &p);
			packets_drop(&p);
			assert_state(r, 0, PW_RECV_MISMATCH);
			st = settle(r);
			assert_int_equal(st.bytes_have, 0);
			assert_int_equal(st.n_ended, 0);
			assert_false(st.done);
		}
		packets_add_file(&p, TSI, &s);
		push(r, &p);
		assert_state(r, 0, PW_RECV_COMPLETE);
		assert_null(file_info(r, 0).reason);
		assert_done(r);
		assert_int_equal(pw_recv_finish(r, NULL), 0);
		pw_recv_destroy(r);
		assert_content(in_dir(dir, "m"), &s);
		packets_drop(&p);
		source_drop(&s);
	}
}

/* The next pass's zeros replace the damaged pass's bytes. */
static void zeros_replace_what_was_wrong(void **state)
{
	struct source s = source_make(1, "z", 200000, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};

	(void)state;
	memset(s.data + 50000, 0, 100000);
	pw_digest_buffer(PW_DIGEST_XXH3_128, s.data, 200000, &s.f.digest, NULL);
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	s.data[60000] = 7;
	packets_add_file(&p, TSI, &s);
	s.data[60000] = 0;
	push(r, &p);
	assert_state(r, 0, PW_RECV_MISMATCH);
	packets_drop(&p);
	packets_add_file(&p, TSI, &s);
	push(r, &p);
	assert_state(r, 0, PW_RECV_COMPLETE);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	pw_recv_destroy(r);
	assert_content(in_dir(dir, "z"), &s);
	packets_drop(&p);
	source_drop(&s);
}

static void assert_loss(const struct pw_recv_status *st, double from, double to)
{
	const double loss = 1 - (double)st->symbols_seen / (double)st->symbols_expected;

	if (loss < from || loss > to)
		fail_msg("loss %f, not %f to %f", loss, from, to);
}

static void the_loss_is_what_the_passes_lost(void **state)
{
	struct source s = source_make(1, "loss", 10000 * 100, 100, PW_DIGEST_XXH3_128);
	unsigned int when; /* 0: all at once, 1: joined in the middle, 2: nothing is lost */

	(void)state;
	for (when = 0; when < 3; when++) {
		const uint64_t first = when == 1 ? 5000 : 0;
		struct pw_recv_config cfg = config();
		struct pw_recv *r = recv_make(&cfg);
		struct packets p = {0};
		struct pw_recv_status st;
		uint64_t i, seed = 4;

		packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
		push(r, &p);
		packets_drop(&p);
		for (i = first; i < 10000; i++)
			if (i == first || when == 2 || next_random(&seed) % 100)
				packets_add_symbol(&p, TSI, &s, i);
		if (when == 2)
			p.n--; /* else it is complete */
		push(r, &p);
		if (when == 2)
			p.n++;
		st = settle(r);
		assert_loss(&st, when == 2 ? 0 : 0.007, when == 2 ? 0.0001 : 0.013);
		packets_drop(&p);
		packets_add_file(&p, TSI, &s);
		push(r, &p);
		assert_state(r, 0, PW_RECV_COMPLETE);
		st = settle(r);
		assert_loss(&st, when == 2 ? 0 : 0.003, when == 2 ? 0.0001 : 0.007);
		assert_int_equal(pw_recv_finish(r, NULL), 0);
		pw_recv_destroy(r);
		packets_drop(&p);
	}
	source_drop(&s);
}

/* Each loses its last symbol in the first pass. */
static void thousands_of_files_at_once_end_with_the_second_pass(void **state)
{
	enum { N = 2000, EACH = 100 };
	struct source *s = calloc(N, sizeof(*s));
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};
	struct pw_recv_status st;
	char name[32];
	size_t i;

	(void)state;
	assert_non_null(s);
	for (i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "%zu/%zu", i % 7, i);
		s[i] = source_make(i + 1, name, i % 50 ? 1 + i : 0, 700,
			i % 3 ? PW_DIGEST_XXH3_128 : PW_DIGEST_SHA256);
	}
	for (i = 0; i < N; i += EACH)
		packets_add_fdt(&p, TSI, (uint32_t)(i / EACH), s + i, EACH, false, N);
	for (i = 0; i < N; i++) {
		packets_add_file(&p, TSI, &s[i]);
		if (s[i].f.transfer_len)
			free((void *)(uintptr_t)p.v[--p.n].data);
	}
	push(r, &p);
	st = settle(r);
	assert_int_equal(st.n_files, N);
	assert_int_equal(st.n_good, N / 50);
	assert_int_equal(counters(r).wait_dropped, 0);
	packets_drop(&p);
	for (i = 0; i < N; i++)
		packets_add_file(&p, TSI, &s[i]);
	push(r, &p);
	st = settle(r);
	assert_true(st.done);
	assert_int_equal(st.n_good, N);
	assert_int_equal(st.bytes_have, st.bytes_total);
	assert_int_equal(counters(r).wait_dropped, 0);
	assert_int_equal(counters(r).unknown_toi, 0);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	pw_recv_destroy(r);
	for (i = 0; i < N; i++) {
		assert_content(in_dir(dir, s[i].f.location), &s[i]);
		source_drop(&s[i]);
	}
	free(s);
	packets_drop(&p);
}

/* A file with parity, of 40 blocks of 20 symbols, in turns of 2 symbols. One packet in four is lost. */
static void add_turns(struct packets *p, const struct source *s)
{
	uint32_t row, sbn, i;

	for (row = 0; row < 20; row += 2)
		for (sbn = 0; sbn < 40; sbn++)
			for (i = row; i < row + 2; i++) {
				const struct pw_alc_hdr hdr = {.tsi = TSI,
					.toi = 1,
					.codepoint = PW_FEC_ID_RS,
					.sbn = sbn,
					.esi = (uint16_t)i};

				if ((7 * sbn + i) % 4)
					packets_add(
						p, &hdr, false, s->data + (sbn * 20 + i) * 64, 64);
			}
}

static void the_loss_of_blocks_in_turns_is_that_of_the_passes(void **state)
{
	struct source s = source_make(1, "f", 800 * 64, 64, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config();
	uint32_t pass, i;

	(void)state;
	s.f.fec_id = PW_FEC_ID_RS;
	s.f.max_sbl = 20;
	s.f.max_n = 24;
	for (pass = 1; pass <= 3; pass++) {
		struct pw_recv *r = recv_make(&cfg);
		struct packets p = {0};
		struct pw_recv_status st;

		/* symbols that come before the table are kept, and placed among later ones */
		packets_add_fdt(&p, TSI, 1, &s, 1, true, 1);
		push(r, &p);
		packets_drop(&p);
		for (i = 0; i < pass; i++) /* each loses the same: the file stays open */
			add_turns(&p, &s);
		push(r, &p);
		st = settle(r);
		assert_int_equal(st.symbols_seen, pass * 600);
		assert_in_range(st.symbols_expected, pass * 796, pass * 800);
		pw_recv_destroy(r);
		packets_drop(&p);
	}
	source_drop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_mismatch_is_repaired_by_the_next_pass),
		test(zeros_replace_what_was_wrong),
		test(the_loss_is_what_the_passes_lost),
		test(thousands_of_files_at_once_end_with_the_second_pass),
		test(the_loss_of_blocks_in_turns_is_that_of_the_passes),
	};

	return cmocka_run_group_tests_name("recv_pass", tests, NULL, NULL);
}
