/* SPDX-License-Identifier: BSD-3-Clause */
#include "recv_dir.h"

static struct pw_recv_config config(void)
{
	return (struct pw_recv_config){.out_dir = dir};
}

/* Receives all of p and returns what pw_recv_finish() returns. */
static int receive(const struct pw_recv_config *cfg, const struct packets *p)
{
	struct pw_recv *r = recv_make(cfg);
	struct pw_err err = {0};
	int ret;

	push(r, p);
	ret = pw_recv_finish(r, &err);
	if (ret < 0)
		fail_msg("%s", err.msg);
	pw_recv_destroy(r);
	return ret;
}

static void symbols_in_order_make_the_file(void **state)
{
	struct source s = source_make(1, "a.img", 100001, 1440, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};
	struct pw_recv_status st;

	(void)state;
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	packets_add_file(&p, TSI, &s);
	push(r, &p);
	st = settle(r);
	assert_true(st.done);
	assert_false(st.fatal);
	assert_false(st.session_closed);
	assert_int_equal(st.n_files, 1);
	assert_int_equal(st.n_good, 1);
	assert_int_equal(st.n_unverified, 0);
	assert_int_equal(st.n_sessions, 1);
	assert_int_equal(st.bytes_have, 100001);
	assert_int_equal(st.bytes_total, 100001);
	assert_int_equal(st.symbols_seen, 70);
	assert_int_equal(st.symbols_expected, 70);
	assert_state(r, 0, PW_RECV_COMPLETE);
	assert_int_equal(file_info(r, 0).have_bytes, 100001);
	assert_int_equal(counters(r).packets, p.n);
	assert_int_equal(counters(r).payload_bytes, 100001);
	assert_int_equal(counters(r).duplicates, 0);
	assert_content(in_dir(dir, "a.img"), &s);
	assert_false(is_there(in_dir(dir, "a.img.part")));
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	assert_null(pw_recv_gaps_written(r));
	assert_false(is_there(in_dir(dir, PW_GAPS_FILE)));
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

/* After the FDT, symbols may come in any order, and twice. */
static void any_order_and_repetition_make_the_same_file(void **state)
{
	static const uint32_t symbol_lens[] = {1, 7, 64, 1440, 9000, 65535};
	struct source s;
	struct packets p;
	struct pw_recv_config cfg = config();
	size_t i, fdt, j;

	(void)state;
	cfg.force = true;
	for (i = 0; i < 4 * sizeof(symbol_lens) / sizeof(symbol_lens[0]); i++) {
		s = source_make(3, "b", 20011, symbol_lens[i / 4], PW_DIGEST_SHA256);
		s.f.max_sbl = 500;
		p = (struct packets){0};
		packets_add_fdt(&p, TSI, 0, &s, 1, true, 0);
		fdt = p.n;
		packets_add_file(&p, TSI, &s);
		if (i % 4 == 1)
			for (j = 0; j < (p.n - fdt) / 2; j++) {
				struct pw_rx_view t = p.v[fdt + j];

				p.v[fdt + j] = p.v[p.n - 1 - j];
				p.v[p.n - 1 - j] = t;
			}
		if (i % 4 == 2)
			packets_add_file(&p, TSI, &s);
		if (i % 4 >= 2)
			shuffle(p.v + fdt, p.n - fdt, i);
		assert_int_equal(receive(&cfg, &p), 0);
		assert_content(in_dir(dir, "b"), &s);
		packets_drop(&p);
		source_drop(&s);
	}
}

static void repetitions_are_counted(void **state)
{
	struct source s = source_make(1, "dup", 5000, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};

	(void)state;
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	push(r, &p); /* else they would wait, and come out of order */
	packets_drop(&p);
	packets_add_symbol(&p, TSI, &s, 2);
	packets_add_symbol(&p, TSI, &s, 2);
	packets_add_symbol(&p, TSI, &s, 2);
	packets_add_file(&p, TSI, &s);
	packets_add_symbol(&p, TSI, &s, 0);
	push(r, &p);
	assert_int_equal(counters(r).duplicates, 3);
	assert_int_equal(counters(r).finished_toi, 1);
	assert_int_equal(counters(r).fdt_conflicts, 0);
	assert_int_equal(counters(r).payload_bytes, 5000);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

static void a_session_has_many_files_in_many_directories(void **state)
{
	enum { N = 40 };
	struct source s[N];
	struct packets p = {0};
	struct pw_recv_config cfg = config();
	char name[64];
	size_t i, fdt;

	(void)state;
	for (i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "tree/%zu/x/%zu \xc3\xa9.bin", i % 3, i);
		s[i] = source_make(
			i + 1, name, i * 777, 512, i % 2 ? PW_DIGEST_XXH3_128 : PW_DIGEST_MD5);
	}
	packets_add_fdt(&p, TSI, 0, s, N / 2, false, N);
	packets_add_fdt(&p, TSI, 1, s + N / 2, N / 2, true, N);
	fdt = p.n;
	for (i = 0; i < N; i++)
		packets_add_file(&p, TSI, &s[i]);
	shuffle(p.v + fdt, p.n - fdt, 5);
	assert_int_equal(receive(&cfg, &p), 0);
	for (i = 0; i < N; i++) {
		assert_content(in_dir(dir, s[i].f.location), &s[i]);
		source_drop(&s[i]);
	}
	packets_drop(&p);
}

static void an_empty_file_needs_no_symbol(void **state)
{
	struct source s[2] = {source_make(1, "e/empty", 0, 1440, PW_DIGEST_XXH3_128),
		source_make(2, "empty-unnamed", 0, 1440, PW_DIGEST_NONE)};
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};

	(void)state;
	packets_add_fdt(&p, TSI, 0, s, 2, true, 2);
	push(r, &p);
	assert_done(r);
	assert_state(r, 0, PW_RECV_COMPLETE);
	assert_state(r, 1, PW_RECV_UNVERIFIED);
	assert_content(in_dir(dir, "e/empty"), &s[0]);
	assert_content(in_dir(dir, "empty-unnamed"), &s[1]);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s[0]);
	source_drop(&s[1]);
}

