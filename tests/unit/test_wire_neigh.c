/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wire/neigh.h"

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa}, mac_b[6] = {2, 0, 0, 0, 0, 0xb};
static const struct pw_addr a4 = {4, {10, 0, 0, 1}, 0, 0}, b4 = {4, {10, 0, 0, 2}, 0, 0};
static const struct pw_addr a6 = {6, {0xfd, [15] = 0xa}, 0, 0};
static const struct pw_addr b6 = {6, {0xfd, [13] = 0x12, 0x34, 0x56}, 0, 0};

static void an_arp_question_byte_by_byte(void **state)
{
	static const uint8_t expected[60] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 0xa, 0x08, 0x06, /* broadcast */
		0, 1, 0x08, 0, 6, 4, 0, 1,       /* Ethernet, IPv4, request */
		2, 0, 0, 0, 0, 0xa, 10, 0, 0, 1, /* who asks */
		0, 0, 0, 0, 0, 0, 10, 0, 0, 2,   /* for whom */
	};
	uint8_t buf[PW_NEIGH_FRAME_MAX];

	(void)state;
	memset(buf, 0xee, sizeof(buf));
	assert_int_equal(pw_neigh_request(buf, mac_a, &a4, &b4, PW_VLAN_NONE), 60);
	assert_memory_equal(buf, expected, 60);
	assert_int_equal(pw_neigh_request(buf, mac_a, &a4, &b4, 100), 60);
	assert_memory_equal(buf + 12, "\x81\x00\x00\x64\x08\x06\x00\x01", 8);
}

