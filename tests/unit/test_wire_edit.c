/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frames_util.h"
#include "wire/edit.h"

static struct pw_edit parsed(const struct pw_edit_text *text)
{
	struct pw_edit e;
	struct pw_err err;

	if (pw_edit_parse(&e, text, &err))
		fail_msg("%s", err.msg);
	return e;
}

/* Applies e to a copy of the frame that ends where memory ends for a sanitizer. out gets the whole edited frame. */
static enum pw_edit_verdict apply(const struct pw_edit *e, const uint8_t *frame, size_t len,
	uint8_t out[FRAME_MAX], size_t *out_len)
{
	struct pw_edit_result r = {0};
	uint8_t header[PW_EDIT_HEADER_MAX], *exact = malloc(len ? len : 1);
	enum pw_edit_verdict v;

	assert_non_null(exact);
	memcpy(exact, frame, len);
	v = pw_edit_apply(e, exact, len, header, &r);
	assert_true(v == PW_EDIT_DONE || !(r.header_len | r.replaced));
	assert_in_range(r.replaced, 0, len);
	assert_in_range(r.header_len, 0, PW_EDIT_HEADER_MAX);
	assert_memory_equal(exact, frame, len);
	memcpy(out, header, r.header_len);
	memcpy(out + r.header_len, exact + r.replaced, len - r.replaced);
	*out_len = r.header_len + len - r.replaced;
	free(exact);
	return v;
}

static void expect(const struct shape *s, const struct pw_edit_text *text, const uint8_t *want,
	size_t want_len)
{
	const struct pw_edit e = parsed(text);
	uint8_t frame[FRAME_MAX], out[FRAME_MAX];
	size_t len = shape_make(s, frame), out_len;

	assert_int_equal(apply(&e, frame, len, out, &out_len), PW_EDIT_DONE);
	assert_int_equal(out_len, want_len);
	assert_memory_equal(out, want, want_len);
}

#define MAP "10.1.0.0/16:192.168.0.0/16,[2001:db8::/32]:[fd77:1234::/32]"

/* The frame with the client's address mapped by MAP, its checksums computed anew. l4: offset of the datagram. */
static void expect_mapped(const struct shape *s, size_t l3, size_t l4)
{
	uint8_t want[FRAME_MAX], *ip = want + l3, *addrs = ip + (s->family == 4 ? 12 : 8);
	const size_t n = s->family == 4 ? 4 : 16;
	size_t len = shape_make(s, want);

	memcpy(addrs + (s->reverse ? n : 0), s->family == 4 ? "\300\250" : "\xfd\x77\x12\x34",
		s->family == 4 ? 2 : 4);
	if (s->family == 4) {
		memset(ip + 10, 0, 2);
		pw_be16_store(ip + 10, (uint16_t)~plain_sum(ip, (size_t)(ip[0] & 15) * 4, 0));
	}
	if (l4)
		shape_checksum(s, want + l4, s->l4_len, addrs, n);
	expect(s, &(struct pw_edit_text){.map = MAP}, want, len);
}

static void checksums_are_those_of_a_packet_that_was_built_with_the_new_addresses(void **state)
{
	struct shape s = {.family = 4, .proto = 6, .l4_len = 200};
	unsigned i;

	(void)state;
	for (i = 0; i < 256; i++) { /* sums of every kind, with carries */
		s = (struct shape){
			.family = 4, .proto = 6, .l4_len = (uint16_t)(20 + i), .seed = (uint8_t)i};
		s.reverse = i % 2;
		expect_mapped(&s, 14, 34);
		s.proto = 17;
		expect_mapped(&s, 14, 34);
		s.family = 6;
		expect_mapped(&s, 14, 54);
		s.proto = 58;
		expect_mapped(&s, 14, 54);
		s.proto = 6;
		expect_mapped(&s, 14, 54);
	}
}

static void a_udp_checksum_that_comes_out_as_0_is_sent_as_ffff(void **state)
{
	struct shape s = {.family = 4, .proto = 17, .l4_len = 10};
	uint8_t frame[FRAME_MAX], out[FRAME_MAX];
	struct pw_edit e = parsed(&(struct pw_edit_text){.map = "10.1.2.3:192.168.2.3"});
	size_t len = shape_make(&s, frame), n;
	uint16_t sum;

	(void)state;
	/* the last word of the payload makes the new sum 0xffff */
	memcpy(frame + 26, "\300\250\2\3", 4);
	memset(frame + 42, 0, 2);
	shape_checksum(&s, frame + 34, s.l4_len, frame + 26, 4);
	sum = pw_be16_load(frame + 40);
	pw_be16_store(frame + 42, sum);
	memcpy(frame + 26, shape_v4[0], 4);
	shape_checksum(&s, frame + 34, s.l4_len, frame + 26, 4);
	assert_int_equal(apply(&e, frame, len, out, &n), PW_EDIT_DONE);
	assert_int_equal(pw_be16_load(out + 40), 0xffff);
}

