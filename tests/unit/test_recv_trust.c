/* SPDX-License-Identifier: BSD-3-Clause */
/* A receiver with trusted keys: which tables it takes, and what a forged symbol costs. */
#include "recv_dir.h"
/* cmocka first */
#include "recv/trust.h"
#include "sign_util.h"
#include "wire/leaves.h"

#define MIB 1048576ull
#define NOW 1800000000ull /* for rules that are given the time */

static struct pw_keys *keys_load(void)
{
	struct pw_keys *k;

	assert_int_equal(mkdir(in_dir(dir, "keys"), 0700), 0);
	key_make(in_dir(dir, "keys"), "mine");
	key_make(dir, "other");
	assert_int_equal(pw_keys_open(&k, in_dir(dir, "keys"), NULL), 0);
	assert_int_equal(mkdir(in_dir(dir, "in"), 0700), 0);
	return k;
}

static struct pw_recv *trusting(const struct pw_keys *k, bool resume)
{
	const struct pw_recv_config cfg = {.out_dir = in_dir(dir, "in"),
		.trust = k,
		.clock_skew_ns = 60000000000ull,
		.resume = resume};

	return recv_make(&cfg);
}

static uint64_t now_us(void)
{
	return (uint64_t)time(NULL) * 1000000;
}

/* A table of one file, signed with the key of that file. */
static void add_signed(struct packets *p, uint32_t instance, struct source *s, const char *key,
	uint64_t sequence, int64_t lives_s)
{
	struct pw_fdt fdt = {.expires_ntp = pw_fdt_ntp((uint64_t)((int64_t)time(NULL) + lives_s)),
		.complete = true,
		.n_session_files = 1,
		.sequence = sequence,
		.files = &s->f,
		.n_files = 1};
	struct pw_signer *signer;
	size_t len;
	char *xml;

	assert_int_equal(pw_fdt_build(&fdt, &xml, &len, NULL), 0);
	assert_int_equal(pw_signer_open(&signer, in_dir(dir, key), NULL, NULL), 0);
	assert_int_equal(pw_signer_sign(signer, &xml, &len, NULL), 0);
	pw_signer_close(signer);
	packets_add_text(p, TSI, instance, xml, len);
	free(xml);
}

static struct source tree(uint64_t len)
{
	struct source s = source_make(1, "a", len, 1000, PW_DIGEST_NONE);
	struct pw_digest_state *st;

	assert_int_equal(pw_digest_create_for(&st, PW_DIGEST_SHA256_TREE, len, NULL), 0);
	pw_digest_update(st, s.data, len);
	pw_digest_final(st, &s.f.digest);
	s.f.leaves = pw_digest_take_leaves(st);
	pw_digest_destroy(st);
	return s;
}

static void tree_drop(struct source *s)
{
	free(s->f.leaves);
	source_drop(s);
}

static void only_a_file_in_a_signed_table_is_written(void **state)
{
	struct pw_keys *k = keys_load();
	struct source s = tree(2 * MIB + 5);
	struct pw_recv *r = trusting(k, false);
	struct packets forged = {0}, good = {0};
	struct pw_recv_counters c;

	(void)state;
	packets_add_fdt(&forged, TSI, 1, &s, 1, true, 1);
	add_signed(&forged, 2, &s, "other.key", now_us(), 60);
	packets_add_file(&forged, TSI, &s);
	packets_add_close(&forged, TSI);
	packets_add_close(&forged, TSI);
	push(r, &forged);
	c = counters(r);
	assert_int_equal(c.fdt_unsigned, 1);
	assert_int_equal(c.fdt_forged, 1);
	assert_int_equal(pw_recv_n_files(r), 0);
	assert_false(settle(r).session_closed);
	assert_int_equal(settle(r).n_sessions, 0);
	add_signed(&good, 3, &s, "keys/mine.key", now_us(), 60);
	packets_add_file(&good, TSI, &s);
	push(r, &good);
	assert_state(r, 0, PW_RECV_COMPLETE);
	assert_content(in_dir(dir, "in/a"), &s);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	pw_recv_destroy(r);
	packets_drop(&forged);
	packets_drop(&good);
	tree_drop(&s);
	pw_keys_close(k);
}