static void a_neighbour_solicitation_byte_by_byte(void **state)
{
	static const uint8_t expected[] = {
		0x33, 0x33, 0xff, 0x12, 0x34, 0x56, 2, 0, 0, 0, 0, 0xa, 0x86, 0xdd, /* */
		0x60, 0, 0, 0, 0, 32, 58, 255, /* hop limit 255, RFC 4861 section 7.1.1 */
		0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xa,           /* */
		0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0x12, 0x34, 0x56, /* its group */
		135, 0, 0, 0, 0, 0, 0, 0,                                      /* checksum: below */
		0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x34, 0x56,    /* target */
		1, 1, 2, 0, 0, 0, 0, 0xa, /* source link-layer address */
	};
	uint8_t buf[PW_NEIGH_FRAME_MAX], want[sizeof(expected)];
	uint32_t sum = 32 + 58;
	size_t i;

	(void)state;
	for (i = 22; i < sizeof(expected); i++)
		sum += i % 2 ? expected[i] : (uint32_t)expected[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	memcpy(want, expected, sizeof(want));
	pw_be16_store(want + 56, (uint16_t)~sum);
	assert_int_equal(pw_neigh_request(buf, mac_a, &a6, &b6, PW_VLAN_NONE), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
}

/* a asks for b, b answers, a learns; also in a VLAN */
static void a_question_gets_its_answer(void **state)
{
	static const uint16_t vlans[] = {PW_VLAN_NONE, 0, 4094};
	uint8_t ask[PW_NEIGH_FRAME_MAX], answer[PW_NEIGH_FRAME_MAX], mac[6];
	size_t i, n, m;
	int v6;

	(void)state;
	for (v6 = 0; v6 < 2; v6++) {
		const struct pw_addr *a = v6 ? &a6 : &a4, *b = v6 ? &b6 : &b4;

		for (i = 0; i < PW_ARRAY_LEN(vlans); i++) {
			n = pw_neigh_request(ask, mac_a, a, b, vlans[i]);
			m = 0;
			assert_false(pw_neigh_answer(ask, n, a, mac_a, answer, &m));
			assert_true(pw_neigh_answer(ask, n, b, mac_b, answer, &m));
			assert_in_range(m, 60, PW_NEIGH_FRAME_MAX);
			assert_memory_equal(answer, mac_a, 6);
			assert_memory_equal(answer + 6, mac_b, 6);
			if (vlans[i] != PW_VLAN_NONE) {
				assert_int_equal(pw_be16_load(answer + 12), 0x8100);
				assert_int_equal(pw_be16_load(answer + 14), vlans[i]);
			}
			memset(mac, 0, 6);
			assert_true(pw_neigh_parse_reply(answer, m, b, mac));
			assert_memory_equal(mac, mac_b, 6);
			assert_false(pw_neigh_parse_reply(answer, m, a, mac));
			assert_false(pw_neigh_parse_reply(ask, n, b, mac)); /* no answer */
			assert_false(pw_neigh_answer(answer, m, b, mac_b, ask, &n));
		}
	}
}

static void an_advertisement_is_solicited_and_complete(void **state)
{
	uint8_t ask[PW_NEIGH_FRAME_MAX], answer[PW_NEIGH_FRAME_MAX];
	size_t n, m = 0;

	(void)state;
	n = pw_neigh_request(ask, mac_a, &a6, &b6, PW_VLAN_NONE);
	assert_true(pw_neigh_answer(ask, n, &b6, mac_b, answer, &m));
	assert_int_equal(m, 86);
	assert_int_equal(answer[14 + 7], 255);
	assert_memory_equal(answer + 14 + 8, b6.bytes, 16);
	assert_memory_equal(answer + 14 + 24, a6.bytes, 16);
	assert_memory_equal(answer + 54, "\x88\x00", 2);
	assert_memory_equal(answer + 58, "\x60\x00\x00\x00", 4); /* S and O */
	assert_memory_equal(answer + 78, "\x02\x01", 2);
	assert_memory_equal(answer + 80, mac_b, 6);
}

/* Changes each significant byte of a valid request or answer: the frame is ignored. */
static void damaged_neighbours_are_ignored(void **state)
{
	static const size_t arp_matter[] = {12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 38, 41};
	uint8_t ask[PW_NEIGH_FRAME_MAX], answer[PW_NEIGH_FRAME_MAX], out[PW_NEIGH_FRAME_MAX];
	uint8_t mac[6];
	size_t i, n, m = 0, unused;

	(void)state;
	n = pw_neigh_request(ask, mac_a, &a4, &b4, PW_VLAN_NONE);
	for (i = 0; i < PW_ARRAY_LEN(arp_matter); i++) {
		ask[arp_matter[i]] ^= 0x40;
		assert_false(pw_neigh_answer(ask, n, &b4, mac_b, out, &unused));
		ask[arp_matter[i]] ^= 0x40;
	}
	n = pw_neigh_request(ask, mac_a, &a6, &b6, PW_VLAN_NONE);
	assert_true(pw_neigh_answer(ask, n, &b6, mac_b, answer, &m));
	for (i = 12; i < n; i++) { /* the checksum covers the rest */
		if (i >= 15 && i < 18)
			continue; /* traffic class and flow label: free */
		ask[i] ^= 0x40;
		assert_false(pw_neigh_answer(ask, n, &b6, mac_b, out, &unused));
		ask[i] ^= 0x40;
		answer[i] ^= 0x40;
		assert_false(pw_neigh_parse_reply(answer, m, &b6, mac));
		answer[i] ^= 0x40;
	}
}

static void cut_neighbours_are_ignored(void **state)
{
	uint8_t ask[PW_NEIGH_FRAME_MAX], out[PW_NEIGH_FRAME_MAX], *cut;
	size_t i, n, m, need;
	int v6;

	(void)state;
	for (v6 = 0; v6 < 2; v6++) {
		const struct pw_addr *a = v6 ? &a6 : &a4, *b = v6 ? &b6 : &b4;

		n = pw_neigh_request(ask, mac_a, a, b, 5);
		need = v6 ? n : 18 + 28; /* ARP's padding may be missing */
		for (i = 0; i <= n; i++) {
			cut = test_malloc(i ? i : 1);
			memcpy(cut, ask, i);
			assert_int_equal(pw_neigh_answer(cut, i, b, mac_b, out, &m), i >= need);
			test_free(cut);
		}
	}
}

/* Sets the payload length and the ICMPv6 checksum of an untagged NDP frame. */
static void seal_ndp(uint8_t *frame, size_t len)
{
	uint32_t sum = (uint32_t)(len - 54) + 58;
	size_t i;

	pw_be16_store(frame + 18, (uint16_t)(len - 54));
	pw_be16_store(frame + 56, 0);
	for (i = 22; i < len; i++)
		sum += i % 2 ? frame[i] : (uint32_t)frame[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	pw_be16_store(frame + 56, (uint16_t)~sum);
}

/* Options in any order; where ours is missing or broken, the frame's own source is the answer. */
static void ndp_options_are_walked(void **state)
{
	static const struct {
		uint8_t bytes[16];
		size_t len;
		const uint8_t *to;
	} cases[] = {
		{{1, 1, 2, 0, 0, 0, 0, 0xb}, 8, mac_b},
		{{14, 1, 9, 9, 9, 9, 9, 9, 1, 1, 2, 0, 0, 0, 0, 0xb}, 16, mac_b}, {{0}, 0, mac_a},
		{{2, 1, 2, 0, 0, 0, 0, 0xb}, 8, mac_a}, /* the other one */
		{{14, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 0xb}, 16, mac_a}, /* no length */
		{{1, 2, 2, 0, 0, 0, 0, 0xb}, 8, mac_a},                           /* too long */
		{{1, 1, 2, 0, 0, 0, 0}, 7, mac_a},                                /* cut */
	};
	uint8_t ask[PW_NEIGH_FRAME_MAX + 16], out[PW_NEIGH_FRAME_MAX];
	size_t i, m;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(cases); i++) {
		pw_neigh_request(ask, mac_a, &a6, &b6, PW_VLAN_NONE);
		memcpy(ask + 78, cases[i].bytes, sizeof(cases[i].bytes));
		seal_ndp(ask, 78 + cases[i].len);
		assert_true(pw_neigh_answer(
			ask, 78 + cases[i].len, &b6, (const uint8_t[6]){2, 3}, out, &m));
		assert_memory_equal(out, cases[i].to, 6);
	}
}

/* Duplicate address detection asks from :: (RFC 4862 section 5.4) and gets no unicast answer. */
static void duplicate_address_detection_is_left_alone(void **state)
{
	static const struct pw_addr nobody = {.family = 6};
	uint8_t ask[PW_NEIGH_FRAME_MAX], out[PW_NEIGH_FRAME_MAX];
	size_t n, m;

	(void)state;
	n = pw_neigh_request(ask, mac_a, &nobody, &b6, PW_VLAN_NONE);
	assert_false(pw_neigh_answer(ask, n, &b6, mac_b, out, &m));
}

static void an_unset_address_answers_nothing(void **state)
{
	static const struct pw_addr unset = {0};
	uint8_t ask[PW_NEIGH_FRAME_MAX], out[PW_NEIGH_FRAME_MAX];
	struct pw_addr zero4 = {4, {0}, 0, 0};
	size_t n, m;

	(void)state;
	n = pw_neigh_request(ask, mac_a, &a4, &zero4, PW_VLAN_NONE);
	assert_false(pw_neigh_answer(ask, n, &unset, mac_b, out, &m));
	n = pw_neigh_request(ask, mac_a, &a6, &b6, PW_VLAN_NONE);
	assert_false(pw_neigh_answer(ask, n, &unset, mac_b, out, &m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_arp_question_byte_by_byte),
		cmocka_unit_test(a_neighbour_solicitation_byte_by_byte),
		cmocka_unit_test(a_question_gets_its_answer),
		cmocka_unit_test(an_advertisement_is_solicited_and_complete),
		cmocka_unit_test(damaged_neighbours_are_ignored),
		cmocka_unit_test(cut_neighbours_are_ignored),
		cmocka_unit_test(ndp_options_are_walked),
		cmocka_unit_test(duplicate_address_detection_is_left_alone),
		cmocka_unit_test(an_unset_address_answers_nothing),
	};

	return cmocka_run_group_tests_name("wire_neigh", tests, NULL, NULL);
}