static void a_udp_checksum_of_0_stays_0(void **state)
{
	struct shape s = {.family = 4, .proto = 17, .no_checksum = true, .l4_len = 50};

	(void)state;
	expect_mapped(&s, 14, 34);
	s.family = 6;
	expect_mapped(&s, 14, 54);
}

static void headers_behind_tags_options_and_extensions_are_found(void **state)
{
	struct shape s = {.family = 4, .proto = 17, .l4_len = 60};

	(void)state;
	for (s.n_tags = 0; s.n_tags <= PW_HEADERS_TAGS_MAX; s.n_tags++) {
		expect_mapped(&s, 14 + 4u * s.n_tags, 34 + 4u * s.n_tags);
	}
	s.n_tags = 2;
	for (s.options = 0; s.options <= 10; s.options++)
		expect_mapped(&s, 22, 42 + 4u * s.options);
	s = (struct shape){.family = 6, .proto = 17, .ext = "\x3c\x3c\x3c\x3c", .l4_len = 60};
	expect_mapped(&s, 14, 54 + 32);
	s = (struct shape){.family = 6, .proto = 6, .ext = "\x3c\x3c", .l4_len = 60};
	expect_mapped(&s, 14, 54 + 16);
}

static void only_the_first_fragment_has_a_checksum(void **state)
{
	struct shape s = {.family = 4, .proto = 17, .fragment = 0x2000, .l4_len = 64};

	(void)state;
	expect_mapped(&s, 14, 34);
	s.fragment = 0x2000 | 100;
	expect_mapped(&s, 14, 0);
	s.fragment = 100;
	s.l4_len = 1; /* shorter than a header */
	expect_mapped(&s, 14, 0);
	s = (struct shape){.family = 6, .proto = 17, .fragment = 1, .l4_len = 64};
	expect_mapped(&s, 14, 62);
	s.fragment = 800;
	expect_mapped(&s, 14, 0);
}

static void protocols_without_a_pseudo_header_keep_their_checksum(void **state)
{
	static const uint8_t protos[] = {1, 47, 50, 132};
	struct shape s = {.family = 4, .l4_len = 40};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(protos); i++) {
		s.proto = protos[i];
		expect_mapped(&s, 14, 0);
	}
}

/* RFC 8200 section 8.1: the checksum covers the final destination, which the routing header has. */
static void a_destination_on_the_way_is_not_in_the_checksum(void **state)
{
	const struct shape s = {
		.family = 6, .proto = 17, .reverse = true, .ext = "\x2b", .l4_len = 60};
	const struct pw_edit e = parsed(&(struct pw_edit_text){.map = MAP});
	uint8_t frame[FRAME_MAX], out[FRAME_MAX];
	size_t len = shape_make(&s, frame), n;

	(void)state;
	frame[54 + 3] = 1; /* segments left */
	assert_int_equal(apply(&e, frame, len, out, &n), PW_EDIT_DONE);
	assert_memory_equal(out + 14 + 24, "\xfd\x77\x12\x34", 4);
	assert_memory_equal(out + 62, frame + 62, len - 62);
	frame[54 + 3] = 0;
	assert_int_equal(apply(&e, frame, len, out, &n), PW_EDIT_DONE);
	assert_memory_not_equal(out + 68, frame + 68, 2);
}

static void arp_is_mapped_and_other_protocols_are_not(void **state)
{
	const struct shape s = {.proto = 1};
	const struct pw_edit e = parsed(&(struct pw_edit_text){.map = MAP});
	uint8_t want[FRAME_MAX], out[FRAME_MAX];
	size_t len = shape_make(&s, want), n;

	(void)state;
	memcpy(want + 28, "\300\250", 2);
	expect(&s, &(struct pw_edit_text){.map = MAP}, want, len);
	want[18] = 8; /* a hardware address of another length */
	assert_int_equal(apply(&e, want, len, out, &n), PW_EDIT_SAME);
	pw_be16_store(want + 12, 0x88cc); /* LLDP */
	assert_int_equal(apply(&e, want, len, out, &n), PW_EDIT_SAME);
	pw_be16_store(want + 12, 100); /* 802.3 */
	assert_int_equal(apply(&e, want, len, out, &n), PW_EDIT_SAME);
}

