/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "frames_util.h"
#include "wire/side.h"

static enum pw_side seen(struct pw_side_table *t, struct shape s)
{
	uint8_t frame[FRAME_MAX];
	size_t len = shape_make(&s, frame);
	struct pw_flow_key key;

	pw_flow_key_of(&key, frame, len);
	return pw_side_by_first(t, &key, pw_flow_hash(&key));
}

static void the_sender_of_the_first_frame_is_the_client(void **state)
{
	struct shape s = {.family = 4, .proto = 6, .l4_len = 40};
	struct pw_side_table t;
	int first;

	(void)state;
	for (first = 0; first < 2; first++) {
		assert_int_equal(pw_side_table_init(&t, 100, NULL), 0);
		s.reverse = first;
		assert_int_equal(seen(&t, s), PW_SIDE_CLIENT);
		assert_int_equal(seen(&t, s), PW_SIDE_CLIENT);
		s.reverse = !first;
		assert_int_equal(seen(&t, s), PW_SIDE_SERVER);
		s.reverse = first;
		assert_int_equal(seen(&t, s), PW_SIDE_CLIENT);
		assert_int_equal(t.n_flows, 2); /* and its host pair */
		assert_int_equal(t.n_full, 0);
		pw_side_table_finish(&t);
	}
	pw_side_table_finish(&t);
}

static void fragments_and_pings_go_with_the_first_flow_of_their_hosts(void **state)
{
	struct shape s = {.family = 6, .proto = 6, .l4_len = 40}, other;
	struct pw_side_table t;

	(void)state;
	assert_int_equal(pw_side_table_init(&t, 100, NULL), 0);
	assert_int_equal(seen(&t, s), PW_SIDE_CLIENT);
	other = (struct shape){
		.family = 6, .proto = 17, .fragment = 1, .reverse = true, .l4_len = 40};
	assert_int_equal(seen(&t, other), PW_SIDE_SERVER);
	other = (struct shape){.family = 6, .proto = 58, .reverse = true, .l4_len = 40};
	assert_int_equal(seen(&t, other), PW_SIDE_SERVER);
	other.reverse = false;
	assert_int_equal(seen(&t, other), PW_SIDE_CLIENT);
	/* a flow of its own, which the server opened */
	other = (struct shape){.family = 6, .proto = 17, .reverse = true, .l4_len = 40};
	assert_int_equal(seen(&t, other), PW_SIDE_CLIENT);
	pw_side_table_finish(&t);
}

static void flow_number(struct pw_flow_key *key, uint32_t i)
{
	memset(key, 0, sizeof(*key));
	key->family = 4;
	key->proto = 6;
	pw_be32_store(key->addr[0], 0x0a000000 + i);
	pw_be32_store(key->addr[1], 0x0b000000 + i);
	key->port[0] = 40000;
	key->port[1] = 80;
}

static void as_many_flows_as_promised_are_remembered(void **state)
{
	const uint32_t n = 1 << 17; /* the least room a flow: n * 4 is a power of 2 */
	struct pw_side_table t;
	struct pw_flow_key key;
	uint32_t i;

	(void)state;
	assert_int_equal(pw_side_table_init(&t, n, NULL), 0);
	for (i = 0; i < n; i++) {
		flow_number(&key, i);
		key.is_reversed = i & 1;
		assert_int_equal(pw_side_by_first(&t, &key, pw_flow_hash(&key)), PW_SIDE_CLIENT);
	}
	for (i = 0; i < n; i++) {
		flow_number(&key, i);
		key.is_reversed = !(i & 1);
		assert_int_equal(pw_side_by_first(&t, &key, pw_flow_hash(&key)), PW_SIDE_SERVER);
	}
	assert_int_equal(t.n_full, 0);
	assert_int_equal(t.n_flows, 2 * n);
	pw_side_table_finish(&t);
}

static void a_flow_without_room_goes_by_its_ports_and_is_counted(void **state)
{
	struct pw_side_table t;
	struct pw_flow_key key;
	uint32_t i;

	(void)state;
	assert_int_equal(pw_side_table_init(&t, 1, NULL), 0);
	for (i = 0; i < 1000; i++) {
		flow_number(&key, i);
		pw_side_by_first(&t, &key, pw_flow_hash(&key));
	}
	assert_int_equal(t.n_flows, 8);
	assert_in_range(t.n_full, 990, 996);
	key.is_reversed = true; /* from port 80 */
	assert_int_equal(pw_side_by_first(&t, &key, pw_flow_hash(&key)), PW_SIDE_SERVER);
	key.is_reversed = false;
	assert_int_equal(pw_side_by_first(&t, &key, pw_flow_hash(&key)), PW_SIDE_CLIENT);
	key.port[0] = 22;
	assert_int_equal(pw_side_by_first(&t, &key, pw_flow_hash(&key)), PW_SIDE_SERVER);
	pw_side_table_finish(&t);
	assert_int_equal(pw_side_table_init(&t, 0, NULL), -EINVAL);
	assert_int_equal(pw_side_table_init(&t, PW_SIDE_FLOWS_MAX + 1, NULL), -EINVAL);
}

