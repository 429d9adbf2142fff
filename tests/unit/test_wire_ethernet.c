/* SPDX-License-Identifier: BSD-3-Clause */
/* Ethernet headers in place of other link headers. The headers are those of https://www.tcpdump.org/linktypes.html. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "base/bytes.h"
#include "wire/capture.h"
#include "wire/ethernet.h"

static const struct pw_ethernet macs = {{2, 0, 0, 0, 0, 10, 2, 0, 0, 0, 0, 11}};

/* What pw_ethernet_head() returns for a frame in a block of its exact size, for a sanitizer; *type: the EtherType. */
static int put(uint16_t link, const uint8_t *frame, size_t len, uint16_t *type)
{
	uint8_t header[PW_HEADERS_LOOK], *copy = malloc(len ? len : 1);
	uint32_t new_len;
	int n;

	assert_non_null(copy);
	memcpy(copy, frame, len);
	n = pw_ethernet_head(&macs, link, copy, (uint32_t)len, header, &new_len);
	free(copy);
	if (n < 0)
		return n;
	assert_memory_equal(header, macs.macs, 12);
	*type = pw_be16_load(header + 12);
	return n;
}

static void the_version_of_the_ip_packet_gives_the_type(void **state)
{
	static const uint16_t links[] = {PW_LINK_RAW, PW_LINK_RAW_BSD, PW_LINK_RAW_OPENBSD,
		PW_LINK_IPV4, PW_LINK_IPV6, PW_LINK_NULL, PW_LINK_LOOP};
	uint16_t type = 0;
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(links); i++) {
		const int skip = links[i] == PW_LINK_NULL || links[i] == PW_LINK_LOOP ? 4 : 0;
		uint8_t frame[24] = {0};

		assert_true(pw_ethernet_replaces(links[i]));
		frame[skip] = 0x45;
		assert_int_equal(put(links[i], frame, sizeof(frame), &type), skip);
		assert_int_equal(type, 0x0800);
		frame[skip] = 0x60;
		assert_int_equal(put(links[i], frame, (size_t)skip + 1, &type), skip);
		assert_int_equal(type, 0x86dd);
		assert_int_equal(put(links[i], frame, (size_t)skip, &type), -1);
		assert_int_equal(put(links[i], frame, 0, &type), -1);
		frame[skip] = 0x50;
		assert_int_equal(put(links[i], frame, sizeof(frame), &type), -1);
	}
}

static void the_protocol_of_a_cooked_header_is_the_type(void **state)
{
	uint8_t sll[16] = {[3] = 1, [5] = 6, [14] = 0x08, 0x06};
	uint8_t sll2[20] = {0x08, 0x06, [9] = 1, [11] = 6};
	uint16_t type = 0;

	(void)state;
	assert_int_equal(put(PW_LINK_SLL, sll, sizeof(sll), &type), sizeof(sll));
	assert_int_equal(type, 0x0806);
	assert_int_equal(put(PW_LINK_SLL, sll, sizeof(sll) - 1, &type), -1);
	assert_int_equal(put(PW_LINK_SLL2, sll2, sizeof(sll2), &type), sizeof(sll2));
	assert_int_equal(type, 0x0806);
	assert_int_equal(put(PW_LINK_SLL2, sll2, sizeof(sll2) - 1, &type), -1);
	sll[14] = sll2[0] = 0; /* Linux's own number */
	assert_int_equal(put(PW_LINK_SLL, sll, sizeof(sll), &type), -1);
	assert_int_equal(put(PW_LINK_SLL2, sll2, sizeof(sll2), &type), -1);
	sll[14] = sll2[0] = 8;
	sll[2] = sll2[8] = 824 >> 8;
	sll[3] = sll2[9] = 824 & 0xff; /* netlink: the protocol is a family of netlink */
	assert_int_equal(put(PW_LINK_SLL, sll, sizeof(sll), &type), -1);
	assert_int_equal(put(PW_LINK_SLL2, sll2, sizeof(sll2), &type), -1);
}

static void other_link_types_are_left_alone(void **state)
{
	const uint8_t frame[64] = {0x45};
	uint16_t type = 0;

	(void)state;
	assert_false(pw_ethernet_replaces(PW_LINK_ETHERNET));
	assert_false(pw_ethernet_replaces(189)); /* USB */
	assert_int_equal(put(PW_LINK_ETHERNET, frame, sizeof(frame), &type), -1);
	assert_int_equal(put(189, frame, sizeof(frame), &type), -1);
}

static void the_option_is_two_macs(void **state)
{
	static const char *const wrong[] = {"", ",", "02:00:00:00:00:0a", "02:00:00:00:00:0a,",
		",02:00:00:00:00:0a", "02:00:00:00:00:0a,02:00:00:00:00:0b,02:00:00:00:00:0c",
		"02:00:00:00:00:0a02:00:00:00:00:0a02:00:00:00:00:0a,02:00:00:00:00:0b"};
	struct pw_ethernet e;
	struct pw_err err = {0};
	size_t i;

	(void)state;
	assert_int_equal(pw_ethernet_parse(&e, "02:00:00:00:00:0a,02:00:00:00:00:0b", &err), 0);
	assert_memory_equal(e.macs, macs.macs, sizeof(e.macs));
	for (i = 0; i < PW_ARRAY_LEN(wrong); i++) {
		assert_int_equal(pw_ethernet_parse(&e, wrong[i], &err), -EINVAL);
		assert_non_null(strstr(err.msg, "--ethernet"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_version_of_the_ip_packet_gives_the_type),
		cmocka_unit_test(the_protocol_of_a_cooked_header_is_the_type),
		cmocka_unit_test(other_link_types_are_left_alone),
		cmocka_unit_test(the_option_is_two_macs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
