/* SPDX-License-Identifier: BSD-3-Clause */
/* Host names where addresses go: which text is a name, and which address it gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "kernel/hostname.h"

static const uint8_t loopback4[] = {127, 0, 0, 1};

static void numbers_are_read_as_before(void **state)
{
	struct pw_addr a;

	(void)state;
	assert_int_equal(pw_addr_resolve("--to", "10.0.0.1:5", 4001, 0, &a, NULL), 0);
	assert_int_equal(a.port, 5);
	assert_int_equal(a.family, 4);
	/* also where the other address has the other family: the caller reports that */
	assert_int_equal(pw_addr_resolve("--to", "[ff15::1]", 4001, 4, &a, NULL), 0);
	assert_int_equal(a.port, 4001);
	assert_int_equal(a.family, 6);
	assert_int_equal(pw_addr_family("10.0.0.1"), 4);
	assert_int_equal(pw_addr_family("[ff15::1]:4001"), 6);
	assert_int_equal(pw_addr_family("localhost"), 0);
}

static void a_name_gives_its_first_address(void **state)
{
	static const char *const texts[] = {"localhost", "localhost:7"};
	struct pw_addr a;

	(void)state;
	for (size_t i = 0; i < PW_ARRAY_LEN(texts); i++) {
		assert_int_equal(pw_addr_resolve("--to", texts[i], 4001, 4, &a, NULL), 0);
		assert_int_equal(a.family, 4);
		assert_memory_equal(a.bytes, loopback4, 4);
		assert_int_equal(a.port, i ? 7 : 4001);
	}
	assert_int_equal(pw_addr_resolve("--to", "localhost", 4001, 0, &a, NULL), 0);
	assert_true(a.family == 4 || a.family == 6);
}

/* Not every host has ::1 as localhost; where it has not, the error names the family. */
static void the_family_is_the_one_asked_for(void **state)
{
	struct pw_err err = {0};
	struct pw_addr a;

	(void)state;
	if (pw_addr_resolve("--to", "localhost", 4001, 6, &a, &err) == 0) {
		assert_int_equal(a.family, 6);
		assert_memory_equal(a.bytes, &in6addr_loopback, 16);
	} else {
		assert_non_null(strstr(err.msg, "cannot resolve --to 'localhost' to IPv6: "));
	}
}

static void what_is_neither_is_refused(void **state)
{
	static const struct {
		const char *text, *want;
	} bad[] = {
		{"", "not an address"},
		{"10.0.0", "not an address"}, /* numbers to getaddrinfo() */
		{"1.2.3.4.5", "not an address"},
		{"0x7f.1", "not an address"},
		{"2130706433", "not an address"},
		{"[localhost]", "not an address"},
		{"a b", "not an address"},
		{"host/4001", "not an address"},
		{"::g", "not an address"},
		{"localhost:0", "from 1 to 65535"},
		{"localhost:x", "from 1 to 65535"},
		{"nosuch.invalid", "cannot resolve --to 'nosuch.invalid': "},
	};
	struct pw_err err;
	struct pw_addr a;

	(void)state;
	for (size_t i = 0; i < PW_ARRAY_LEN(bad); i++) {
		memset(&err, 0, sizeof(err));
		assert_int_equal(pw_addr_resolve("--to", bad[i].text, 4001, 0, &a, &err), -EINVAL);
		if (!strstr(err.msg, bad[i].want))
			fail_msg("'%s': %s", bad[i].text, err.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_read_as_before),
		cmocka_unit_test(a_name_gives_its_first_address),
		cmocka_unit_test(the_family_is_the_one_asked_for),
		cmocka_unit_test(what_is_neither_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