static void a_file_without_a_digest_is_unverified(void **state)
{
	struct source s = source_make(1, "u", 3000, 1440, PW_DIGEST_NONE);
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};

	(void)state;
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	packets_add_file(&p, TSI, &s);
	push(r, &p);
	assert_int_equal(settle(r).n_unverified, 1);
	assert_int_equal(settle(r).n_good, 1);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	assert_state(r, 0, PW_RECV_UNVERIFIED);
	assert_content(in_dir(dir, "u"), &s);
	pw_recv_destroy(r);
	cfg.force = cfg.require_digest = true;
	assert_int_equal(receive(&cfg, &p), 1);
	packets_drop(&p);
	source_drop(&s);
}

static void a_wrong_digest_keeps_the_part_and_misses_all_of_it(void **state)
{
	struct source s = source_make(1, "m", 5000, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};
	struct pw_gaps g = {0};

	(void)state;
	s.f.digest.bytes[3] ^= 1;
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	packets_add_file(&p, TSI, &s);
	push(r, &p);
	assert_state(r, 0, PW_RECV_MISMATCH);
	assert_false(settle(r).done);
	assert_int_equal(settle(r).bytes_have, 0);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	assert_state(r, 0, PW_RECV_MISMATCH);
	assert_non_null(strstr(file_info(r, 0).reason, "digest differs"));
	assert_false(is_there(in_dir(dir, "m")));
	assert_content(in_dir(dir, "m.part"), &s);
	assert_string_equal(pw_recv_gaps_written(r), in_dir(dir, PW_GAPS_FILE));
	assert_int_equal(pw_gaps_load(pw_recv_gaps_written(r), &g, NULL), 0);
	assert_int_equal(g.tsi, TSI);
	assert_int_equal(g.n_files, 1);
	assert_int_equal(g.files[0].n_missing, 1);
	assert_int_equal(g.files[0].missing[0].from, 0);
	assert_int_equal(g.files[0].missing[0].to, 5000);
	pw_gaps_finish(&g);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

static void an_existing_file_is_kept_unless_forced(void **state)
{
	struct source s = source_make(1, "x", 3000, 1440, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};
	struct pw_gaps g = {0};

	(void)state;
	write_text(in_dir(dir, "x"), "precious");
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	packets_add_file(&p, TSI, &s);
	push(r, &p);
	assert_done(r);
	assert_state(r, 0, PW_RECV_REFUSED);
	assert_non_null(strstr(file_info(r, 0).reason, "--force"));
	assert_int_equal(counters(r).finished_toi, 3);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	assert_null(pw_recv_gaps_written(r));
	pw_recv_destroy(r);
	assert_false(is_there(in_dir(dir, "x.part")));
	cfg.force = true;
	assert_int_equal(receive(&cfg, &p), 0);
	assert_content(in_dir(dir, "x"), &s);
	assert_int_equal(pw_gaps_load(in_dir(dir, PW_GAPS_FILE), &g, NULL), -ENOENT);
	packets_drop(&p);
	source_drop(&s);
}

static void an_old_part_is_replaced_without_resume(void **state)
{
	struct source s = source_make(1, "y", 3000, 1440, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config();
	struct packets p = {0};

	(void)state;
	write_text(in_dir(dir, "y.part"), "left over");
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	packets_add_file(&p, TSI, &s);
	assert_int_equal(receive(&cfg, &p), 0);
	assert_content(in_dir(dir, "y"), &s);
	packets_drop(&p);
	source_drop(&s);
}

static void discard_counts_and_writes_nothing(void **state)
{
	struct source s[2] = {source_make(1, "../d", 50000, 1440, PW_DIGEST_XXH3_128),
		source_make(2, "empty", 0, 1440, PW_DIGEST_XXH3_128)};
	struct pw_recv_config cfg = {.discard = true};
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};

	(void)state;
	packets_add_fdt(&p, TSI, 0, s, 2, true, 2);
	packets_add_file(&p, TSI, &s[0]);
	push(r, &p);
	assert_done(r);
	assert_int_equal(counters(r).payload_bytes, 50000);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	assert_null(pw_recv_gaps_written(r));
	pw_recv_destroy(r);
	r = recv_make(&cfg);
	p.n--;
	push(r, &p);
	p.n++;
	assert_false(settle(r).done);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s[0]);
	source_drop(&s[1]);
}

