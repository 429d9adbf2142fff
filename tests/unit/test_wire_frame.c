/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wire/frame.h"

static const uint8_t alc[16] = {0x10, 0x10, 3, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 7};

static struct pw_flow flow4(void)
{
	return (struct pw_flow){
		.src_mac = {2, 0, 0, 0, 0, 1},
		.dst_mac = {1, 0, 0x5e, 1, 2, 3},
		.vlan = PW_VLAN_NONE,
		.ttl = 5,
		.dscp = 46,
		.src = {4, {10, 0, 0, 1}, 40000, 0},
		.dst = {4, {239, 1, 2, 3}, 4001, 0},
	};
}

static struct pw_flow flow6(void)
{
	struct pw_flow f = flow4();

	f.src = (struct pw_addr){6, {0xfd, [15] = 1}, 40000, 0};
	f.dst = (struct pw_addr){6, {0xff, 0x15, [15] = 1}, 4001, 0};
	return f;
}

/* RFC 1071, the slow and plain way */
static uint16_t plain_csum(const uint8_t *p, size_t len, uint32_t sum)
{
	size_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void an_ipv4_template_byte_by_byte(void **state)
{
	static const uint8_t expected[] = {
		1, 0, 0x5e, 1, 2, 3,      /* to */
		2, 0, 0, 0, 0, 1,         /* from */
		0x08, 0x00,               /* IPv4 */
		0x45, 46 << 2,            /* version 4, 5 words, DSCP and ECN 0 */
		0x00, 20 + 8 + 16 + 100,  /* total length */
		0, 0, 0x40, 0,            /* ID 0, DF */
		5, 17, 0, 0,              /* TTL, UDP, checksum: below */
		10, 0, 0, 1,              /* from */
		239, 1, 2, 3,             /* to */
		0x9c, 0x40, 0x0f, 0xa1,   /* ports 40000, 4001 */
		0x00, 8 + 16 + 100, 0, 0, /* UDP length; no checksum */
	};
	struct pw_flow flow = flow4();
	uint8_t want[sizeof(expected)];
	struct pw_frame_tmpl t;

	(void)state;
	memcpy(want, expected, sizeof(want));
	pw_be16_store(want + 24, plain_csum(want + 14, 20, 0));
	pw_frame_template(&t, &flow, alc, sizeof(alc), 100, false);
	assert_memory_equal(t.bytes, want, sizeof(want));
	assert_memory_equal(t.bytes + sizeof(want), alc, sizeof(alc));
	assert_int_equal(t.len, sizeof(want) + sizeof(alc));
	assert_int_equal(t.l2_len, 14);
	assert_int_equal(t.l3_len, 20);
	assert_int_equal(t.alc_off, 42);
	assert_int_equal(t.payload_len, 100);
	assert_int_equal(pw_frame_l2_len(&flow), 14);
	assert_int_equal(pw_frame_l3_overhead(&flow), 28);
}

static void an_ipv6_template_in_a_vlan_byte_by_byte(void **state)
{
	static const uint8_t expected[] = {
		1, 0, 0x5e, 1, 2, 3,    /* */
		2, 0, 0, 0, 0, 1,       /* */
		0x81, 0x00, 0x0f, 0xfe, /* 802.1Q, VLAN 4094, priority 0 */
		0x86, 0xdd,             /* IPv6 */
		0x6b, 0x80, 0, 0,       /* version 6, traffic class 46 << 2, no flow label */
		0x22, 0x40, 17, 5,      /* payload length 8768, UDP, hop limit */
		0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,    /* */
		0xff, 0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, /* */
		0x9c, 0x40, 0x0f, 0xa1,                               /* */
		0x22, 0x40, 0, 0,                                     /* */
	};
	struct pw_flow flow = flow6();
	struct pw_frame_tmpl t;

	(void)state;
	flow.vlan = 4094;
	pw_frame_template(&t, &flow, alc, sizeof(alc), 8744, false);
	assert_memory_equal(t.bytes, expected, sizeof(expected));
	assert_int_equal(t.len, 18 + 40 + 8 + 16);
	assert_int_equal(t.alc_off, 66);
	assert_int_equal(pw_frame_l2_len(&flow), 18);
	assert_int_equal(pw_frame_l3_overhead(&flow), 48);
}

static void a_new_length_makes_the_same_template(void **state)
{
	struct pw_frame_tmpl a, b;
	struct pw_flow flow;
	int v6, offload;

	(void)state;
	for (v6 = 0; v6 < 2; v6++) {
		for (offload = 0; offload < 2; offload++) {
			flow = v6 ? flow6() : flow4();
			pw_frame_template(&a, &flow, alc, sizeof(alc), 1440, offload);
			pw_frame_set_payload_len(&a, 33);
			pw_frame_template(&b, &flow, alc, sizeof(alc), 33, offload);
			assert_memory_equal(&a, &b, sizeof(a));
		}
	}
}

/* What a port computes: the field's own value and everything behind it, inverted. */
static void an_offload_template_holds_the_pseudo_header_sum(void **state)
{
	struct pw_flow flow = flow4();
	struct pw_frame_tmpl t, plain;
	uint8_t frame[256];
	uint16_t by_port;
	int v6;

	(void)state;
	for (v6 = 0; v6 < 2; v6++) {
		flow = v6 ? flow6() : flow4();
		pw_frame_template(&t, &flow, alc, sizeof(alc), 5, true);
		pw_frame_template(&plain, &flow, alc, sizeof(alc), 5, false);
		assert_int_equal(pw_be16_load(plain.bytes + plain.alc_off - 2), 0);
		memcpy(frame, t.bytes, t.len);
		memcpy(frame + t.len, "hello", 5);
		by_port = plain_csum(frame + t.alc_off - 8, 8 + 16 + 5, 0);
		assert_int_equal(by_port,
			pw_frame_udp_csum(&plain, plain.bytes, (const uint8_t *)"hello", 5));
	}
}

static uint16_t expected_csum(const struct pw_frame_tmpl *t, const uint8_t *payload, size_t len)
{
	uint8_t flat[40 + 8 + 16 + 9000] = {0};
	size_t addrs = t->l3_len == 40 ? 32 : 8, udp = 24 + len;
	uint16_t c;

	memcpy(flat, t->bytes + t->l2_len + (addrs == 32 ? 8 : 12), addrs);
	pw_be32_store(flat + addrs, (uint32_t)udp);
	flat[addrs + 7] = 17;
	memcpy(flat + addrs + 8, t->bytes + t->alc_off - 8, 24);
	memcpy(flat + addrs + 32, payload, len);
	c = plain_csum(flat, addrs + 8 + udp, 0);
	return c ? c : 0xffff;
}

static void checksums_are_right_at_every_length(void **state)
{
	static uint8_t payload[9000];
	struct pw_frame_tmpl t;
	struct pw_flow flow;
	size_t i, len;
	int v6;

	(void)state;
	for (i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 197 + (i >> 8) * 31 + 255);
	for (v6 = 0; v6 < 2; v6++) {
		flow = v6 ? flow6() : flow4();
		for (len = 0; len < sizeof(payload); len += len < 70 ? 1 : 487) {
			pw_frame_template(&t, &flow, alc, sizeof(alc), (uint16_t)len, false);
			assert_int_equal(pw_frame_udp_csum(&t, t.bytes, payload, len),
				expected_csum(&t, payload, len));
		}
	}
}

static void all_ones_do_not_overflow_the_sum(void **state)
{
	static uint8_t payload[9000];
	struct pw_flow flow = flow6();
	struct pw_frame_tmpl t;

	(void)state;
	memset(payload, 0xff, sizeof(payload));
	pw_frame_template(&t, &flow, alc, sizeof(alc), 8999, false);
	assert_int_equal(
		pw_frame_udp_csum(&t, t.bytes, payload, 8999), expected_csum(&t, payload, 8999));
}

/* RFC 768: a computed checksum of zero is sent as ones, because zero means none. */
static void a_zero_checksum_is_sent_as_ones(void **state)
{
	struct pw_flow flow = flow4();
	uint8_t payload[2] = {0, 0};
	struct pw_frame_tmpl t;
	uint16_t c;

	(void)state;
	pw_frame_template(&t, &flow, alc, sizeof(alc), 2, false);
	c = pw_frame_udp_csum(&t, t.bytes, payload, 2);
	pw_be16_store(payload, c); /* brings the sum to all ones */
	assert_int_equal(pw_frame_udp_csum(&t, t.bytes, payload, 2), 0xffff);
}

/* A frame on the heap, exactly as long as it is, so that a sanitizer sees a read beyond it */
struct frame {
	uint8_t *p;
	size_t len;
	size_t ip, udp;
};

static struct frame make_frame(bool v6, uint16_t vlan, bool csum, size_t payload_len)
{
	struct pw_flow flow = v6 ? flow6() : flow4();
	struct pw_frame_tmpl t;
	struct frame f;

	flow.vlan = vlan;
	pw_frame_template(&t, &flow, alc, sizeof(alc), (uint16_t)payload_len, false);
	f.len = t.len + payload_len;
	f.p = test_malloc(f.len);
	f.ip = t.l2_len;
	f.udp = (size_t)t.l2_len + t.l3_len;
	memcpy(f.p, t.bytes, t.len);
	memset(f.p + t.len, 'p', payload_len);
	if (csum)
		pw_be16_store(
			f.p + t.alc_off - 2, pw_frame_udp_csum(&t, f.p, f.p + t.len, payload_len));
	return f;
}

static void fix_ip_csum(struct frame *f)
{
	size_t ihl = (size_t)(f->p[f->ip] & 15) * 4;

	pw_be16_store(f->p + f->ip + 10, 0);
	pw_be16_store(f->p + f->ip + 10, plain_csum(f->p + f->ip, ihl, 0));
}

static void what_is_built_is_parsed(void **state)
{
	struct pw_frame_view v;
	int v6, vlan, csum;

	(void)state;
	for (v6 = 0; v6 < 2; v6++) {
		for (vlan = 0; vlan < 2; vlan++) {
			for (csum = 0; csum < 2; csum++) {
				struct frame f =
					make_frame(v6, vlan ? 100 : PW_VLAN_NONE, csum, 33);
				struct pw_flow flow = v6 ? flow6() : flow4();

				assert_int_equal(pw_frame_parse(f.p, f.len, true, &v), PW_FRAME_OK);
				assert_true(pw_addr_equal_host(&v.src, &flow.src));
				assert_true(pw_addr_equal_host(&v.dst, &flow.dst));
				assert_int_equal(v.src.port, 40000);
				assert_int_equal(v.dst.port, 4001);
				assert_int_equal(v.payload_len, 49);
				assert_ptr_equal(v.payload, f.p + f.len - 49);
				assert_int_equal(v.checksum_present, csum);
				test_free(f.p);
			}
		}
	}
}

static void padding_is_not_payload(void **state)
{
	struct frame f = make_frame(false, PW_VLAN_NONE, true, 0);
	uint8_t padded[80] = {0};
	struct pw_frame_view v;

	(void)state;
	memcpy(padded, f.p, f.len);
	assert_int_equal(pw_frame_parse(padded, sizeof(padded), true, &v), PW_FRAME_OK);
	assert_int_equal(v.payload_len, 16);
	test_free(f.p);
}

static void no_frame_is_read_beyond_its_end(void **state)
{
	struct pw_frame_view v;
	int v6;

	(void)state;
	for (v6 = 0; v6 < 2; v6++) {
		struct frame f = make_frame(v6, 7, true, 9);
		size_t len;

		for (len = 0; len < f.len; len++) {
			uint8_t *cut = test_malloc(len ? len : 1);
			enum pw_frame_verdict got;

			memcpy(cut, f.p, len);
			got = pw_frame_parse(cut, len, true, &v);
			test_free(cut);
			assert_int_equal(got, len < f.udp ? PW_FRAME_SHORT : PW_FRAME_LENGTH);
		}
		test_free(f.p);
	}
}

static enum pw_frame_verdict verdict(const struct frame *f, bool verify)
{
	struct pw_frame_view v;

	return pw_frame_parse(f->p, f->len, verify, &v);
}

/* What a local sender writes that leaves the checksum to a NIC: the pseudo header's sum, not inverted. */
static void a_checksum_left_to_the_nic_is_told_from_a_wrong_one(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct frame f = make_frame(i != 0, PW_VLAN_NONE, true, 40);
		struct pw_frame_view v;
		uint8_t *ip = f.p + f.ip, *udp = f.p + f.udp;
		uint16_t partial;

		partial = (uint16_t)~plain_csum(
			ip + (i ? 8 : 12), i ? 32 : 8, pw_be16_load(udp + 4) + 17u);
		pw_be16_store(udp + 6, partial);
		assert_int_equal(pw_frame_parse(f.p, f.len, true, &v), PW_FRAME_CHECKSUM);
		assert_true(v.checksum_partial);
		pw_be16_store(udp + 6, (uint16_t)(partial + 1));
		assert_int_equal(pw_frame_parse(f.p, f.len, true, &v), PW_FRAME_CHECKSUM);
		assert_false(v.checksum_partial);
		test_free(f.p);
	}
}

