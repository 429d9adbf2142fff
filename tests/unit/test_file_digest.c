/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "file/digest.h"

struct vector {
	enum pw_digest_kind kind;
	const char *text;
	const char *hex;
};

/* XXH3-128: the empty input is the reference's own test vector (seed 0), the others are what
 * `xxh128sum` prints. SHA-256: FIPS 180-2, appendix B. MD5: RFC 1321, appendix A.5. */
static const struct vector vectors[] = {
	{PW_DIGEST_XXH3_128, "", "99aa06d3014798d86001c324468d497f"},
	{PW_DIGEST_XXH3_128, "abc", "06b05ab6733a618578af5f94892f3950"},
	{PW_DIGEST_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{PW_DIGEST_SHA256, "abc",
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{PW_DIGEST_SHA256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	{PW_DIGEST_MD5, "", "d41d8cd98f00b204e9800998ecf8427e"},
	{PW_DIGEST_MD5, "message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
};

static void hex_of(const struct pw_digest *d, size_t n, char *hex)
{
	size_t i;

	for (i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", d->bytes[i]);
}

static void known_texts_have_their_published_digests(void **state)
{
	char hex[2 * PW_DIGEST_MAX + 1];
	struct pw_digest d;
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];

		assert_int_equal(pw_digest_buffer(v->kind, v->text, strlen(v->text), &d, NULL), 0);
		assert_int_equal(d.kind, v->kind);
		hex_of(&d, strlen(v->hex) / 2, hex);
		assert_string_equal(hex, v->hex);
	}
}

static void pieces_give_the_digest_of_the_whole(void **state)
{
	static const enum pw_digest_kind kinds[] = {
		PW_DIGEST_XXH3_128, PW_DIGEST_SHA256, PW_DIGEST_MD5};
	static const size_t steps[] = {1, 63, 64, 1440, 4096, 65537};
	size_t len = 300007, i, k, at;
	uint8_t *p = malloc(len);

	(void)state;
	assert_non_null(p);
	for (i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 131 >> 3);
	for (k = 0; k < PW_ARRAY_LEN(kinds); k++) {
		struct pw_digest whole, pieces;

		assert_int_equal(pw_digest_buffer(kinds[k], p, len, &whole, NULL), 0);
		for (i = 0; i < PW_ARRAY_LEN(steps); i++) {
			struct pw_digest_state *st;

			assert_int_equal(pw_digest_create(&st, kinds[k], NULL), 0);
			for (at = 0; at < len; at += steps[i])
				pw_digest_update(st, p + at, pw_min_u64(steps[i], len - at));
			pw_digest_final(st, &pieces);
			pw_digest_destroy(st);
			assert_int_equal(pieces.kind, kinds[k]);
			assert_memory_equal(pieces.bytes, whole.bytes, sizeof(whole.bytes));
		}
		/* and one flipped bit does not */
		p[len / 2] ^= 1;
		assert_int_equal(pw_digest_buffer(kinds[k], p, len, &pieces, NULL), 0);
		assert_memory_not_equal(pieces.bytes, whole.bytes, 16);
		p[len / 2] ^= 1;
	}
	free(p);
}

static void none_is_a_digest_of_nothing(void **state)
{
	struct pw_digest d = {.kind = PW_DIGEST_MD5, .bytes = {1}};
	static const struct pw_digest zero;

	(void)state;
	assert_int_equal(pw_digest_buffer(PW_DIGEST_NONE, "abc", 3, &d, NULL), 0);
	assert_int_equal(d.kind, PW_DIGEST_NONE);
	assert_memory_equal(d.bytes, zero.bytes, sizeof(zero.bytes));
	pw_digest_destroy(NULL);
}

static void an_unknown_kind_is_refused(void **state)
{
	struct pw_digest_state *st;
	struct pw_err err = {0};

	(void)state;
	assert_true(pw_digest_create(&st, (enum pw_digest_kind)99, &err) < 0);
	assert_null(st);
	assert_non_null(strstr(err.msg, "99"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_texts_have_their_published_digests),
		cmocka_unit_test(pieces_give_the_digest_of_the_whole),
		cmocka_unit_test(none_is_a_digest_of_nothing),
		cmocka_unit_test(an_unknown_kind_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