/* The hashes of an attacker: equal, 0, 1. */
static void hashes_of_any_value_are_looked_up(void **state)
{
	static const uint64_t hashes[] = {0, 1, 2, 3, UINT64_MAX};
	struct pw_side_table t;
	struct pw_flow_key key;
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(hashes); i++) {
		assert_int_equal(pw_side_table_init(&t, 16, NULL), 0);
		flow_number(&key, 1);
		assert_int_equal(pw_side_by_first(&t, &key, hashes[i]), PW_SIDE_CLIENT);
		key.is_reversed = true;
		assert_int_equal(pw_side_by_first(&t, &key, hashes[i]), PW_SIDE_SERVER);
		pw_side_table_finish(&t);
	}
}

static void networks_name_the_clients(void **state)
{
	struct pw_side_nets nets;
	struct pw_flow_key key;
	struct pw_err err;
	char many[1024] = "";
	unsigned i;

	(void)state;
	assert_int_equal(
		pw_side_nets_parse(&nets, "--clients", "192.0.2.0/24,10.0.0.0/16,fd00::/8", &err),
		0);
	flow_number(&key, 5);
	assert_int_equal(pw_side_by_nets(&nets, &key), PW_SIDE_CLIENT);
	key.is_reversed = true;
	assert_int_equal(pw_side_by_nets(&nets, &key), PW_SIDE_SERVER);
	key.family = 6;
	key.addr[1][0] = 0xfd;
	assert_int_equal(pw_side_by_nets(&nets, &key), PW_SIDE_CLIENT);
	key.family = 0;
	key.addr[1][0] = 7;
	assert_int_equal(pw_side_by_nets(&nets, &key), PW_SIDE_CLIENT);
	assert_int_equal(pw_side_nets_parse(&nets, "--clients", "10.0.0.0/8,", &err), -EINVAL);
	assert_non_null(strstr(err.msg, "--clients"));
	for (i = 0; i <= PW_SIDE_NETS_MAX; i++)
		strcat(many, i ? ",1.0.0.0/8" : "1.0.0.0/8");
	assert_int_equal(pw_side_nets_parse(&nets, "--clients", many, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "more than 64"));
}

static const uint8_t cache_bytes[] = {'t', 'c', 'p', 'p', 'r', 'e', 'p', 0, '0', '4', 0, 0, 0, 0, 0,
	0, 0, 0, 0, 6, 0, 4, 0, 2, 'h', 'i', 0xe4 /* 3, 2, 1, 0 from the top */, 0x0e};

static void a_cache_is_read(void **state)
{
	static const enum pw_side want[] = {PW_SIDE_NONE, PW_SIDE_NONE, PW_SIDE_SERVER,
		PW_SIDE_CLIENT, PW_SIDE_SERVER, PW_SIDE_CLIENT, PW_SIDE_NONE};
	struct pw_side_cache cache;
	unsigned i;

	(void)state;
	assert_int_equal(
		pw_side_cache_parse(&cache, "c", cache_bytes, sizeof(cache_bytes), NULL), 0);
	assert_int_equal(cache.n_frames, 6);
	for (i = 0; i < PW_ARRAY_LEN(want); i++)
		assert_int_equal(pw_side_by_cache(&cache, i), want[i]);
	assert_int_equal(pw_side_by_cache(&cache, UINT64_MAX), PW_SIDE_NONE);
}

static void a_cache_that_lies_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		const char *says;
	} cases[] = {{0, 'x', "not a cache file"}, {7, 'x', "not a cache file"},
		{9, '3', "version is not 04"}, {21, 8, "version is not 04"},
		{12, 0xff, "ends before"}, {19, 9, "ends before"}, {22, 0xff, "ends before"}};
	uint8_t bytes[sizeof(cache_bytes)], *exact;
	struct pw_side_cache cache;
	struct pw_err err;
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(cases); i++) {
		memcpy(bytes, cache_bytes, sizeof(bytes));
		bytes[cases[i].at] = cases[i].value;
		assert_int_equal(pw_side_cache_parse(&cache, "c.prep", bytes, sizeof(bytes), &err),
			-EBADMSG);
		if (!strstr(err.msg, cases[i].says) || !strstr(err.msg, "c.prep"))
			fail_msg("case %zu: %s", i, err.msg);
	}
	for (i = 0; i < sizeof(bytes); i++) {
		exact = malloc(i ? i : 1);
		assert_non_null(exact);
		memcpy(exact, cache_bytes, i);
		assert_int_equal(pw_side_cache_parse(&cache, "c", exact, i, &err), -EBADMSG);
		free(exact);
	}
}