static void expired_and_future_tables_are_refused(void **state)
{
	struct pw_keys *k = keys_load();
	struct source s = tree(1000);
	struct pw_recv *r = trusting(k, false);
	struct packets p = {0};

	(void)state;
	add_signed(&p, 1, &s, "keys/mine.key", now_us(), -70);
	add_signed(&p, 2, &s, "keys/mine.key", now_us() + 130000000, 60);
	push(r, &p);
	assert_int_equal(counters(r).fdt_expired, 2);
	assert_int_equal(pw_recv_n_files(r), 0);
	packets_drop(&p);
	add_signed(&p, 3, &s, "keys/mine.key", now_us() + 30000000, -30); /* within the skew */
	push(r, &p);
	assert_int_equal(pw_recv_n_files(r), 1);
	pw_recv_destroy(r);
	packets_drop(&p);
	tree_drop(&s);
	pw_keys_close(k);
}

static struct pw_host_key host(const char *ip)
{
	struct pw_addr addr = {0};

	assert_int_equal(pw_addr_parse("from", ip, 1, &addr, NULL), 0);
	return pw_host_key(&addr);
}

static enum pw_trust_verdict admit(struct pw_trust *t, uint64_t sequence_s, const char *ip)
{
	const struct pw_fdt fdt = {
		.expires_ntp = pw_fdt_ntp(NOW + 60), .sequence = sequence_s * 1000000};
	struct pw_err err = {0};
	enum pw_trust_verdict v = pw_trust_admit(t, 0, &fdt, host(ip), TSI, NOW, &err);

	if (err.code)
		fail_msg("%s", err.msg);
	return v;
}

static void an_older_session_of_a_key_is_stale_also_after_a_restart(void **state)
{
	struct pw_keys *k = keys_load();
	struct pw_trust t;

	(void)state;
	assert_int_equal(pw_trust_open(&t, k, 0, in_dir(dir, "in"), NULL), 0);
	assert_int_equal(admit(&t, NOW - 9, "10.0.0.1"), PW_TRUST_GOOD);
	assert_int_equal(admit(&t, NOW - 9, "10.0.0.1"), PW_TRUST_GOOD);  /* its next instance */
	assert_int_equal(admit(&t, NOW - 9, "10.0.0.2"), PW_TRUST_STALE); /* a copy */
	assert_int_equal(admit(&t, NOW - 5, "10.0.0.1"), PW_TRUST_GOOD);
	assert_int_equal(admit(&t, NOW - 9, "10.0.0.1"), PW_TRUST_STALE);
	assert_int_equal(admit(&t, 0, "10.0.0.1"), PW_TRUST_STALE);
	pw_trust_close(&t);

	/* killed: the session was not whole, and may go on; an older one may not */
	assert_int_equal(pw_trust_open(&t, k, 0, in_dir(dir, "in"), NULL), 0);
	assert_int_equal(admit(&t, NOW - 9, "10.0.0.1"), PW_TRUST_STALE);
	assert_int_equal(admit(&t, NOW - 5, "10.0.0.1"), PW_TRUST_GOOD);
	assert_int_equal(pw_trust_end_sessions(&t, NULL), 0);
	pw_trust_close(&t);

	assert_int_equal(pw_trust_open(&t, k, 0, in_dir(dir, "in"), NULL), 0);
	assert_int_equal(admit(&t, NOW - 5, "10.0.0.1"), PW_TRUST_STALE);
	assert_int_equal(admit(&t, NOW - 4, "10.0.0.1"), PW_TRUST_GOOD);
	pw_trust_close(&t);
	pw_keys_close(k);
}

