/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/units.h"
#include "base/utf8.h"

static void sizes_need_a_unit(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{"0", 0},
		{"0B", 0},
		{"1500B", 1500},
		{"64KiB", 65536},
		{"64 KiB", 65536},
		{"10MB", 10000000},
		{"1.5GiB", 1610612736},
		{"0.5KB", 500},
		{"8TiB", 8796093022208},
		{"9000000TB", 9000000000000000000},
		{"64K", 65536},
		{"64M", 67108864},
		{"64m", 67108864},
		{"1.5G", 1610612736},
		{"64kiB", 65536},
		{"10mB", 10000000},
	};
	static const char *const bad[] = {"", " ", "1500", "-1B", "+1B", "1kb", "1Mb", "1Mbit",
		"1mib", "1P", "1KiBx", "B", "KiB", "0x10B", "1e400B", "inf", "nan", " 1B", "1..5B",
		"9300000TB", "99999999999999999999B", "1,5GiB"};
	struct pw_err err;
	uint64_t v;
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(good); i++) {
		assert_int_equal(pw_units_parse_size("--size", good[i].text, &v, &err), 0);
		assert_int_equal(v, good[i].bytes);
	}
	for (i = 0; i < PW_ARRAY_LEN(bad); i++) {
		memset(&err, 0, sizeof(err));
		if (pw_units_parse_size("--size", bad[i], &v, &err) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(err.code, EINVAL);
		assert_non_null(strstr(err.msg, "--size"));
		assert_non_null(strstr(err.msg, "KiB"));
	}
}

static void durations_need_a_unit(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{"0", 0},
		{"7ns", 7},
		{"3us", 3000},
		{"250ms", 250000000},
		{"15s", 15000000000},
		{"1.5s", 1500000000},
		{"2m", 120000000000},
		{"1h", 3600000000000},
	};
	static const char *const bad[] = {"", "15", "1min", "-1s", "s", "1S", "3000000h"};
	uint64_t v;
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(good); i++) {
		assert_int_equal(pw_units_parse_duration("--wait", good[i].text, &v, NULL), 0);
		assert_int_equal(v, good[i].ns);
	}
	for (i = 0; i < PW_ARRAY_LEN(bad); i++)
		assert_int_equal(pw_units_parse_duration("--wait", bad[i], &v, NULL), -EINVAL);
}

static void rates_are_bits_or_packets(void **state)
{
	static const struct {
		const char *text;
		enum pw_rate_unit unit;
		double value;
	} good[] = {
		{"800Mbit/s", PW_RATE_BPS, 8e8},
		{"10Gbit/s", PW_RATE_BPS, 1e10},
		{"1.5kbit/s", PW_RATE_BPS, 1500},
		{"1 bit/s", PW_RATE_BPS, 1},
		{"500pps", PW_RATE_PPS, 500},
		{"2Mpps", PW_RATE_PPS, 2e6},
		{"0.5kpps", PW_RATE_PPS, 500},
		{"2mpps", PW_RATE_PPS, 2e6},
		{"500M", PW_RATE_BPS, 5e8},
		{"500m", PW_RATE_BPS, 5e8},
		{"90G", PW_RATE_BPS, 9e10},
		{"64k", PW_RATE_BPS, 64e3},
		{"500Mbit", PW_RATE_BPS, 5e8},
		{"500mbit/s", PW_RATE_BPS, 5e8},
		{"10Gbps", PW_RATE_BPS, 1e10},
	};
	static const char *const bad[] = {"", "0", "0pps", "10", "10GBps", "10GB/s", "10GiB",
		"10Gp", "10GGbit/s", "G", "-1Mpps", "1e9Gbit/s", "Mpps"};
	struct pw_rate rate;
	struct pw_err err;
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(good); i++) {
		assert_int_equal(pw_units_parse_rate("--rate", good[i].text, &rate, &err), 0);
		assert_int_equal(rate.unit, good[i].unit);
		assert_true(rate.value > good[i].value * 0.999999);
		assert_true(rate.value < good[i].value * 1.000001);
	}
	for (i = 0; i < PW_ARRAY_LEN(bad); i++) {
		assert_int_equal(pw_units_parse_rate("--rate", bad[i], &rate, &err), -EINVAL);
		assert_int_equal(rate.unit, PW_RATE_NONE);
	}
}