/* There is time between the table and the first symbol: opening takes long. */
static void files_are_opened_with_the_table_and_take_no_space(void **state)
{
	struct source s[2] = {source_make(1, "p/first", 3000000, 1440, PW_DIGEST_XXH3_128),
		source_make(2, "p/second", 3000, 1440, PW_DIGEST_XXH3_128)};
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};
	struct stat st;
	size_t i;

	(void)state;
	packets_add_fdt(&p, TSI, 0, s, 2, true, 2);
	push(r, &p);
	for (i = 0; i < 2; i++) {
		assert_state(r, i, PW_RECV_KNOWN);
		assert_int_equal(stat(in_dir(dir, i ? "p/second.part" : "p/first.part"), &st), 0);
		assert_int_equal(st.st_size, s[i].f.transfer_len);
		assert_int_equal(st.st_blocks, 0);
	}
	assert_int_equal(settle(r).bytes_have, 0);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	pw_recv_destroy(r);
	assert_false(is_there(in_dir(dir, "p/first.part")));
	assert_false(is_there(in_dir(dir, "p/second.part")));
	packets_drop(&p);
	source_drop(&s[0]);
	source_drop(&s[1]);
}

static void expect_ends_after_that_many_files(void **state)
{
	struct source s[3] = {source_make(1, "e1", 3000, 1440, PW_DIGEST_XXH3_128),
		source_make(2, "e2", 3000, 1440, PW_DIGEST_XXH3_128),
		source_make(3, "e3", 3000, 1440, PW_DIGEST_XXH3_128)};
	struct pw_recv_config cfg = config();
	struct pw_recv *r;
	struct packets p = {0};
	size_t i;

	(void)state;
	cfg.expect_files = 2;
	r = recv_make(&cfg);
	packets_add_fdt(&p, TSI, 0, s, 3, true, 3);
	packets_add_file(&p, TSI, &s[2]);
	push(r, &p);
	assert_false(settle(r).done);
	packets_drop(&p);
	packets_add_file(&p, TSI, &s[0]);
	push(r, &p);
	assert_done(r);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	pw_recv_destroy(r);
	packets_drop(&p);
	for (i = 0; i < 3; i++)
		source_drop(&s[i]);
}