static void a_frame_that_was_cut_says_how_long_it_was(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct frame f = make_frame(i != 0, PW_VLAN_NONE, true, 400);
		struct pw_frame_view v;

		assert_int_equal(pw_frame_parse(f.p, f.len, false, &v), PW_FRAME_OK);
		assert_int_equal(v.ip_len, f.len - f.ip);
		assert_int_equal(pw_frame_parse(f.p, f.len - 100, false, &v), PW_FRAME_LENGTH);
		assert_int_equal(v.ip_len, f.len - f.ip);
		test_free(f.p);
	}
}

static void damaged_ipv4_is_told_apart(void **state)
{
	struct frame f = make_frame(false, PW_VLAN_NONE, true, 40);
	uint8_t *ip = f.p + f.ip;

	(void)state;
	f.p[f.len - 1] ^= 1;
	assert_int_equal(verdict(&f, true), PW_FRAME_CHECKSUM);
	assert_int_equal(verdict(&f, false), PW_FRAME_OK);
	f.p[f.len - 1] ^= 1;
	ip[8]--; /* a TTL that the header checksum does not know */
	assert_int_equal(verdict(&f, false), PW_FRAME_CHECKSUM);
	ip[8]++;
	ip[9] = 6;
	fix_ip_csum(&f);
	assert_int_equal(verdict(&f, false), PW_FRAME_NOT_UDP);
	ip[9] = 17;
	pw_be16_store(ip + 6, 0x2000); /* the first fragment */
	fix_ip_csum(&f);
	assert_int_equal(verdict(&f, false), PW_FRAME_FRAGMENT);
	pw_be16_store(ip + 6, 0x0010); /* the last */
	fix_ip_csum(&f);
	assert_int_equal(verdict(&f, false), PW_FRAME_FRAGMENT);
	pw_be16_store(ip + 6, 0);
	pw_be16_store(ip + 2, (uint16_t)(f.len - f.ip + 1));
	fix_ip_csum(&f);
	assert_int_equal(verdict(&f, false), PW_FRAME_LENGTH);
	pw_be16_store(ip + 2, 19);
	fix_ip_csum(&f);
	assert_int_equal(verdict(&f, false), PW_FRAME_LENGTH);
	pw_be16_store(ip + 2, 27); /* no room for a UDP header */
	fix_ip_csum(&f);
	assert_int_equal(verdict(&f, false), PW_FRAME_SHORT);
	ip[0] = 0x44;
	assert_int_equal(verdict(&f, false), PW_FRAME_LENGTH);
	ip[0] = 0x65;
	assert_int_equal(verdict(&f, false), PW_FRAME_LENGTH);
	f.p[12] = 0x08;
	f.p[13] = 0x06;
	assert_int_equal(verdict(&f, false), PW_FRAME_NOT_IP);
	test_free(f.p);
}