/* A cut message ends visibly, and keeps the system's reason. */
static void long_errors_end_in_dots(void **state)
{
	static char path[2 * PW_ERR_MAX];
	struct pw_err err;

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	pw_err_set(&err, EINVAL, "cannot open %s", path);
	assert_int_equal(strlen(err.msg), PW_ERR_MAX - 1);
	assert_string_equal(err.msg + PW_ERR_MAX - 1 - 5, "xx...");
	pw_err_sys(&err, ENOENT, "cannot open %s", path);
	assert_int_equal(strlen(err.msg), PW_ERR_MAX - 1);
	assert_non_null(strstr(err.msg, "xx...: No such file or directory"));
	pw_err_sys(&err, ENOENT, "cannot open %s", "a");
	assert_string_equal(err.msg, "cannot open a: No such file or directory");
	/* no half character before the dots */
	for (size_t i = 0; i + 2 < sizeof(path); i += 2)
		memcpy(path + i, "\xc3\xa4", 2);
	pw_err_set(&err, EINVAL, "%s", path);
	assert_string_equal(err.msg + strlen(err.msg) - 5, "\xc3\xa4...");
	pw_err_set(&err, EINVAL, "x%s", path);
	assert_string_equal(err.msg + strlen(err.msg) - 5, "\xc3\xa4...");
}

static void keep_line(void *ctx, enum pw_log_level level, const char *line)
{
	(void)level;
	*(size_t *)ctx = strlen(line);
}

static void long_log_lines_are_kept_whole(void **state)
{
	static char text[5000];
	size_t len = 0;
	const struct pw_log log = {.level = PW_LOG_INFO, .sink = keep_line, .ctx = &len};

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	pw_info(&log, "%s", text);
	assert_int_equal(len, sizeof(text) - 1);
}

static void whole_numbers_stay_in_their_range(void **state)
{
	struct pw_err err = {0};
	uint64_t v = 77;

	(void)state;
	assert_int_equal(pw_units_parse_u64("--ttl", "255", 1, 255, &v, &err), 0);
	assert_int_equal(v, 255);
	assert_int_equal(pw_units_parse_u64("--n", "007", 0, 9, &v, &err), 0);
	assert_int_equal(v, 7);
	assert_int_equal(
		pw_units_parse_u64("--n", "18446744073709551615", 0, UINT64_MAX, &v, &err), 0);
	assert_true(v == UINT64_MAX);
	v = 77;
	assert_int_equal(pw_units_parse_u64("--n", "18446744073709551616", 0, UINT64_MAX, &v, &err),
		-EINVAL);
	assert_int_equal(pw_units_parse_u64("--ttl", "256", 1, 255, &v, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "--ttl"));
	assert_non_null(strstr(err.msg, "from 1 to 255"));
	assert_int_equal(pw_units_parse_u64("--ttl", "0", 1, 255, &v, &err), -EINVAL);
	assert_int_equal(pw_units_parse_u64("--n", "", 0, 9, &v, &err), -EINVAL);
	assert_int_equal(pw_units_parse_u64("--n", "-1", 0, UINT64_MAX, &v, &err), -EINVAL);
	assert_int_equal(pw_units_parse_u64("--n", " 1", 0, 9, &v, &err), -EINVAL);
	assert_int_equal(pw_units_parse_u64("--n", "1 ", 0, 9, &v, &err), -EINVAL);
	assert_int_equal(pw_units_parse_u64("--n", "0x1", 0, 9, &v, &err), -EINVAL);
	assert_int_equal(v, 77);
}

static void quantities_are_written_with_their_units(void **state)
{
	char buf[32];

	(void)state;
	assert_string_equal(pw_units_size(buf, sizeof(buf), 0), "0 B");
	assert_string_equal(pw_units_size(buf, sizeof(buf), 1023), "1023 B");
	assert_string_equal(pw_units_size(buf, sizeof(buf), 1024), "1.00 KiB");
	assert_string_equal(pw_units_size(buf, sizeof(buf), 1610612736), "1.50 GiB");
	assert_string_equal(pw_units_size(buf, sizeof(buf), 50 * 1048576), "50.0 MiB");
	assert_string_equal(pw_units_size(buf, sizeof(buf), 500 * 1048576), "500 MiB");
	assert_string_equal(pw_units_size(buf, sizeof(buf), UINT64_MAX), "16384 PiB");
	assert_string_equal(pw_units_bitrate(buf, sizeof(buf), 75.3e9), "75.3 Gbit/s");
	assert_string_equal(pw_units_bitrate(buf, sizeof(buf), 12), "12 bit/s");
	assert_string_equal(pw_units_pps(buf, sizeof(buf), 6.7e6), "6.70 Mpps");
	assert_string_equal(pw_units_pps(buf, sizeof(buf), 0), "0 pps");
	assert_string_equal(pw_units_duration(buf, sizeof(buf), 0), "0 ns");
	assert_string_equal(pw_units_duration(buf, sizeof(buf), 999), "999 ns");
	assert_string_equal(pw_units_duration(buf, sizeof(buf), 1000), "1 us");
	assert_string_equal(pw_units_duration(buf, sizeof(buf), 91499), "91.5 us");
	assert_string_equal(pw_units_duration(buf, sizeof(buf), 999500), "1 ms");
	assert_string_equal(pw_units_duration(buf, sizeof(buf), 1500000), "1.5 ms");
	assert_string_equal(pw_units_duration(buf, sizeof(buf), 999499999), "999 ms");
	assert_string_equal(pw_units_duration(buf, sizeof(buf), 999500000), "1.00 s");
	assert_string_equal(pw_units_duration(buf, sizeof(buf), 210000000), "210 ms");
	assert_string_equal(pw_units_duration(buf, sizeof(buf), 2500000000), "2.50 s");
	assert_string_equal(pw_units_duration(buf, sizeof(buf), 80 * PW_NS_PER_S), "1 m 20 s");
	assert_string_equal(pw_units_duration(buf, sizeof(buf), 3900 * PW_NS_PER_S), "1 h 5 m");
}