static enum pw_trust_verdict admit_stripe(struct pw_trust *t, struct pw_stripe stripe, uint64_t tsi,
	uint64_t sequence_s, const char *ip)
{
	const struct pw_fdt fdt = {.expires_ntp = pw_fdt_ntp(NOW + 60),
		.sequence = sequence_s * 1000000,
		.stripe = stripe};
	struct pw_err err = {0};
	enum pw_trust_verdict v = pw_trust_admit(t, 0, &fdt, host(ip), tsi, NOW, &err);

	if (err.code)
		fail_msg("%s", err.msg);
	return v;
}

/* Hosts that sign with one key do not make each other's sessions old ones. */
static void stripes_of_one_key_have_a_sequence_each(void **state)
{
	static const struct pw_stripe s[] = {{0, 3}, {1, 3}, {2, 3}};
	struct pw_keys *k = keys_load();
	struct pw_trust t;

	(void)state;
	assert_int_equal(pw_trust_open(&t, k, 0, in_dir(dir, "in"), NULL), 0);
	assert_int_equal(admit(&t, NOW - 20, "10.0.0.1"), PW_TRUST_GOOD);
	/* whichever starts first; each must have started after the key's older session */
	assert_int_equal(admit_stripe(&t, s[1], TSI, NOW - 8, "10.0.0.2"), PW_TRUST_GOOD);
	assert_int_equal(admit_stripe(&t, s[0], TSI, NOW - 9, "10.0.0.1"), PW_TRUST_GOOD);
	assert_int_equal(admit_stripe(&t, s[2], TSI, NOW - 20, "10.0.0.3"), PW_TRUST_STALE);
	assert_int_equal(admit(&t, NOW - 20, "10.0.0.1"), PW_TRUST_STALE);
	assert_int_equal(admit(&t, NOW - 9, "10.0.0.1"), PW_TRUST_STALE);
	/* a copy from elsewhere, or under another TSI, or said to be another set's */
	assert_int_equal(admit_stripe(&t, s[1], TSI, NOW - 8, "10.0.0.9"), PW_TRUST_STALE);
	assert_int_equal(admit_stripe(&t, s[1], TSI + 1, NOW - 8, "10.0.0.2"), PW_TRUST_STALE);
	assert_int_equal(admit_stripe(&t, (struct pw_stripe){1, 4}, TSI, NOW - 8, "10.0.0.2"),
		PW_TRUST_STALE);
	/* a stripe that was started again, elsewhere; then what its host had sent before */
	assert_int_equal(admit_stripe(&t, s[1], TSI, NOW - 5, "10.0.0.4"), PW_TRUST_GOOD);
	assert_int_equal(admit_stripe(&t, s[1], TSI, NOW - 8, "10.0.0.2"), PW_TRUST_STALE);
	assert_int_equal(admit_stripe(&t, s[0], TSI, NOW - 9, "10.0.0.1"), PW_TRUST_GOOD);
	pw_trust_close(&t);

	/* after a restart, in the middle of it */
	assert_int_equal(pw_trust_open(&t, k, 0, in_dir(dir, "in"), NULL), 0);
	assert_int_equal(admit_stripe(&t, s[1], TSI, NOW - 8, "10.0.0.2"), PW_TRUST_STALE);
	assert_int_equal(admit_stripe(&t, s[2], TSI, NOW - 20, "10.0.0.3"), PW_TRUST_STALE);
	assert_int_equal(admit_stripe(&t, s[0], TSI, NOW - 9, "10.0.0.1"), PW_TRUST_GOOD);
	assert_int_equal(admit_stripe(&t, s[2], TSI, NOW - 7, "10.0.0.3"), PW_TRUST_GOOD);
	assert_int_equal(pw_trust_end_sessions(&t, NULL), 0);
	pw_trust_close(&t);

	/* all of them are over; a newer set under the same TSI is not */
	assert_int_equal(pw_trust_open(&t, k, 0, in_dir(dir, "in"), NULL), 0);
	assert_int_equal(admit_stripe(&t, s[0], TSI, NOW - 9, "10.0.0.1"), PW_TRUST_STALE);
	assert_int_equal(admit_stripe(&t, s[1], TSI, NOW - 5, "10.0.0.4"), PW_TRUST_STALE);
	assert_int_equal(admit_stripe(&t, s[0], TSI, NOW - 3, "10.0.0.1"), PW_TRUST_GOOD);
	assert_int_equal(admit_stripe(&t, s[1], TSI, NOW - 5, "10.0.0.4"), PW_TRUST_STALE);
	assert_int_equal(admit_stripe(&t, s[1], TSI, NOW - 4, "10.0.0.4"), PW_TRUST_GOOD);
	pw_trust_close(&t);
	pw_keys_close(k);
}

