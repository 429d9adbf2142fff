/* SPDX-License-Identifier: BSD-3-Clause */
/* The leaves of a file in its table, and the digest over them. */
#include "recv_util.h"
/* cmocka first */
#include "base/base64.h"
#include "wire/leaves.h"

#define MIB (1ull << 20)

static void base64_is_that_of_rfc_4648(void **state)
{
	static const char *const texts[] = {
		"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
	char text[16], back[8];
	size_t n;

	(void)state;
	for (n = 0; n < 7; n++) {
		memset(text, 0, sizeof(text));
		pw_base64_encode(text, "foobar", n);
		assert_string_equal(text, texts[n]);
		assert_int_equal(pw_base64_len(n), strlen(texts[n]));
		assert_true(pw_base64_decode(text, strlen(text), back, n));
		assert_memory_equal(back, "foobar", n);
		if (n)
			assert_false(pw_base64_decode(text, strlen(text) - 1, back, n));
	}
	assert_false(pw_base64_decode("Zh==", 4, back, 1)); /* bits of no byte */
	assert_false(pw_base64_decode("Zg=a", 4, back, 1));
	assert_false(pw_base64_decode("Zm9\n", 4, back, 3));
	assert_false(pw_base64_decode("Zm9\0", 4, back, 3));
}

static void no_file_has_more_leaves_than_fit_a_table(void **state)
{
	static const struct {
		uint64_t len, leaf;
		uint32_t n;
	} cases[] = {{0, MIB, 0}, {1, MIB, 1}, {MIB, MIB, 1}, {MIB + 1, MIB, 2},
		{1024 * MIB, MIB, 1024}, {1024 * MIB + 1, 2 * MIB, 513},
		{(1ull << 48) - 1, 1ull << 38, 1024}};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(pw_leaf_bytes(cases[i].len), cases[i].leaf);
		assert_int_equal(pw_leaves_n(cases[i].len), cases[i].n);
	}
}

static void the_tree_digest_is_that_of_the_leaves(void **state)
{
	const uint64_t len = 2 * MIB + 12345;
	struct source s = source_make(1, "a", len, 1000, PW_DIGEST_SHA256_TREE);
	uint8_t leaves[3 * PW_LEAF_LEN], *taken, *back;
	struct pw_digest d, whole;
	struct pw_digest_state *st;
	uint64_t at, n;
	char *text;

	(void)state;
	for (at = 0; at < len; at += MIB) {
		n = len - at < MIB ? len - at : MIB;
		pw_digest_buffer(PW_DIGEST_SHA256, s.data + at, n, &d, NULL);
		memcpy(leaves + at / MIB * PW_LEAF_LEN, d.bytes, PW_LEAF_LEN);
	}
	pw_digest_buffer(PW_DIGEST_SHA256, leaves, sizeof(leaves), &d, NULL);
	assert_memory_equal(s.f.digest.bytes, d.bytes, PW_LEAF_LEN);
	/* in pieces that do not end with leaves */
	assert_int_equal(pw_digest_create_for(&st, PW_DIGEST_SHA256_TREE, len, NULL), 0);
	for (at = 0; at < len; at += n) {
		n = len - at < 700001 ? len - at : 700001;
		pw_digest_update(st, s.data + at, n);
	}
	pw_digest_final(st, &whole);
	assert_memory_equal(&whole, &s.f.digest, sizeof(whole));
	taken = pw_digest_take_leaves(st);
	assert_non_null(taken);
	assert_memory_equal(taken, leaves, sizeof(leaves));
	pw_digest_destroy(st);

	text = pw_leaves_format(taken, len);
	assert_non_null(text);
	back = pw_leaves_parse(text, strlen(text), len);
	assert_non_null(back);
	assert_memory_equal(back, leaves, sizeof(leaves));
	free(back);
	assert_null(pw_leaves_parse(text, strlen(text) - 1, len));
	assert_null(pw_leaves_parse(text, strlen(text), len + MIB)); /* one leaf more */
	assert_null(pw_leaves_parse(text, strlen(text), 1024 * MIB + 1));
	assert_null(pw_leaves_parse(text, strlen(text), 0));
	text[0] = 'S';
	assert_null(pw_leaves_parse(text, strlen(text), len));
	free(text);
	free(taken);
	source_drop(&s);
}

static void a_tree_of_another_length_is_no_digest(void **state)
{
	struct pw_digest_state *st;
	struct pw_digest d;

	(void)state;
	assert_int_equal(pw_digest_create_for(&st, PW_DIGEST_SHA256_TREE, 3, NULL), 0);
	pw_digest_update(st, "ab", 2);
	pw_digest_final(st, &d);
	assert_int_equal(d.kind, PW_DIGEST_NONE);
	pw_digest_destroy(st);
	assert_int_equal(pw_digest_create_for(&st, PW_DIGEST_SHA256_TREE, 3, NULL), 0);
	pw_digest_update(st, "abcd", 4);
	pw_digest_final(st, &d);
	assert_int_equal(d.kind, PW_DIGEST_NONE);
	pw_digest_destroy(st);
	assert_true(pw_digest_create(&st, PW_DIGEST_SHA256_TREE, NULL) < 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_is_that_of_rfc_4648),
		cmocka_unit_test(no_file_has_more_leaves_than_fit_a_table),
		cmocka_unit_test(the_tree_digest_is_that_of_the_leaves),
		cmocka_unit_test(a_tree_of_another_length_is_no_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
