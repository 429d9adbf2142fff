/* SPDX-License-Identifier: BSD-3-Clause */
/* Several senders at a time, senders that start again, and who may end what. */
#include "recv_dir.h"

static struct pw_recv_config config(void)
{
	return (struct pw_recv_config){.out_dir = dir};
}

static void all_sessions_are_taken_or_the_one_given(void **state)
{
	struct source s = source_make(70000, "w", 3000, 1440, PW_DIGEST_XXH3_128);
	struct source other = source_make(1, "other", 3000, 1440, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config();
	struct pw_recv_ignored ignored[4];
	struct pw_recv *r;
	struct packets p = {0};

	(void)state;
	packets_add_fdt(&p, 9, 0, &other, 1, true, 1);
	packets_add_fdt(&p, 0xfffffff0, 0, &s, 1, true, 1);
	packets_add_file(&p, 0xfffffff0, &s);
	packets_add_file(&p, 9, &other);
	cfg.tsi_given = true;
	cfg.tsi = 0xfffffff0;
	r = recv_make(&cfg);
	push(r, &p);
	assert_int_equal(counters(r).strangers, 4);
	assert_int_equal(pw_recv_ignored(r, ignored, 4), 1);
	assert_int_equal(ignored[0].tsi, 9);
	assert_int_equal(ignored[0].packets, 4);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	assert_content(in_dir(dir, "w"), &s);
	assert_false(is_there(in_dir(dir, "other")));
	pw_recv_destroy(r);
	cfg.tsi_given = false;
	cfg.force = true;
	r = recv_make(&cfg);
	push(r, &p);
	assert_int_equal(counters(r).strangers, 0);
	assert_int_equal(settle(r).n_sessions, 2);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	assert_content(in_dir(dir, "w"), &s);
	assert_content(in_dir(dir, "other"), &other);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
	source_drop(&other);
}

/* Same TSI, same TOIs, packet by packet in turn. */
static void sessions_of_two_senders_with_one_tsi_do_not_mix(void **state)
{
	struct source s[2] = {source_make(1, "from-a", (1u << 20) + 10, 1000, PW_DIGEST_XXH3_128),
		source_make(1, "from-b", (1u << 20) + 10, 1000, PW_DIGEST_XXH3_128)};
	struct pw_recv_config cfg = config();
	struct packets p[2] = {{0}}, both = {0};
	struct pw_recv_counters c;
	struct pw_err err = {0};
	struct pw_recv *r;
	uint64_t i;

	(void)state;
	for (i = 0; i < s[1].f.transfer_len; i++) /* source_make() knows only the TOI */
		s[1].data[i] ^= 0x5a;
	pw_digest_buffer(PW_DIGEST_XXH3_128, s[1].data, s[1].f.transfer_len, &s[1].f.digest, NULL);
	for (i = 0; i < 2; i++) {
		packets_add_fdt(&p[i], TSI, 0, &s[i], 1, true, 1);
		packets_add_file(&p[i], TSI, &s[i]);
		packets_add_close(&p[i], TSI);
		packets_add_close(&p[i], TSI);
		packets_from(&p[i], i ? "fd00::2" : "10.0.0.1");
	}
	assert_int_equal(p[0].n, p[1].n);
	both.v = calloc(2 * p[0].n, sizeof(*both.v));
	for (i = 0; i < p[0].n; i++) {
		both.v[both.n++] = p[i % 2].v[i];
		both.v[both.n++] = p[1 - i % 2].v[i];
	}
	r = recv_make(&cfg);
	push(r, &both);
	assert_int_equal(settle(r).n_sessions, 2);
	assert_true(settle(r).session_closed);
	assert_state(r, 0, PW_RECV_COMPLETE);
	assert_state(r, 1, PW_RECV_COMPLETE);
	c = counters(r);
	assert_int_equal(c.duplicates + c.fdt_conflicts + c.unknown_toi + c.strangers, 0);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	pw_recv_destroy(r);
	assert_content(in_dir(dir, "from-a"), &s[0]);
	assert_content(in_dir(dir, "from-b"), &s[1]);

	/* Only one of them is wanted. */
	cfg.force = true;
	assert_int_equal(pw_addr_parse("source", "10.0.0.1", 1, &cfg.source, &err), 0);
	r = recv_make(&cfg);
	push(r, &both);
	assert_int_equal(counters(r).strangers, p[1].n);
	assert_int_equal(pw_recv_n_files(r), 1);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	pw_recv_destroy(r);
	free(both.v);
	for (i = 0; i < 2; i++) {
		packets_drop(&p[i]);
		source_drop(&s[i]);
	}
}

/* Whatever comes first: it makes no session, and keeps none away. */
static void a_stray_packet_locks_nothing(void **state)
{
	struct source s = source_make(1, "s", 3000, 1000, PW_DIGEST_XXH3_128);
	struct source stray = source_make(1, "stray", 9000, 900, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct pw_recv_ignored ignored[4];
	struct packets p = {0}, q = {0};
	struct pw_recv_status st;

	(void)state;
	packets_add_symbol(&p, 99, &stray, 3);
	packets_add_close(&p, 99);
	packets_add_symbol(&p, TSI, &stray, 3); /* TSI and TOI of the honest one */
	packets_add_close(&p, TSI);
	packets_from(&p, "10.9.9.9");
	push(r, &p);
	st = settle(r);
	assert_int_equal(st.n_sessions, 0);
	assert_false(st.session_closed);
	assert_false(st.done);
	packets_add_fdt(&q, TSI, 0, &s, 1, true, 1);
	packets_add_file(&q, TSI, &s);
	packets_from(&q, "10.0.0.1");
	push(r, &q);
	st = settle(r);
	assert_int_equal(st.n_sessions, 1);
	assert_true(st.done);
	assert_false(st.session_closed);
	assert_int_equal(pw_recv_ignored(r, ignored, 4), 2);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	assert_int_equal(counters(r).unknown_toi, 2);
	assert_content(in_dir(dir, "s"), &s);
	pw_recv_destroy(r);
	packets_drop(&p);
	packets_drop(&q);
	source_drop(&s);
	source_drop(&stray);
}

static void two_close_flags_close_the_session(void **state)
{
	struct source s = source_make(1, "s", 3000, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0}, close = {0};
	struct pw_recv_status st;

	(void)state;
	pw_recv_status(r, &st);
	assert_false(st.session_seen);
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	packets_add_close(&close, TSI);
	push(r, &p);
	push(r, &close);
	pw_recv_status(r, &st);
	assert_true(st.session_seen);
	assert_false(st.session_closed); /* one alone may be forged */
	packets_from(&close, "10.9.9.9");
	push(r, &close);
	pw_recv_status(r, &st);
	assert_false(st.session_closed); /* another session's */
	packets_drop(&close);
	packets_add_close(&close, TSI);
	push(r, &close);
	pw_recv_status(r, &st);
	assert_true(st.session_closed);
	assert_false(st.done);
	assert_int_equal(counters(r).fdt_bad, 0);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	pw_recv_destroy(r);
	packets_drop(&p);
	packets_drop(&close);
	source_drop(&s);
}

/* A new TSI, another TOI, the same content: what was received counts. Its symbols may come before its
 * table. */
static void a_sender_that_starts_again_goes_on_with_the_part(void **state)
{
	struct source s = source_make(1, "again", (2u << 20) + 3, 1000, PW_DIGEST_XXH3_128);
	struct source t = source_make(1, "again", (2u << 20) + 3, 1000, PW_DIGEST_XXH3_128);
	const uint64_t n = source_symbols(&s);
	unsigned int table_last;
	uint64_t i;

	(void)state;
	t.f.toi = 5;
	for (table_last = 0; table_last < 2; table_last++) {
		struct pw_recv_config cfg = {.out_dir = dir, .force = true};
		struct pw_recv *r = recv_make(&cfg);
		struct packets p = {0}, q = {0};
		struct pw_recv_status st;

		packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
		for (i = 0; i < n / 2; i++)
			packets_add_symbol(&p, TSI, &s, i);
		push(r, &p);
		if (!table_last)
			packets_add_fdt(&q, TSI + 1, 0, &t, 1, true, 1);
		for (i = n / 2; i < n; i++)
			packets_add_symbol(&q, TSI + 1, &t, i);
		if (table_last)
			packets_add_fdt(&q, TSI + 1, 0, &t, 1, true, 1);
		push(r, &q);
		assert_int_equal(pw_recv_n_files(r), 1);
		assert_state(r, 0, PW_RECV_COMPLETE);
		st = settle(r);
		assert_true(st.done);
		assert_int_equal(st.n_sessions, 2);
		assert_int_equal(counters(r).duplicates, 0);
		assert_int_equal(counters(r).fdt_conflicts, 0);
		assert_int_equal(pw_recv_finish(r, NULL), 0);
		assert_int_equal(counters(r).unknown_toi, 0);
		pw_recv_destroy(r);
		assert_content(in_dir(dir, "again"), &s);
		packets_drop(&p);
		packets_drop(&q);
	}
	source_drop(&s);
	source_drop(&t);
}

/* Two senders announce different contents of a name: the newest announcement counts. An older one that is
 * announced again continues with the symbols that it had. */
static void senders_that_differ_about_a_name_keep_their_symbols(void **state)
{
	struct source s[2] = {source_make(1, "name", 5000, 1000, PW_DIGEST_XXH3_128),
		source_make(2, "name", 6000, 1000, PW_DIGEST_XXH3_128)};
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};
	uint64_t i;
	size_t k;

	(void)state;
	for (i = 0; i < 5; i++)
		for (k = 0; k < 2; k++) {
			packets_add_fdt(&p, TSI + k, 0, &s[k], 1, true, 1);
			push(r, &p);
			packets_drop(&p);
			if (i == 4 && k == 0)
				continue; /* the first one never gets its last symbol */
			packets_add_symbol(&p, TSI + k, &s[k], i);
			push(r, &p);
			packets_drop(&p);
			assert_int_equal(file_info(r, k).have_bytes, (i + 1) * 1000);
		}
	assert_state(r, 0, PW_RECV_SUPERSEDED);
	assert_state(r, 1, PW_RECV_PARTIAL);
	assert_true(is_there(in_dir(dir, "name.part")));
	assert_true(is_there(in_dir(dir, "name.1.part")));
	packets_add_symbol(&p, TSI + 1, &s[1], 5);
	push(r, &p);
	assert_state(r, 1, PW_RECV_COMPLETE);
	assert_int_equal(counters(r).duplicates, 0);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	pw_recv_destroy(r);
	assert_content(in_dir(dir, "name"), &s[1]);
	assert_false(is_there(in_dir(dir, "name.part")));
	packets_drop(&p);
	source_drop(&s[0]);
	source_drop(&s[1]);
}

/* More files are announced than a contradicted table names. */
static void a_contradicted_entry_does_not_count_as_another_file(void **state)
{
	struct source s[2] = {source_make(1, "one", 3000, 1000, PW_DIGEST_XXH3_128),
		source_make(1, "one", 4000, 1000, PW_DIGEST_XXH3_128)};
	struct pw_recv_config cfg = config();
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};

	(void)state;
	packets_add_fdt(&p, TSI, 0, &s[0], 1, false, 2);
	packets_add_fdt(&p, TSI, 1, &s[1], 1, false, 2);
	push(r, &p);
	packets_drop(&p);
	packets_add_file(&p, TSI, &s[1]);
	push(r, &p);
	assert_state(r, 1, PW_RECV_COMPLETE);
	assert_int_equal(settle(r).n_never_named, 1);
	assert_false(settle(r).done);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s[0]);
	source_drop(&s[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(all_sessions_are_taken_or_the_one_given),
		test(sessions_of_two_senders_with_one_tsi_do_not_mix),
		test(a_stray_packet_locks_nothing),
		test(two_close_flags_close_the_session),
		test(a_sender_that_starts_again_goes_on_with_the_part),
		test(senders_that_differ_about_a_name_keep_their_symbols),
		test(a_contradicted_entry_does_not_count_as_another_file),
	};

	return cmocka_run_group_tests_name("recv_session", tests, NULL, NULL);
}