/* Without pw:Files a session is over when the table is complete and its files have ended. */
static void done_waits_for_all_files_of_the_session(void **state)
{
	struct source s[2] = {source_make(1, "p1", 3000, 1440, PW_DIGEST_XXH3_128),
		source_make(2, "p2", 3000, 1440, PW_DIGEST_XXH3_128)};
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};

	(void)state;
	packets_add_fdt(&p, TSI, 0, s, 1, false, 0);
	packets_add_file(&p, TSI, &s[0]);
	push(r, &p);
	assert_false(settle(r).done);
	packets_drop(&p);
	packets_add_fdt(&p, TSI, 1, s + 1, 1, true, 0);
	push(r, &p);
	assert_false(settle(r).done);
	packets_drop(&p);
	packets_add_file(&p, TSI, &s[1]);
	push(r, &p);
	assert_done(r);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s[0]);
	source_drop(&s[1]);
}

static void symbols_before_the_table_wait_for_it(void **state)
{
	struct source s = source_make(4, "late", 3000, 1440, PW_DIGEST_XXH3_128);
	struct source never = source_make(5, "never", 3000, 1440, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};

	(void)state;
	packets_add_file(&p, TSI, &s);
	packets_add_symbol(&p, TSI, &never, 0);
	push(r, &p);
	assert_int_equal(pw_recv_n_files(r), 0);
	assert_int_equal(counters(r).waited, 4);
	assert_int_equal(counters(r).unknown_toi, 0);
	packets_drop(&p);
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	push(r, &p);
	assert_state(r, 0, PW_RECV_COMPLETE);
	assert_int_equal(counters(r).payload_bytes, 3000);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	assert_int_equal(counters(r).unknown_toi, 1);
	assert_int_equal(counters(r).packets, 4 + p.n);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
	source_drop(&never);
}

/* RFC 5775 section 2.3 */
static void one_packet_may_carry_several_symbols(void **state)
{
	struct source s = source_make(1, "several", 1000 * 9 + 10, 1000, PW_DIGEST_XXH3_128);
	struct pw_alc_hdr hdr = {.tsi = TSI, .toi = 1};
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};

	(void)state;
	s.f.max_sbl = 5;
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	packets_add(&p, &hdr, false, s.data, 3000);
	hdr.esi = 3;
	packets_add(&p, &hdr, false, s.data + 3000, 3000); /* one more than the block has */
	packets_add(&p, &hdr, false, s.data + 3000, 1999);
	packets_add(&p, &hdr, false, s.data + 3000, 2000);
	hdr.sbn = 1;
	hdr.esi = 0;
	packets_add(&p, &hdr, false, s.data + 5000, 4011);
	packets_add(&p, &hdr, false, s.data + 5000, 4010);
	push(r, &p);
	assert_int_equal(counters(r).out_of_object, 3);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	assert_content(in_dir(dir, "several"), &s);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