static void damaged_ipv6_is_told_apart(void **state)
{
	struct frame f = make_frame(true, PW_VLAN_NONE, true, 40);
	uint8_t *ip = f.p + f.ip;

	(void)state;
	f.p[f.len - 1] ^= 1;
	assert_int_equal(verdict(&f, true), PW_FRAME_CHECKSUM);
	assert_int_equal(verdict(&f, false), PW_FRAME_OK);
	ip[6] = 44;
	assert_int_equal(verdict(&f, false), PW_FRAME_FRAGMENT);
	ip[6] = 0; /* hop-by-hop options */
	assert_int_equal(verdict(&f, false), PW_FRAME_NOT_UDP);
	ip[6] = 17;
	pw_be16_store(ip + 4, (uint16_t)(f.len - f.ip - 40 + 1));
	assert_int_equal(verdict(&f, false), PW_FRAME_LENGTH);
	pw_be16_store(ip + 4, 7);
	assert_int_equal(verdict(&f, false), PW_FRAME_SHORT);
	ip[0] = 0x45;
	assert_int_equal(verdict(&f, false), PW_FRAME_LENGTH);
	test_free(f.p);
}

static void udp_lengths_are_checked(void **state)
{
	struct frame f = make_frame(false, PW_VLAN_NONE, false, 40);
	struct pw_frame_view v;

	(void)state;
	pw_be16_store(f.p + f.udp + 4, 7);
	assert_int_equal(verdict(&f, false), PW_FRAME_LENGTH);
	pw_be16_store(f.p + f.udp + 4, 8 + 16 + 41);
	assert_int_equal(verdict(&f, false), PW_FRAME_LENGTH);
	pw_be16_store(
		f.p + f.udp + 4, 8 + 10); /* shorter than IP's payload: the UDP length counts */
	assert_int_equal(pw_frame_parse(f.p, f.len, true, &v), PW_FRAME_OK);
	assert_int_equal(v.payload_len, 10);
	test_free(f.p);
}