static const struct shape shapes[] = {
	{.family = 4, .proto = 6, .l4_len = 40},
	{.family = 4, .proto = 6, .reverse = true, .l4_len = 40},
	{.family = 4, .proto = 17, .reverse = true, .l4_len = 50},
	{.family = 6, .proto = 6, .l4_len = 40},
	{.family = 4, .proto = 17, .fragment = 20, .l4_len = 50},
	{.n_tags = 1, .family = 4, .proto = 6, .l4_len = 40},
	{.n_tags = 1, .family = 4, .proto = 6, .reverse = true, .l4_len = 40},
};

/* A capture of n of the shapes above by turns; returns its cache, *len bytes, made by `tcpprep OPTIONS`. */
static uint8_t *make_cache(unsigned n, const char *options, size_t *len)
{
	char dir[] = "/tmp/pw-side-XXXXXX", command[512], path[64];
	uint8_t frame[FRAME_MAX], *bytes = malloc(1 << 20);
	unsigned i;
	FILE *f;

	assert_non_null(bytes);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/in.pcap", dir);
	f = fopen(path, "wb");
	assert_non_null(f);
	pcap_begin(f);
	for (i = 0; i < n; i++) {
		size_t frame_len = shape_make(&shapes[i % PW_ARRAY_LEN(shapes)], frame);

		pcap_add(f, frame, frame_len, i);
	}
	assert_int_equal(fclose(f), 0);
	snprintf(command, sizeof(command),
		"tcpprep %s -i %s/in.pcap -o %s/out >%s/log 2>&1 || cat %s/log >&2", options, dir,
		dir, dir, dir);
	assert_int_equal(system(command), 0);
	snprintf(path, sizeof(path), "%s/out", dir);
	f = fopen(path, "rb");
	assert_non_null(f);
	*len = fread(bytes, 1, 1 << 20, f);
	fclose(f);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
	return bytes;
}

static void a_cache_of_tcpprep_agrees_with_the_networks(void **state)
{
	const unsigned n = 3001; /* more than one of tcpprep's pieces of 1020 */
	struct pw_side_cache cache;
	struct pw_side_nets nets;
	struct pw_err err;
	size_t len;
	uint8_t *bytes;
	unsigned i;

	(void)state;
	if (system("command -v tcpprep >/dev/null"))
		skip();
	bytes = make_cache(n, "--cidr=10.0.0.0/8,[2001:db8::/32] -C text", &len);
	if (pw_side_cache_parse(&cache, "out", bytes, len, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(cache.n_frames, n);
	assert_int_equal(
		pw_side_nets_parse(&nets, "--clients", "10.0.0.0/8,2001:db8::/32", NULL), 0);
	for (i = 0; i < n; i++) {
		uint8_t frame[FRAME_MAX];
		size_t frame_len = shape_make(&shapes[i % PW_ARRAY_LEN(shapes)], frame);
		struct pw_flow_key key;

		pw_flow_key_of(&key, frame, frame_len);
		assert_int_equal(pw_side_by_cache(&cache, i), pw_side_by_nets(&nets, &key));
	}
	free(bytes);
}

static void frames_that_tcpprep_excludes_are_not_sent(void **state)
{
	struct pw_side_cache cache;
	size_t len;
	uint8_t *bytes;
	unsigned i;

	(void)state;
	if (system("command -v tcpprep >/dev/null"))
		skip();
	bytes = make_cache(10, "--cidr=10.0.0.0/8 -X P:2,5-7", &len);
	assert_int_equal(pw_side_cache_parse(&cache, "out", bytes, len, NULL), 0);
	for (i = 0; i < 10; i++)
		assert_int_equal(pw_side_by_cache(&cache, i) == PW_SIDE_NONE,
			i + 1 == 2 || (i + 1 >= 5 && i + 1 <= 7));
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sender_of_the_first_frame_is_the_client),
		cmocka_unit_test(fragments_and_pings_go_with_the_first_flow_of_their_hosts),
		cmocka_unit_test(as_many_flows_as_promised_are_remembered),
		cmocka_unit_test(a_flow_without_room_goes_by_its_ports_and_is_counted),
		cmocka_unit_test(hashes_of_any_value_are_looked_up),
		cmocka_unit_test(networks_name_the_clients),
		cmocka_unit_test(a_cache_is_read),
		cmocka_unit_test(a_cache_that_lies_is_refused),
		cmocka_unit_test(a_cache_of_tcpprep_agrees_with_the_networks),
		cmocka_unit_test(frames_that_tcpprep_excludes_are_not_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