static void a_damaged_state_file_is_an_error(void **state)
{
	static const char *const texts[] = {"", "{}", "[1]",
		"{\"schema\": \"pagewire.trust/1\", \"keys\": 1}",
		"{\"schema\": \"pagewire.trust/2\", \"keys\": {}}"};
	static const char *const entries[] = {"\"sequence\": -1", "\"sequence\": 5, \"set\": 1",
		"\"sequence\": 5, \"set\": {\"tsi\": 1, \"before\": 0, \"sequences\": [5]}",
		"\"sequence\": 5, \"set\": {\"tsi\": 1, \"before\": 0, \"sequences\": [5, -1]}",
		"\"sequence\": 5, \"set\": {\"tsi\": 1, \"sequences\": [5, 0]}"};
	struct pw_keys *k = keys_load();
	struct pw_trust t;
	size_t i;
	char text[300];

	(void)state;
	for (i = 0; i < 10; i++) {
		snprintf(text, sizeof(text),
			"{\"schema\": \"pagewire.trust/1\", \"keys\": {\"%s\": {%s, "
			"\"whole\": true}}}",
			pw_keys_id(k, 0), i < 5 ? "" : entries[i - 5]);
		write_text(in_dir(dir, "in/" PW_TRUST_FILE), i < 5 ? texts[i] : text);
		assert_int_equal(pw_trust_open(&t, k, 0, in_dir(dir, "in"), NULL), -EBADMSG);
		pw_trust_close(&t);
	}
	pw_keys_close(k);
}

/* Changes one byte of the packet with that symbol; its payload is the packet's end. */
static void forge(struct packets *p, size_t packet)
{
	((uint8_t *)(uintptr_t)p->v[packet].data)[p->v[packet].len - 1] ^= 1;
}

/* late: the digest and the leaves come after the symbols. */
static void forged_symbol(bool late)
{
	struct pw_keys *k = keys_load();
	struct source s = tree(3 * MIB + 5), named = s;
	struct pw_recv *r = trusting(k, false);
	struct packets p = {0}, again = {0};
	const uint64_t sequence = now_us();
	struct pw_recv_file_info info;
	size_t first;

	if (late) {
		named.f.digest = (struct pw_digest){0};
		named.f.leaves = NULL;
		named.f.digest_later = true;
	}
	add_signed(&p, 1, &named, "keys/mine.key", sequence, 60);
	first = p.n;
	packets_add_file(&p, TSI, &s);
	forge(&p, first + 1500); /* in the second of four leaves */
	if (late)
		add_signed(&p, 2, &s, "keys/mine.key", sequence, 60);
	push(r, &p);
	info = file_info(r, 0);
	/* if it is found before the last symbol, the file is partial then */
	assert_true(info.state == PW_RECV_MISMATCH || info.state == PW_RECV_PARTIAL);
	assert_non_null(strstr(info.reason, "1 of its 4 blocks is forged"));
	assert_non_null(strstr(info.reason, "bytes 1048576 to 2097152"));
	/* the symbols with bytes in it, 1048 to 2097 */
	assert_int_equal(info.len_bytes - info.have_bytes, 1050 * 1000);
	assert_int_equal(settle(r).bytes_have, info.have_bytes);
	assert_false(is_there(in_dir(dir, "in/a")));
	packets_add_file(&again, TSI, &s);
	push(r, &again);
	assert_state(r, 0, PW_RECV_COMPLETE);
	assert_content(in_dir(dir, "in/a"), &s);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	pw_recv_destroy(r);
	packets_drop(&p);
	packets_drop(&again);
	tree_drop(&s);
	pw_keys_close(k);
}

