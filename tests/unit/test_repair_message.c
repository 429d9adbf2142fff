/* SPDX-License-Identifier: BSD-3-Clause */
#include "repair_util.h"

#define TOKEN "0123456789abcdef0123456789abcdef"

static void only_an_address_a_port_and_a_token_make_a_url(void **state)
{
	static const char *const bad[] = {"", "http://", "http://10.0.0.1:80",
		"http://10.0.0.1/" TOKEN, "http://10.0.0.1:0/" TOKEN, "https://10.0.0.1:80/" TOKEN,
		"file:///etc/passwd", "http://localhost:80/" TOKEN, "http://10.0.0.1:80/" TOKEN "0",
		"http://10.0.0.1:80/" TOKEN "/", "http://u@10.0.0.1:80/" TOKEN,
		"http://[fe80::1%lo]:80/" TOKEN, "http://10.0.0.1:80/../" TOKEN,
		"http://239.0.0.1:80/" TOKEN, "http://10.0.0.1:80/0123456789abcdef0123456789abcdeg",
		"http://10.0.0.1:99999/" TOKEN, " http://10.0.0.1:80/" TOKEN};
	static const char *const good[] = {
		"http://10.0.0.1:8080/" TOKEN, "http://[fd00::1]:1/" TOKEN};
	struct pw_repair_url url;
	struct pw_err err;
	char text[PW_REPAIR_URL_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err.code = 0;
		if (pw_repair_url_parse(bad[i], &url, &err) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(err.code, EINVAL);
	}
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(pw_repair_url_parse(good[i], &url, NULL), 0);
		assert_string_equal(pw_repair_url_format(text, &url), good[i]);
	}
}

static void a_token_that_differs_in_one_digit_is_another(void **state)
{
	char given[] = TOKEN;
	size_t i;

	(void)state;
	assert_true(pw_repair_token_equal(TOKEN, given));
	for (i = 0; i < PW_REPAIR_TOKEN_LEN; i++) {
		given[i] ^= 1;
		assert_false(pw_repair_token_equal(TOKEN, given));
		given[i] ^= 1;
	}
}

static void two_tokens_differ(void **state)
{
	char a[PW_REPAIR_TOKEN_LEN + 1], b[PW_REPAIR_TOKEN_LEN + 1];

	(void)state;
	assert_int_equal(pw_repair_draw(a, PW_REPAIR_TOKEN_LEN, NULL), 0);
	assert_int_equal(pw_repair_draw(b, PW_REPAIR_TOKEN_LEN, NULL), 0);
	assert_int_equal(strlen(a), PW_REPAIR_TOKEN_LEN);
	assert_string_not_equal(a, b);
}

static void a_report_survives_its_message(void **state)
{
	struct pw_repair_report back, report = {.id = 0xfedcba9876543210,
					      .name = "node\"7\n",
					      .files = 3,
					      .files_good = 2,
					      .bytes = UINT64_MAX,
					      .bytes_have = 5,
					      .symbols_expected = 9,
					      .symbols_seen = 8,
					      .time_us = 10,
					      .dropped_ring = 11,
					      .disk_waited_us = 12};
	char text[PW_REPAIR_JSON_MAX];
	const size_t len = pw_repair_report_format(text, &report);

	(void)state;
	assert_int_equal(pw_repair_report_parse(text, len, &back, NULL), 0);
	assert_int_equal(back.id, report.id);
	assert_string_equal(back.name, "node?7?");
	assert_int_equal(back.files, 3);
	assert_int_equal(back.files_good, 2);
	assert_int_equal(back.bytes, INT64_MAX);
	assert_int_equal(back.symbols_seen, 8);
	assert_int_equal(back.time_us, 10);
	assert_int_equal(back.dropped_ring, 11);
	assert_int_equal(back.disk_waited_us, 12);
}

static void what_is_no_report_is_refused(void **state)
{
	static const char *const bad[] = {"", "{", "[]", "null", "{}", "{\"receiver\": 5}",
		"{\"receiver\": \"123\"}", "{\"receiver\": \"0123456789abcdeg\"}",
		"{\"receiver\": \"0123456789abcdef\", \"files\": -1}",
		"{\"receiver\": \"0123456789abcdef\", \"files\": 1.5}",
		"{\"receiver\": \"0123456789abcdef\", \"files\": \"1\"}",
		"{\"receiver\": \"0123456789abcdef\", \"files\": 99999999999999999999}",
		"{\"receiver\": \"0123456789abcdef\", \"receiver\": \"0123456789abcdef\"}"};
	struct pw_repair_report report;
	struct pw_err err;
	char *large = calloc(1, PW_REPAIR_JSON_MAX + 2);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err.code = 0;
		if (pw_repair_report_parse(bad[i], strlen(bad[i]), &report, &err) != -EBADMSG)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(err.code, EBADMSG);
	}
	assert_non_null(large);
	memset(large, ' ', PW_REPAIR_JSON_MAX + 1);
	memcpy(large, "{\"receiver\": \"0123456789abcdef\"}", 32);
	assert_int_equal(pw_repair_report_parse(large, PW_REPAIR_JSON_MAX, &report, NULL), 0);
	assert_int_equal(
		pw_repair_report_parse(large, PW_REPAIR_JSON_MAX + 1, &report, NULL), -EBADMSG);
	free(large);
}

static void a_manifest_survives_packing(void **state)
{
	const char *text = MANIFEST("[0, 1440]");
	char *back;
	void *packed;
	size_t len, back_len;

	(void)state;
	assert_int_equal(pw_repair_pack(text, strlen(text), &packed, &len, NULL), 0);
	assert_int_equal(pw_repair_unpack(packed, len, &back, &back_len, NULL), 0);
	assert_int_equal(back_len, strlen(text));
	assert_memory_equal(back, text, back_len);
	free(back);
	/* cut, damaged, empty */
	assert_int_equal(pw_repair_unpack(packed, len - 1, &back, &back_len, NULL), -EBADMSG);
	((uint8_t *)packed)[len / 2] ^= 0x55;
	assert_int_equal(pw_repair_unpack(packed, len, &back, &back_len, NULL), -EBADMSG);
	assert_int_equal(pw_repair_unpack("", 0, &back, &back_len, NULL), -EBADMSG);
	assert_null(back);
	free(packed);
}

static void a_bomb_is_refused(void **state)
{
	const size_t len = PW_REPAIR_TEXT_MAX;
	char *zeroes = calloc(1, len + 1), *back;
	void *packed, *two;
	size_t n, back_len;

	(void)state;
	assert_non_null(zeroes);
	assert_int_equal(pw_repair_pack(zeroes, len, &packed, &n, NULL), 0);
	assert_true(n < 20000);
	/* Two gzip members of the largest text each: their sum is beyond the bound. */
	two = malloc(2 * n);
	assert_non_null(two);
	memcpy(two, packed, n);
	memcpy((char *)two + n, packed, n);
	assert_int_equal(pw_repair_unpack(two, 2 * n, &back, &back_len, NULL), -EFBIG);
	assert_null(back);
	free(packed);
	assert_int_equal(pw_repair_pack(zeroes, len + 1, &packed, &n, NULL), -EFBIG);
	free(two);
	free(zeroes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_an_address_a_port_and_a_token_make_a_url),
		cmocka_unit_test(a_token_that_differs_in_one_digit_is_another),
		cmocka_unit_test(two_tokens_differ),
		cmocka_unit_test(a_report_survives_its_message),
		cmocka_unit_test(what_is_no_report_is_refused),
		cmocka_unit_test(a_manifest_survives_packing),
		cmocka_unit_test(a_bomb_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