static void a_short_buffer_cuts_the_text(void **state)
{
	char buf[5] = "####";

	(void)state;
	pw_units_size(buf, 4, 1610612736);
	assert_string_equal(buf, "1.5");
	assert_int_equal(buf[4], 0);
}

static void errors_carry_code_and_text(void **state)
{
	struct pw_err err = {0};

	(void)state;
	assert_int_equal(pw_err_set(&err, ENOENT, "open %s: gone; look again", "x"), -ENOENT);
	assert_int_equal(err.code, ENOENT);
	assert_string_equal(err.msg, "open x: gone; look again");
	assert_int_equal(pw_err_sys(&err, EACCES, "open %s", "y"), -EACCES);
	assert_int_equal(err.code, EACCES);
	assert_string_equal(err.msg, "open y: Permission denied");
	assert_int_equal(pw_err_set(NULL, EIO, "nobody hears"), -EIO);
	assert_int_equal(pw_err_sys(NULL, EIO, "nobody hears"), -EIO);
}

static void long_errors_are_cut(void **state)
{
	struct pw_err err;
	char text[2 * PW_ERR_MAX];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memset(&err, '#', sizeof(err));
	pw_err_set(&err, EINVAL, "%s", text);
	assert_int_equal(strlen(err.msg), PW_ERR_MAX - 1);
	memset(&err, '#', sizeof(err));
	pw_err_sys(&err, EINVAL, "%s", text);
	assert_int_equal(strlen(err.msg), PW_ERR_MAX - 1);
}

static void bytes_are_big_endian_at_any_alignment(void **state)
{
	static const uint8_t in[] = {0xff, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xff};
	uint8_t out[9];

	(void)state;
	assert_int_equal(pw_be16_load(in + 1), 0x1234);
	assert_int_equal(pw_be32_load(in + 1), 0x12345678);
	assert_true(pw_be48_load(in + 1) == 0x123456789abc);
	memset(out, 0, sizeof(out));
	pw_be16_store(out + 1, 0x1234);
	assert_memory_equal(out, "\0\x12\x34\0", 4);
	pw_be32_store(out + 1, 0x12345678);
	assert_memory_equal(out, "\0\x12\x34\x56\x78\0", 6);
	pw_be48_store(out + 1, 0xff0000123456789a & 0xffffffffffff);
	assert_memory_equal(out, "\0\x00\x12\x34\x56\x78\x9a\0", 8);
}

static void arithmetic_does_not_overflow(void **state)
{
	(void)state;
	assert_true(pw_div_ceil(UINT64_MAX, 2) == 1ull << 63);
	assert_int_equal(pw_div_ceil(0, 5), 0);
	assert_int_equal(pw_div_ceil(10, 5), 2);
	assert_int_equal(pw_div_ceil(11, 5), 3);
	assert_int_equal(pw_align_down(4095, 4096), 0);
	assert_int_equal(pw_align_up(4097, 4096), 8192);
	assert_int_equal(pw_align_up(4096, 4096), 4096);
	assert_int_equal(pw_min_u64(1, UINT64_MAX), 1);
	assert_true(pw_max_u64(1, UINT64_MAX) == UINT64_MAX);
}

