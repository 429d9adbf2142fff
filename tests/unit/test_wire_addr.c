/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wire/frame.h"

static void addresses_are_read_and_written(void **state)
{
	static const struct {
		const char *in, *out;
	} good[] = {
		{"239.1.2.3", "239.1.2.3:4001"},
		{"239.1.2.3:5000", "239.1.2.3:5000"},
		{"0.0.0.0:1", "0.0.0.0:1"},
		{"ff15::1", "[ff15::1]:4001"},
		{"[ff15::1]", "[ff15::1]:4001"},
		{"[ff15::1]:65535", "[ff15::1]:65535"},
		{"fd00::1:4001", "[fd00::1:4001]:4001"}, /* no brackets: all of it is the address */
		{"::", "[::]:4001"},
		{"2001:db8:1:2:3:4:5:6", "[2001:db8:1:2:3:4:5:6]:4001"},
		{"[::ffff:1.2.3.4]:9", "[::ffff:1.2.3.4]:9"},
	};
	char buf[64];
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(good); i++) {
		struct pw_addr a;

		assert_int_equal(pw_addr_parse("--to", good[i].in, 4001, &a, NULL), 0);
		assert_string_equal(pw_addr_format(buf, sizeof(buf), &a), good[i].out);
	}
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const bad[] = {"", ":", ":4001", "239.1.2", "239.1.2.256",
		"239.1.2.3:", "239.1.2.3:0", "239.1.2.3:65536", "239.1.2.3:x", "239.1.2.3:1:2",
		"[239.1.2.3]:1", "[ff15::1", "[ff15::1]4001", "[ff15::1]:", "10.0.0.1%lo",
		"[fd00::1%lo]:1", "example.org:4001", "01.2.3.4", "1.2.3.4 "};
	struct pw_err err;
	struct pw_addr a;
	char text[300];
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(bad); i++) {
		memset(&err, 0, sizeof(err));
		if (pw_addr_parse("--to", bad[i], 4001, &a, &err) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
		assert_non_null(strstr(err.msg, "--to"));
	}
	memset(text, '1', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(pw_addr_parse("--to", text, 4001, &a, &err), -EINVAL);
}

static void the_default_port_is_left_where_none_is_given(void **state)
{
	struct pw_addr a;

	(void)state;
	assert_int_equal(pw_addr_parse("--from", "10.0.0.1", 0, &a, NULL), 0);
	assert_int_equal(a.port, 0);
	assert_int_equal(a.family, 4);
	assert_memory_equal(a.bytes, "\x0a\0\0\x01", 4);
}

/* RFC 1112 section 6.4: the low 23 bits; RFC 2464 section 7: the low 32 bits */
static void groups_have_their_mac(void **state)
{
	struct pw_addr a;
	uint8_t mac[6];

	(void)state;
	pw_addr_parse("", "239.129.2.3", 1, &a, NULL);
	assert_true(pw_addr_is_multicast(&a));
	pw_addr_multicast_mac(&a, mac);
	assert_memory_equal(mac, "\x01\x00\x5e\x01\x02\x03", 6);
	pw_addr_parse("", "224.127.255.255", 1, &a, NULL);
	pw_addr_multicast_mac(&a, mac);
	assert_memory_equal(mac, "\x01\x00\x5e\x7f\xff\xff", 6);
	pw_addr_parse("", "ff15::1234:89ab", 1, &a, NULL);
	assert_true(pw_addr_is_multicast(&a));
	pw_addr_multicast_mac(&a, mac);
	assert_memory_equal(mac, "\x33\x33\x12\x34\x89\xab", 6);
}

static void groups_are_told_from_hosts(void **state)
{
	static const struct {
		const char *text;
		bool multicast;
	} cases[] = {{"223.255.255.255", false}, {"224.0.0.0", true}, {"239.255.255.255", true},
		{"240.0.0.0", false}, {"fe80::1", false}, {"feff::", false}, {"ff00::", true}};
	struct pw_addr a;
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(cases); i++) {
		assert_int_equal(pw_addr_parse("", cases[i].text, 1, &a, NULL), 0);
		assert_int_equal(pw_addr_is_multicast(&a), cases[i].multicast);
	}
}