static void tags_are_pushed_popped_and_set(void **state)
{
	const struct shape bare = {.family = 4, .proto = 17, .l4_len = 300};
	const struct shape tagged = {.n_tags = 2, .family = 4, .proto = 17, .l4_len = 300};
	struct pw_edit e = parsed(&(struct pw_edit_text){.vlan = "pop"});
	uint8_t frame[FRAME_MAX], want[FRAME_MAX];
	size_t len = shape_make(&bare, frame), tagged_len, n;

	(void)state;
	memcpy(want, frame, 12);
	memcpy(want + 12, "\x81\0\x0f\xa0", 4);
	memcpy(want + 16, frame + 12, len - 12);
	expect(&bare, &(struct pw_edit_text){.vlan = "push:4000"}, want, len + 4);
	expect(&bare, &(struct pw_edit_text){.vlan = "4000"}, want, len + 4);
	assert_int_equal(apply(&e, frame, len, want, &n), PW_EDIT_SAME);

	tagged_len = shape_make(&tagged, frame);
	memcpy(want, frame, 12);
	memcpy(want + 12, frame + 16, tagged_len - 16);
	expect(&tagged, &(struct pw_edit_text){.vlan = "pop"}, want, tagged_len - 4);
	memcpy(want, frame, tagged_len);
	pw_be16_store(want + 14, 0x6000 | 4000);
	expect(&tagged, &(struct pw_edit_text){.vlan = "4000"}, want, tagged_len);
	memcpy(want + 12, "\x81\0\0\0", 4);
	memcpy(want + 16, frame + 12, tagged_len - 12);
	expect(&tagged, &(struct pw_edit_text){.vlan = "push:0"}, want, tagged_len + 4);
}

static void a_ttl_is_set_and_moved_within_its_bounds(void **state)
{
	static const struct {
		const char *text;
		uint8_t from, to;
	} cases[] = {{"1", 64, 1}, {"0", 64, 0}, {"+1", 64, 65}, {"+1", 255, 255}, {"+255", 1, 255},
		{"-1", 64, 63}, {"-1", 1, 1}, {"-64", 64, 1}, {"-255", 3, 1}};
	uint8_t frame[FRAME_MAX], out[FRAME_MAX];
	size_t i, len, n;
	uint8_t family;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(cases); i++) {
		const struct pw_edit e = parsed(&(struct pw_edit_text){.ttl = cases[i].text});

		for (family = 4; family <= 6; family += 2) {
			struct shape s = {.family = family, .proto = 17, .l4_len = 100};
			uint8_t *ttl = frame + 14 + (family == 4 ? 8 : 7);

			len = shape_make(&s, frame);
			*ttl = cases[i].from;
			pw_be16_store(frame + 24, family == 4 ? 0 : pw_be16_load(frame + 24));
			if (family == 4)
				pw_be16_store(frame + 24, (uint16_t)~plain_sum(frame + 14, 20, 0));
			assert_int_equal(apply(&e, frame, len, out, &n),
				cases[i].from == cases[i].to ? PW_EDIT_SAME : PW_EDIT_DONE);
			assert_int_equal(out[ttl - frame], cases[i].to);
			if (family == 4)
				assert_int_equal(plain_sum(out + 14, 20, 0), 0xffff);
		}
	}
}