static void a_forged_symbol_costs_one_block(void **state)
{
	(void)state;
	forged_symbol(false);
}

static void leaves_that_come_after_the_symbols_are_checked_then(void **state)
{
	(void)state;
	forged_symbol(true);
}

/* late: the leaves come when both blocks have filled. */
static void check_found_early(bool late)
{
	struct pw_keys *k = keys_load();
	struct source s = tree(3 * MIB + 5), named = s;
	struct pw_recv *r = trusting(k, false);
	struct packets p = {0}, leaves = {0}, rest = {0};
	const uint64_t sequence = now_us();
	struct pw_recv_file_info info;
	uint64_t i;

	if (late) {
		named.f.digest = (struct pw_digest){0};
		named.f.leaves = NULL;
		named.f.digest_later = true;
		add_signed(&leaves, 2, &s, "keys/mine.key", sequence, 60);
	}
	add_signed(&p, 1, &named, "keys/mine.key", sequence, 60);
	for (i = 0; i < 2200; i++)
		packets_add_symbol(&p, TSI, &s, i);
	forge(&p, p.n - 2200 + 1500);
	push(r, &p);
	push(r, &leaves);
	for (i = 0; i < 10000 && !(info = file_info(r, 0)).reason; i++)
		usleep(1000);
	assert_non_null(info.reason);
	assert_non_null(strstr(info.reason, "1 of its 4 blocks is forged"));
	settle(r);
	info = file_info(r, 0);
	assert_int_equal(info.have_bytes, (2200 - 1050) * 1000);
	assert_int_equal(settle(r).bytes_have, info.have_bytes);
	for (i = 1048; i < source_symbols(&s); i++)
		packets_add_symbol(&rest, TSI, &s, i);
	push(r, &rest);
	assert_state(r, 0, PW_RECV_COMPLETE);
	assert_content(in_dir(dir, "in/a"), &s);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	pw_recv_destroy(r);
	packets_drop(&p);
	packets_drop(&leaves);
	packets_drop(&rest);
	tree_drop(&s);
	pw_keys_close(k);
}

static void a_forged_block_is_found_before_the_file_is_whole(void **state)
{
	(void)state;
	check_found_early(false);
}

static void blocks_that_came_before_their_leaves_are_compared_with_them(void **state)
{
	(void)state;
	check_found_early(true);
}

static void the_manifest_asks_for_the_forged_block_and_resume_completes_it(void **state)
{
	struct pw_keys *k = keys_load();
	struct source s = tree(3 * MIB + 5);
	struct pw_recv *r = trusting(k, false);
	const struct pw_range want = {1048000, 2098000};
	struct packets p = {0}, rest = {0};
	const uint64_t sequence = now_us();
	struct pw_gaps g = {0};
	uint64_t i;

	(void)state;
	add_signed(&p, 1, &s, "keys/mine.key", sequence, 60);
	packets_add_file(&p, TSI, &s);
	forge(&p, p.n - source_symbols(&s) + 1500);
	push(r, &p);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	pw_recv_destroy(r);
	assert_int_equal(pw_gaps_load(in_dir(dir, "in/" PW_GAPS_FILE), &g, NULL), 0);
	assert_int_equal(g.n_files, 1);
	assert_int_equal(g.files[0].n_missing, 1);
	assert_memory_equal(g.files[0].missing, &want, sizeof(want));
	pw_gaps_finish(&g);

	r = trusting(k, true);
	add_signed(&rest, 1, &s, "keys/mine.key", sequence + 1, 60);
	for (i = 1048; i < 2098; i++)
		packets_add_symbol(&rest, TSI, &s, i);
	push(r, &rest);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	assert_content(in_dir(dir, "in/a"), &s);
	pw_recv_destroy(r);
	packets_drop(&p);
	packets_drop(&rest);
	tree_drop(&s);
	pw_keys_close(k);
}