static void hosts_are_equal_without_their_port(void **state)
{
	struct pw_addr a = {4, {10, 0, 0, 1, 9}, 1, 0}, b = {4, {10, 0, 0, 1, 8}, 2, 0};

	(void)state;
	assert_true(pw_addr_equal_host(&a, &b)); /* IPv4 has four bytes */
	b.family = 6;
	assert_false(pw_addr_equal_host(&a, &b));
	a.family = 6;
	assert_false(pw_addr_equal_host(&a, &b));
	b.bytes[4] = 9;
	assert_true(pw_addr_equal_host(&a, &b));
	a.scope = 3; /* one that names no zone is in any */
	assert_true(pw_addr_equal_host(&a, &b));
	b.scope = 4;
	assert_false(pw_addr_equal_host(&a, &b));
	b.scope = 3;
	assert_true(pw_addr_equal_host(&a, &b));
	b.bytes[15] = 1;
	assert_false(pw_addr_equal_host(&a, &b));
}

/* RFC 4007: the interface that a link-local address belongs to */
static void a_zone_is_an_interface_of_this_host(void **state)
{
	const unsigned int lo = if_nametoindex("lo");
	struct pw_err err = {0};
	char buf[64], text[64];
	struct pw_addr a;

	(void)state;
	if (!lo)
		skip();
	assert_int_equal(pw_addr_parse("--listen", "[fe80::1%lo]:4001", 1, &a, &err), 0);
	assert_int_equal(a.scope, lo);
	assert_string_equal(pw_addr_format(buf, sizeof(buf), &a), "[fe80::1%lo]:4001");
	snprintf(text, sizeof(text), "ff12::1%%%u", lo);
	assert_int_equal(pw_addr_parse("--listen", text, 4001, &a, &err), 0);
	assert_int_equal(a.scope, lo);
	assert_int_equal(pw_addr_parse("--listen", "[fe80::1]:1", 1, &a, &err), 0);
	assert_int_equal(a.scope, 0);
	assert_int_equal(pw_addr_parse("--listen", "[fe80::1%nosuch0]:1", 1, &a, &err), -ENODEV);
	assert_non_null(strstr(err.msg, "nosuch0"));
	assert_non_null(strstr(err.msg, "lo"));
	assert_non_null(strstr(err.msg, "--interface"));
	assert_int_equal(pw_addr_parse("--listen", "[fe80::1%]:1", 1, &a, &err), -ENODEV);
	a = (struct pw_addr){6, {0xfe, 0x80}, 9, 0x7fffffff};
	assert_string_equal(pw_addr_format(buf, sizeof(buf), &a), "[fe80::%2147483647]:9");
}

static void macs_are_read(void **state)
{
	static const char *const bad[] = {"", "02:00:00:00:00", "02:00:00:00:00:0",
		"02-00-00-00-00-01", "02:00:00:00:00:01:", "02:00:00:00:00:0g", "2:0:0:0:0:1",
		"020000000001", "02:00:00:00:00 01", "\x10\x12:00:00:00:00:01"};
	struct pw_err err = {0};
	uint8_t mac[6];
	size_t i;

	(void)state;
	assert_int_equal(pw_mac_parse("--to-mac", "02:0a:BC:dE:ff:01", mac, &err), 0);
	assert_memory_equal(mac, "\x02\x0a\xbc\xde\xff\x01", 6);
	assert_int_equal(pw_mac_parse("--to-mac", "00:00:00:00:00:00", mac, &err), 0);
	assert_int_equal(pw_mac_parse("--to-mac", "ff:ff:ff:ff:ff:ff", mac, &err), 0);
	for (i = 0; i < PW_ARRAY_LEN(bad); i++) {
		if (pw_mac_parse("--to-mac", bad[i], mac, &err) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
		assert_non_null(strstr(err.msg, "--to-mac"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_and_written),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(the_default_port_is_left_where_none_is_given),
		cmocka_unit_test(groups_have_their_mac),
		cmocka_unit_test(groups_are_told_from_hosts),
		cmocka_unit_test(hosts_are_equal_without_their_port),
		cmocka_unit_test(a_zone_is_an_interface_of_this_host),
		cmocka_unit_test(macs_are_read),
	};

	return cmocka_run_group_tests_name("wire_addr", tests, NULL, NULL);
}