/* RFC 5445 section 2.1 permits a shorter last symbol; other senders pad it. */
static void the_last_symbol_may_come_padded(void **state)
{
	static const uint64_t lens[] = {1, 999, 1001, (1u << 20) + 1, 5000};
	struct pw_recv_config cfg = config();
	uint8_t last[1000] = {0};
	size_t i;

	(void)state;
	cfg.force = true;
	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct source s = source_make(1, "padded", lens[i], 1000, PW_DIGEST_XXH3_128);
		struct pw_alc_hdr hdr = {.tsi = TSI, .toi = 1};
		const uint64_t n = source_symbols(&s), rest = lens[i] - (n - 1) * 1000;
		struct packets p = {0};
		struct pw_blocks b;
		uint32_t sbn, esi;
		uint64_t k;

		packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
		for (k = 0; k + 1 < n; k++)
			packets_add_symbol(&p, TSI, &s, k);
		assert_int_equal(pw_blocks_init(&b, lens[i], 1000, s.f.max_sbl, NULL), 0);
		pw_blocks_locate(&b, n - 1, &sbn, &esi);
		hdr.sbn = (uint16_t)sbn;
		hdr.esi = (uint16_t)esi;
		memset(last, 0xee, sizeof(last));
		memcpy(last, s.data + (n - 1) * 1000, rest);
		packets_add(&p, &hdr, false, last, sizeof(last));
		assert_int_equal(receive(&cfg, &p), 0);
		assert_content(in_dir(dir, "padded"), &s);
		packets_drop(&p);
		source_drop(&s);
	}
}

/* More files under way than may be mapped at once. */
static void mappings_are_evicted_and_taken_up_again(void **state)
{
	enum { N = 1300 };
	struct source *s = calloc(N, sizeof(*s));
	struct pw_recv_config cfg = config();
	struct packets p = {0};
	char name[32];
	size_t i, j;

	(void)state;
	assert_non_null(s);
	for (i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "many/%zu", i);
		s[i] = source_make(i + 1, name, 900, 100, PW_DIGEST_XXH3_128);
	}
	packets_add_fdt(&p, TSI, 0, s, N, true, N);
	for (j = 0; j < 9; j++)
		for (i = 0; i < N; i++)
			packets_add_symbol(&p, TSI, &s[i], (i + j) % 9);
	assert_int_equal(receive(&cfg, &p), 0);
	for (i = 0; i < N; i++) {
		assert_content(in_dir(dir, s[i].f.location), &s[i]);
		source_drop(&s[i]);
	}
	free(s);
	packets_drop(&p);
}

static void the_output_directory_must_be_there(void **state)
{
	struct pw_recv_config cfg = {.out_dir = "/tmp/pagewire-test-no-such-directory"};
	struct pw_err err = {0};
	struct pw_recv *r;

	(void)state;
	assert_int_equal(pw_recv_create(&r, &cfg, NULL, &err), -ENOENT);
	assert_null(r);
	assert_non_null(strstr(err.msg, "mkdir -p"));
	cfg.out_dir = NULL;
	assert_int_equal(pw_recv_create(&r, &cfg, NULL, &err), -EINVAL);
	pw_recv_destroy(NULL);
}

static void a_second_receiver_on_the_directory_is_refused(void **state)
{
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg), *second;
	struct pw_err err = {0};

	(void)state;
	assert_int_equal(pw_recv_create(&second, &cfg, NULL, &err), -EBUSY);
	assert_null(second);
	assert_non_null(strstr(err.msg, dir));
	pw_recv_destroy(r);
	pw_recv_destroy(recv_make(&cfg));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(symbols_in_order_make_the_file),
		test(any_order_and_repetition_make_the_same_file),
		test(repetitions_are_counted),
		test(a_session_has_many_files_in_many_directories),
		test(an_empty_file_needs_no_symbol),
		test(a_file_without_a_digest_is_unverified),
		test(a_wrong_digest_keeps_the_part_and_misses_all_of_it),
		test(an_existing_file_is_kept_unless_forced),
		test(an_old_part_is_replaced_without_resume),
		test(discard_counts_and_writes_nothing),
		test(files_are_opened_with_the_table_and_take_no_space),
		test(expect_ends_after_that_many_files),
		test(done_waits_for_all_files_of_the_session),
		test(symbols_before_the_table_wait_for_it),
		test(one_packet_may_carry_several_symbols),
		test(the_last_symbol_may_come_padded),
		test(mappings_are_evicted_and_taken_up_again),
		test(the_output_directory_must_be_there),
		test(a_second_receiver_on_the_directory_is_refused),
	};

	return cmocka_run_group_tests_name("recv", tests, NULL, NULL);
}