static void a_frame_that_is_cut_in_a_header_stays_as_it_is(void **state)
{
	const struct shape s = {.n_tags = 1, .family = 4, .proto = 6, .l4_len = 100};
	const struct pw_edit map = parsed(&(struct pw_edit_text){.map = MAP});
	const struct pw_edit ttl = parsed(&(struct pw_edit_text){.ttl = "3"});
	const struct pw_edit mac = parsed(&(struct pw_edit_text){.dst_mac = "02:00:00:00:00:77"});
	const struct pw_edit pop = parsed(&(struct pw_edit_text){.vlan = "pop"});
	uint8_t frame[FRAME_MAX], out[FRAME_MAX];
	size_t len, n;

	(void)state;
	shape_make(&s, frame);
	for (len = 0; len < 80; len++) {
		/* the TCP checksum ends at 18 + 20 + 18 */
		assert_int_equal(
			apply(&map, frame, len, out, &n), len < 56 ? PW_EDIT_CUT : PW_EDIT_DONE);
		assert_int_equal(
			apply(&ttl, frame, len, out, &n), len < 38 ? PW_EDIT_CUT : PW_EDIT_DONE);
		assert_int_equal(
			apply(&mac, frame, len, out, &n), len < 14 ? PW_EDIT_CUT : PW_EDIT_DONE);
		assert_int_equal(
			apply(&pop, frame, len, out, &n), len < 18 ? PW_EDIT_CUT : PW_EDIT_DONE);
	}
	frame[18] = 0x44; /* IPv4 with a header of 16 bytes */
	assert_int_equal(apply(&map, frame, 80, out, &n), PW_EDIT_CUT);
	frame[18] = 0x45;
	pw_be16_store(frame + 20, 19); /* a total length below the header's */
	assert_int_equal(apply(&map, frame, 80, out, &n), PW_EDIT_CUT);
	pw_be16_store(frame + 20, 30); /* the checksum would be padding */
	assert_int_equal(apply(&map, frame, 80, out, &n), PW_EDIT_CUT);
	pw_be16_store(frame + 20, 0); /* left to the NIC */
	assert_int_equal(apply(&map, frame, 80, out, &n), PW_EDIT_DONE);
}

static void headers_beyond_the_bounds_are_left_alone(void **state)
{
	const struct pw_edit map = parsed(&(struct pw_edit_text){.map = MAP});
	const struct pw_edit ttl = parsed(&(struct pw_edit_text){.ttl = "3"});
	struct shape s = {.family = 6, .proto = 17, .ext = "<<<<<<<<<", .l4_len = 600};
	uint8_t frame[FRAME_MAX], out[FRAME_MAX];
	size_t len = shape_make(&s, frame), n;

	(void)state;
	assert_int_equal(apply(&map, frame, len, out, &n), PW_EDIT_DEEP);
	assert_int_equal(
		apply(&ttl, frame, len, out, &n), PW_EDIT_DONE); /* needs the fixed header only */
	s.ext = "<";
	len = shape_make(&s, frame);
	frame[54 + 1] = 255; /* one of 2048 bytes */
	assert_int_equal(apply(&map, frame, len, out, &n), PW_EDIT_CUT);
	frame[54 + 1] = 10;
	assert_int_equal(apply(&map, frame, len, out, &n), PW_EDIT_DEEP);
	s = (struct shape){.n_tags = 5, .family = 4, .proto = 17, .l4_len = 100};
	len = shape_make(&s, frame);
	assert_int_equal(apply(&map, frame, len, out, &n), PW_EDIT_DEEP);
}

static void the_payload_stays_where_it_is(void **state)
{
	const struct shape s = {.n_tags = 2, .family = 6, .proto = 6, .l4_len = 900};
	const struct pw_edit e = parsed(&(struct pw_edit_text){.map = MAP, .vlan = "push:7"});
	const struct pw_edit mac = parsed(&(struct pw_edit_text){.src_mac = "02:00:00:00:00:77"});
	uint8_t frame[FRAME_MAX], header[PW_EDIT_HEADER_MAX];
	size_t len = shape_make(&s, frame);
	struct pw_edit_result r;

	(void)state;
	assert_int_equal(pw_edit_apply(&e, frame, len, header, &r), PW_EDIT_DONE);
	assert_int_equal(r.replaced, 22 + 40 + 18); /* up to the TCP checksum */
	assert_int_equal(r.header_len, r.replaced + 4);
	assert_int_equal(pw_edit_apply(&mac, frame, len, header, &r), PW_EDIT_DONE);
	assert_int_equal(r.replaced, 64);
	assert_int_equal(pw_edit_apply(&mac, frame, 60, header, &r), PW_EDIT_DONE);
	assert_int_equal(r.replaced, 60);
}

static void the_first_map_that_has_the_address_counts(void **state)
{
	const struct shape s = {.family = 4, .proto = 17, .l4_len = 40};
	const struct pw_edit e = parsed(
		&(struct pw_edit_text){.map = "10.1.2.3/32:1.2.3.4/32,10.0.0.0/8:5.0.0.0/"
					      "8,172.16.0.0/12:6.6.0.0/16,0.0.0.0/0:9.0.0.0/8"});
	uint8_t frame[FRAME_MAX], out[FRAME_MAX];
	size_t len = shape_make(&s, frame), n;

	(void)state;
	assert_int_equal(apply(&e, frame, len, out, &n), PW_EDIT_DONE);
	assert_memory_equal(out + 26, "\1\2\3\4", 4);
	assert_memory_equal(out + 30, "\6\6\5\t", 4);
}