static void a_file_without_a_signed_sha_256_is_not_published(void **state)
{
	struct pw_keys *k = keys_load();
	struct source s = source_make(1, "weak", 5000, 1000, PW_DIGEST_XXH3_128), late = s;
	struct pw_recv *r = trusting(k, false);
	struct packets p = {0};
	const uint64_t sequence = now_us();

	(void)state;
	add_signed(&p, 1, &s, "keys/mine.key", sequence, 60);
	packets_add_file(&p, TSI, &s);
	push(r, &p);
	assert_state(r, 0, PW_RECV_REFUSED);
	packets_drop(&p);
	late.f.location = strdup("late");
	late.f.toi = 2;
	late.f.digest = (struct pw_digest){0};
	late.f.digest_later = true;
	add_signed(&p, 2, &late, "keys/mine.key", sequence, 60);
	packets_add_file(&p, TSI, &late);
	push(r, &p);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	assert_state(r, 1, PW_RECV_PARTIAL);
	assert_false(is_there(in_dir(dir, "in/late")));
	assert_false(is_there(in_dir(dir, "in/weak")));
	pw_recv_destroy(r);
	packets_drop(&p);
	free(late.f.location);
	source_drop(&s);
	pw_keys_close(k);
}

static void sessions_that_nobody_signed_leave_room_for_a_signed_one(void **state)
{
	struct pw_keys *k = keys_load();
	struct source s = tree(2000);
	struct pw_recv *r = trusting(k, false);
	struct packets p = {0};
	uint64_t i;

	(void)state;
	for (i = 0; i < 200; i++)
		packets_add_fdt(&p, 1000 + i, 1, &s, 1, true, 1);
	add_signed(&p, 1, &s, "keys/mine.key", now_us(), 60);
	packets_add_file(&p, TSI, &s);
	push(r, &p);
	assert_int_equal(counters(r).fdt_unsigned, 200);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	assert_content(in_dir(dir, "in/a"), &s);
	pw_recv_destroy(r);
	packets_drop(&p);
	tree_drop(&s);
	pw_keys_close(k);
}

static void the_state_file_cannot_be_replaced_by_a_sender(void **state)
{
	struct pw_keys *k = keys_load();
	struct source s = source_make(1, PW_TRUST_FILE, 3000, 1000, PW_DIGEST_SHA256);
	struct pw_recv *r = trusting(k, false);
	struct packets p = {0};

	(void)state;
	add_signed(&p, 1, &s, "keys/mine.key", now_us(), 60);
	packets_add_file(&p, TSI, &s);
	push(r, &p);
	assert_state(r, 0, PW_RECV_REFUSED);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
	pw_keys_close(k);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(only_a_file_in_a_signed_table_is_written),
		test(expired_and_future_tables_are_refused),
		test(an_older_session_of_a_key_is_stale_also_after_a_restart),
		test(stripes_of_one_key_have_a_sequence_each),
		test(a_damaged_state_file_is_an_error),
		test(a_forged_symbol_costs_one_block),
		test(a_forged_block_is_found_before_the_file_is_whole),
		test(blocks_that_came_before_their_leaves_are_compared_with_them),
		test(leaves_that_come_after_the_symbols_are_checked_then),
		test(the_manifest_asks_for_the_forged_block_and_resume_completes_it),
		test(a_file_without_a_signed_sha_256_is_not_published),
		test(sessions_that_nobody_signed_leave_room_for_a_signed_one),
		test(the_state_file_cannot_be_replaced_by_a_sender),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