static void ipv4_options_are_stepped_over(void **state)
{
	struct frame f = make_frame(false, PW_VLAN_NONE, true, 8);
	uint8_t with[200];
	struct pw_frame_view v;

	(void)state;
	memcpy(with, f.p, f.udp);
	memset(with + f.udp, 1, 4); /* four no-operations */
	memcpy(with + f.udp + 4, f.p + f.udp, f.len - f.udp);
	with[f.ip] = 0x46;
	pw_be16_store(with + f.ip + 2, (uint16_t)(f.len - f.ip + 4));
	pw_be16_store(with + f.ip + 10, 0);
	pw_be16_store(with + f.ip + 10, plain_csum(with + f.ip, 24, 0));
	assert_int_equal(pw_frame_parse(with, f.len + 4, true, &v), PW_FRAME_OK);
	assert_int_equal(v.payload_len, 24);
	assert_memory_equal(v.payload, alc, sizeof(alc));
	test_free(f.p);
}

/* Bit by bit: what may change is the source port, the UDP checksum and the payload. */
static void what_starts_the_same_is_the_same_but_for_the_source_port(void **state)
{
	struct pw_frame_memo m = {0};
	struct pw_frame_view v;
	int v6, csum;
	size_t i;

	(void)state;
	for (v6 = 0; v6 < 2; v6++) {
		for (csum = 0; csum < 2; csum++) {
			struct frame f = make_frame(v6, v6 ? 7 : PW_VLAN_NONE, csum, 33);

			assert_int_equal(pw_frame_parse(f.p, f.len, true, &v), PW_FRAME_OK);
			memset(&m, 0, sizeof(m));
			assert_null(pw_frame_same(&m, f.p, f.len, false));
			pw_frame_remember(&m, f.p, f.len, &v);
			assert_int_equal(m.payload_len, v.payload_len);
			assert_null(pw_frame_same(&m, f.p, f.len - 1, false));
			assert_ptr_equal(
				pw_frame_same(&m, f.p, f.len, true), csum ? NULL : v.payload);
			for (i = 0; i < 8 * f.len; i++) {
				bool may = i / 8 >= f.udp + 6 || i / 8 / 2 * 2 == f.udp;

				f.p[i / 8] ^= (uint8_t)(1 << i % 8);
				assert_ptr_equal(pw_frame_same(&m, f.p, f.len, false),
					may ? v.payload : NULL);
				f.p[i / 8] ^= (uint8_t)(1 << i % 8);
			}
			test_free(f.p);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ipv4_template_byte_by_byte),
		cmocka_unit_test(an_ipv6_template_in_a_vlan_byte_by_byte),
		cmocka_unit_test(a_new_length_makes_the_same_template),
		cmocka_unit_test(an_offload_template_holds_the_pseudo_header_sum),
		cmocka_unit_test(checksums_are_right_at_every_length),
		cmocka_unit_test(all_ones_do_not_overflow_the_sum),
		cmocka_unit_test(a_zero_checksum_is_sent_as_ones),
		cmocka_unit_test(what_is_built_is_parsed),
		cmocka_unit_test(padding_is_not_payload),
		cmocka_unit_test(no_frame_is_read_beyond_its_end),
		cmocka_unit_test(a_checksum_left_to_the_nic_is_told_from_a_wrong_one),
		cmocka_unit_test(a_frame_that_was_cut_says_how_long_it_was),
		cmocka_unit_test(damaged_ipv4_is_told_apart),
		cmocka_unit_test(damaged_ipv6_is_told_apart),
		cmocka_unit_test(udp_lengths_are_checked),
		cmocka_unit_test(ipv4_options_are_stepped_over),
		cmocka_unit_test(what_starts_the_same_is_the_same_but_for_the_source_port),
	};

	return cmocka_run_group_tests_name("wire_frame", tests, NULL, NULL);
}