static void bad_texts_are_refused_by_name(void **state)
{
	static const struct {
		struct pw_edit_text text;
		const char *says;
	} cases[] = {
		{{.dst_mac = "02:00"}, "--dst-mac"},
		{{.src_mac = "x"}, "--src-mac"},
		{{.vlan = ""}, "write push:ID, pop or ID"},
		{{.vlan = "4095"}, "from 0 to 4094"},
		{{.vlan = "push"}, "--vlan: \"push\""},
		{{.vlan = "push:"}, "--vlan"},
		{{.vlan = "pop:1"}, "--vlan"},
		{{.vlan = "-1"}, "--vlan"},
		{{.ttl = ""}, "--ttl"},
		{{.ttl = "256"}, "up to 255"},
		{{.ttl = "+"}, "--ttl"},
		{{.ttl = "+0"}, "--ttl"},
		{{.ttl = "--1"}, "--ttl"},
		{{.map = ""}, "is not a network"},
		{{.map = "10.0.0.0/8"}, "write FROM:TO"},
		{{.map = "10.0.0.0/33:1.0.0.0/8"}, "\"10.0.0.0/33\" is not a network"},
		{{.map = "10.0.0.0/-1:1.0.0.0/8"}, "is not a network"},
		{{.map = "10.0.0.0/8:"}, "is not a network"},
		{{.map = "10.0.0.0/8:1.0.0.0/8,"}, "is not a network"},
		{{.map = "10.0.0.0/8:[fd00::/8]"}, "mixes IPv4 and IPv6"},
		{{.map = "[fd00::/8:[fd00::/8]"}, "is not a network"},
		{{.map = "[fd00::/8"}, "has no \"]\""},
		{{.map = "[fd00::/8]:[fd01::/16]x"}, "write a comma"},
		{{.map = "fd00::/8:fd01::/16"}, "is not a network"},
	};
	char many[PW_EDIT_MAPS_MAX * 20 + 40] = "";
	struct pw_edit e;
	struct pw_err err;
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(cases); i++) {
		memset(&err, 0, sizeof(err));
		assert_int_equal(pw_edit_parse(&e, &cases[i].text, &err), -EINVAL);
		if (!strstr(err.msg, cases[i].says))
			fail_msg("case %zu: \"%s\" lacks \"%s\"", i, err.msg, cases[i].says);
	}
	for (i = 0; i <= PW_EDIT_MAPS_MAX; i++)
		strcat(many, i ? ",1.0.0.0/8:2.0.0.0/8" : "1.0.0.0/8:2.0.0.0/8");
	assert_int_equal(pw_edit_parse(&e, &(struct pw_edit_text){.map = many}, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "more than 64"));
	assert_int_equal(pw_edit_parse(&e, &(struct pw_edit_text){0}, &err), 0);
	assert_false(pw_edit_any(&e));
	assert_int_equal(pw_edit_parse(&e, &(struct pw_edit_text){.ttl = "+1"}, &err), 0);
	assert_true(pw_edit_any(&e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			checksums_are_those_of_a_packet_that_was_built_with_the_new_addresses),
		cmocka_unit_test(a_udp_checksum_that_comes_out_as_0_is_sent_as_ffff),
		cmocka_unit_test(a_udp_checksum_of_0_stays_0),
		cmocka_unit_test(headers_behind_tags_options_and_extensions_are_found),
		cmocka_unit_test(only_the_first_fragment_has_a_checksum),
		cmocka_unit_test(protocols_without_a_pseudo_header_keep_their_checksum),
		cmocka_unit_test(a_destination_on_the_way_is_not_in_the_checksum),
		cmocka_unit_test(arp_is_mapped_and_other_protocols_are_not),
		cmocka_unit_test(tags_are_pushed_popped_and_set),
		cmocka_unit_test(a_ttl_is_set_and_moved_within_its_bounds),
		cmocka_unit_test(a_frame_that_is_cut_in_a_header_stays_as_it_is),
		cmocka_unit_test(headers_beyond_the_bounds_are_left_alone),
		cmocka_unit_test(the_payload_stays_where_it_is),
		cmocka_unit_test(the_first_map_that_has_the_address_counts),
		cmocka_unit_test(bad_texts_are_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