static void the_clock_does_not_go_back(void **state)
{
	uint64_t a = pw_clock_ns(), b = pw_clock_ns();

	(void)state;
	assert_true(b >= a && a > 0);
	assert_true(b - a < PW_NS_PER_S);
}

struct heard {
	unsigned n;
	enum pw_log_level level;
	char line[1024];
};

static void hear(void *ctx, enum pw_log_level level, const char *line)
{
	struct heard *h = ctx;

	h->n++;
	h->level = level;
	strncpy(h->line, line, sizeof(h->line) - 1);
}

static void the_log_drops_what_is_above_its_level(void **state)
{
	struct heard h = {0};
	struct pw_log log = {.level = PW_LOG_INFO, .sink = hear, .ctx = &h};

	(void)state;
	pw_debug(&log, "not this");
	assert_int_equal(h.n, 0);
	pw_info(&log, "%d files", 3);
	pw_warn(&log, "%s", "slow");
	assert_int_equal(h.n, 2);
	assert_int_equal(h.level, PW_LOG_WARN);
	assert_string_equal(h.line, "slow");
	pw_info(NULL, "no log, no line");
}

static void the_standard_sink_writes_one_line(void **state)
{
	char got[128] = {0};
	int fds[2], saved = dup(STDERR_FILENO);

	(void)state;
	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	pw_log_stderr(NULL, PW_LOG_WARN, "slow");
	dup2(saved, STDERR_FILENO);
	close(fds[1]);
	assert_true(read(fds[0], got, sizeof(got) - 1) > 0);
	close(fds[0]);
	close(saved);
	assert_string_equal(got, "pagewire: warning: slow\n");
}

static void control_characters_are_masked(void **state)
{
	char text[] = "a\n\x7f\xc2\x9b\xc2\xa0\xc3\xa9\t";
	char cut[] = "\xc2";

	(void)state;
	assert_int_equal(pw_control_len(""), 0);
	assert_int_equal(pw_control_len("\x1b["), 1);
	assert_int_equal(pw_control_len("\xc2\x80"), 2);
	pw_control_mask(text);
	assert_string_equal(text, "a????\xc2\xa0\xc3\xa9?");
	pw_control_mask(cut);
	assert_string_equal(cut, "\xc2");
}

static void bytes_that_are_not_utf8_are_replaced(void **state)
{
	static const struct {
		const char *text, *repaired;
	} cases[] = {
		{"", ""}, {"\xe2\x82\xac 1", "\xe2\x82\xac 1"}, {"\xff\xfe", "??"}, {"a\xc3", "a?"},
		{"\xed\xa0\x80", "???"},        /* a surrogate */
		{"\xc0\x80", "??"},             /* NUL in two bytes */
		{"\xf4\x90\x80\x80x", "????x"}, /* above U+10FFFF */
	};
	char text[16];
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(cases); i++) {
		snprintf(text, sizeof(text), "%s", cases[i].text);
		pw_utf8_repair(text);
		assert_string_equal(text, cases[i].repaired);
		assert_true(pw_utf8_valid(text));
	}
}

static void hexadecimal_digits_have_a_value(void **state)
{
	const char *digits = "0123456789abcdefABCDEF", *c;

	(void)state;
	for (c = digits; *c; c++)
		assert_int_equal(pw_hex_value(*c), strtol((char[]){*c, 0}, NULL, 16));
	for (c = "/:@G`g \xff"; *c; c++)
		assert_int_equal(pw_hex_value(*c), -1);
	assert_int_equal(pw_hex_value('\0'), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_need_a_unit),
		cmocka_unit_test(durations_need_a_unit),
		cmocka_unit_test(rates_are_bits_or_packets),
		cmocka_unit_test(long_errors_end_in_dots),
		cmocka_unit_test(long_log_lines_are_kept_whole),
		cmocka_unit_test(whole_numbers_stay_in_their_range),
		cmocka_unit_test(quantities_are_written_with_their_units),
		cmocka_unit_test(a_short_buffer_cuts_the_text),
		cmocka_unit_test(errors_carry_code_and_text),
		cmocka_unit_test(long_errors_are_cut),
		cmocka_unit_test(bytes_are_big_endian_at_any_alignment),
		cmocka_unit_test(arithmetic_does_not_overflow),
		cmocka_unit_test(the_clock_does_not_go_back),
		cmocka_unit_test(the_log_drops_what_is_above_its_level),
		cmocka_unit_test(the_standard_sink_writes_one_line),
		cmocka_unit_test(control_characters_are_masked),
		cmocka_unit_test(bytes_that_are_not_utf8_are_replaced),
		cmocka_unit_test(hexadecimal_digits_have_a_value),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
