/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "frames_util.h"
#include "wire/flow.h"

static struct pw_flow_key key_of(struct shape s)
{
	uint8_t frame[FRAME_MAX];
	size_t len = shape_make(&s, frame);
	struct pw_flow_key key;

	pw_flow_key_of(&key, frame, len);
	return key;
}

static void assert_same(struct pw_flow_key a, struct pw_flow_key b)
{
	assert_int_equal(pw_flow_hash(&a), pw_flow_hash(&b));
	a.is_reversed = b.is_reversed = false;
	assert_memory_equal(&a, &b, sizeof(a));
}

static void both_directions_have_one_key(void **state)
{
	static const uint8_t protos[] = {6, 17, 33, 132, 136, 1, 58, 47};
	uint8_t families[] = {4, 6};
	struct shape s = {.l4_len = 40};
	struct pw_flow_key there, back;
	size_t i, f;

	(void)state;
	for (f = 0; f < 2; f++)
		for (i = 0; i < sizeof(protos); i++) {
			s.family = families[f];
			s.proto = protos[i];
			s.reverse = false;
			there = key_of(s);
			s.reverse = true;
			back = key_of(s);
			if (protos[i] == 33 ||
				protos[i] == 136) /* shape_l4() writes no ports there */
				back.port[0] = there.port[0], back.port[1] = there.port[1];
			assert_same(there, back);
			assert_int_not_equal(there.is_reversed, back.is_reversed);
			assert_int_equal(there.proto, i < 5 ? protos[i] : 0);
			assert_int_equal(there.family, families[f]);
		}
}

static void the_key_has_the_addresses_and_ports(void **state)
{
	struct pw_flow_key key = key_of((struct shape){.family = 4, .proto = 6, .l4_len = 40});

	(void)state;
	assert_false(key.is_reversed); /* 10.1.2.3 is below 172.16.5.9 */
	assert_memory_equal(key.addr[0], shape_v4[0], 4);
	assert_memory_equal(key.addr[1], shape_v4[1], 4);
	assert_int_equal(key.port[0], SHAPE_CLIENT_PORT);
	assert_int_equal(key.port[1], SHAPE_SERVER_PORT);
}

static void a_flow_within_one_host_is_ordered_by_its_ports(void **state)
{
	struct shape s = {.family = 4, .proto = 6, .l4_len = 40};
	uint8_t frame[FRAME_MAX];
	struct pw_flow_key there, back;
	size_t len = shape_make(&s, frame);

	(void)state;
	memcpy(frame + 26, frame + 30, 4);
	pw_flow_key_of(&there, frame, len);
	pw_be16_store(frame + 34, SHAPE_SERVER_PORT);
	pw_be16_store(frame + 36, SHAPE_CLIENT_PORT);
	pw_flow_key_of(&back, frame, len);
	assert_same(there, back);
	assert_int_not_equal(there.is_reversed, back.is_reversed);
}

static void tags_and_options_do_not_count(void **state)
{
	struct pw_flow_key plain = key_of((struct shape){.family = 4, .proto = 6, .l4_len = 40});

	(void)state;
	assert_same(
		plain, key_of((struct shape){
			       .n_tags = 3, .family = 4, .proto = 6, .options = 3, .l4_len = 90}));
	plain = key_of((struct shape){.family = 6, .proto = 17, .l4_len = 40});
	assert_same(
		plain, key_of((struct shape){
			       .n_tags = 1, .family = 6, .proto = 17, .ext = "<<", .l4_len = 9}));
}

static void all_fragments_of_a_datagram_have_one_key_without_ports(void **state)
{
	struct shape s = {.family = 4, .proto = 17, .fragment = 0x2000, .l4_len = 64};
	struct pw_flow_key first = key_of(s);

	(void)state;
	s.fragment = 8;
	assert_same(first, key_of(s));
	assert_int_equal(first.proto | first.port[0] | first.port[1], 0);
	s.fragment = 0;
	assert_int_not_equal(key_of(s).proto, 0);
	s = (struct shape){.family = 6, .proto = 17, .fragment = 1, .l4_len = 64};
	first = key_of(s);
	s.fragment = 64;
	assert_same(first, key_of(s));
	assert_int_equal(first.proto, 0);
}

static void arp_belongs_to_the_hosts_that_it_names(void **state)
{
	struct pw_flow_key request = key_of((struct shape){.proto = 1});

	(void)state;
	assert_same(request, key_of((struct shape){.proto = 2, .reverse = true}));
	assert_same(request, key_of((struct shape){.family = 4, .proto = 1, .l4_len = 40}));
}

static void a_frame_that_is_cut_has_the_key_of_what_is_there(void **state)
{
	struct shape s = {.family = 4, .proto = 6, .l4_len = 40};
	uint8_t frame[FRAME_MAX];
	struct pw_flow_key key;
	size_t len;

	(void)state;
	shape_make(&s, frame);
	for (len = 0; len < 60; len++) {
		pw_flow_key_of(&key, frame, len);
		assert_int_equal(key.family, len < 34 ? 0 : 4);
		assert_int_equal(key.proto, len < 38 ? 0 : 6);
		assert_int_equal(key.addr[0][0], len < 12 ? 0 : len < 34 ? 2 : 10);
	}
}

/* 4096 flows that differ in one port or one byte of an address: no queue of 8 gets half as many or twice as many as its share. */
static void queues_get_even_shares(void **state)
{
	struct shape s = {.family = 4, .proto = 17, .l4_len = 40};
	uint8_t frame[FRAME_MAX];
	unsigned how, i, n[8];
	struct pw_flow_key key;
	size_t len;

	(void)state;
	for (how = 0; how < 3; how++) {
		len = shape_make(&s, frame);
		memset(n, 0, sizeof(n));
		for (i = 0; i < 4096; i++) {
			if (how == 0)
				pw_be16_store(frame + 34, (uint16_t)(1024 + i));
			else
				pw_be16_store(frame + (how == 1 ? 28 : 32),
					(uint16_t)(i * (how == 1 ? 1 : 16)));
			pw_flow_key_of(&key, frame, len);
			n[pw_flow_queue(pw_flow_hash(&key), 8)]++;
		}
		for (i = 0; i < 8; i++)
			assert_in_range(n[i], 256, 1024);
	}
	assert_int_equal(pw_flow_queue(UINT64_MAX, 7), 6);
	assert_int_equal(pw_flow_queue(UINT64_MAX, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_directions_have_one_key),
		cmocka_unit_test(the_key_has_the_addresses_and_ports),
		cmocka_unit_test(a_flow_within_one_host_is_ordered_by_its_ports),
		cmocka_unit_test(tags_and_options_do_not_count),
		cmocka_unit_test(all_fragments_of_a_datagram_have_one_key_without_ports),
		cmocka_unit_test(arp_belongs_to_the_hosts_that_it_names),
		cmocka_unit_test(a_frame_that_is_cut_has_the_key_of_what_is_there),
		cmocka_unit_test(queues_get_even_shares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
