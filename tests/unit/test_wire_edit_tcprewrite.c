/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A capture with a frame of each shape, edited by tcprewrite and by lib/wire: the same bytes come out. All tests
 * are skipped where tcprewrite is not installed.
 */
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
#include "wire/edit.h"

/* No IPv4 packet with padding: tcprewrite 4.4 changes its total length. */
static const struct shape shapes[] = {
	{.name = "TCP", .family = 4, .proto = 6, .l4_len = 300},
	{.name = "TCP, back", .family = 4, .proto = 6, .reverse = true, .l4_len = 32},
	{.name = "UDP, odd", .family = 4, .proto = 17, .l4_len = 333},
	{.name = "UDP without a checksum",
		.family = 4,
		.proto = 17,
		.no_checksum = true,
		.l4_len = 99},
	{.name = "ICMP", .family = 4, .proto = 1, .l4_len = 64},
	{.name = "IPv4 options", .family = 4, .proto = 6, .options = 10, .l4_len = 40},
	{.name = "SCTP", .family = 4, .proto = 132, .l4_len = 40},
	{.name = "tag", .n_tags = 1, .family = 4, .proto = 17, .l4_len = 1000},
	{.name = "a later fragment", .family = 4, .proto = 17, .fragment = 100, .l4_len = 80},
	{.name = "ARP request", .proto = 1},
	{.name = "ARP reply", .proto = 2, .reverse = true},
	{.name = "IPv6 TCP", .family = 6, .proto = 6, .l4_len = 500},
	{.name = "IPv6 UDP", .family = 6, .proto = 17, .reverse = true, .l4_len = 77},
	{.name = "ICMPv6", .family = 6, .proto = 58, .l4_len = 64},
	{.name = "tag, IPv6", .n_tags = 1, .family = 6, .proto = 6, .l4_len = 20},
};

struct out {
	uint8_t bytes[PW_ARRAY_LEN(shapes)][FRAME_MAX];
	size_t len[PW_ARRAY_LEN(shapes)];
};

static char dir[] = "/tmp/pw-edit-XXXXXX";

static void run_tcprewrite(const char *options, struct out *out)
{
	uint8_t frame[FRAME_MAX];
	char command[1024], path[64];
	uint32_t header[6];
	size_t i, len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/in.pcap", dir);
	f = fopen(path, "wb");
	assert_non_null(f);
	pcap_begin(f);
	for (i = 0; i < PW_ARRAY_LEN(shapes); i++) {
		len = shape_make(&shapes[i], frame);
		pcap_add(f, frame, len, (uint32_t)i);
	}
	assert_int_equal(fclose(f), 0);
	snprintf(command, sizeof(command),
		/* without --fixcsum ICMPv6 keeps the old addresses' checksum */
		"tcprewrite --fixcsum -i %s/in.pcap -o %s/out.pcap %s >%s/log 2>&1 || { cat %s/log "
		">&2; exit 1; }",
		dir, dir, options, dir, dir);
	assert_int_equal(system(command), 0);
	snprintf(path, sizeof(path), "%s/out.pcap", dir);
	f = fopen(path, "rb");
	assert_non_null(f);
	assert_int_equal(fread(header, 1, 24, f), 24);
	for (i = 0; i < PW_ARRAY_LEN(shapes); i++) {
		assert_int_equal(fread(header, 1, 16, f), 16);
		out->len[i] = header[2];
		assert_in_range(out->len[i], 1, FRAME_MAX);
		assert_int_equal(fread(out->bytes[i], 1, out->len[i], f), out->len[i]);
	}
	fclose(f);
}

/* The frame as the wire gets it. Returns its length. */
static size_t edited(const struct pw_edit *e, const uint8_t *frame, size_t len, uint8_t *out)
{
	uint8_t header[PW_EDIT_HEADER_MAX];
	struct pw_edit_result r;
	enum pw_edit_verdict v = pw_edit_apply(e, frame, len, header, &r);

	if (v == PW_EDIT_SAME)
		r = (struct pw_edit_result){0};
	else
		assert_int_equal(v, PW_EDIT_DONE);
	memcpy(out, header, r.header_len);
	memcpy(out + r.header_len, frame + r.replaced, len - r.replaced);
	return r.header_len + len - r.replaced;
}

static void compare(const char *options, const struct pw_edit_text *text)
{
	uint8_t frame[FRAME_MAX], mine[FRAME_MAX + 4];
	static struct out theirs;
	struct pw_edit e;
	size_t i, n, len;

	if (system("command -v tcprewrite >/dev/null"))
		skip();
	assert_int_equal(pw_edit_parse(&e, text, NULL), 0);
	run_tcprewrite(options, &theirs);
	for (i = 0; i < PW_ARRAY_LEN(shapes); i++) {
		len = shape_make(&shapes[i], frame);
		n = edited(&e, frame, len, mine);
		if (shapes[i].family ==
			6) /* tcprewrite 4.4 takes every IPv6 address for a group's */
			memcpy(theirs.bytes[i], mine, 12);
		if (n != theirs.len[i] || memcmp(mine, theirs.bytes[i], n))
			print_error("%s: differs\n", shapes[i].name);
		assert_int_equal(n, theirs.len[i]);
		assert_memory_equal(mine, theirs.bytes[i], n);
	}
}

static void macs_are_those_of_tcprewrite(void **state)
{
	(void)state;
	compare("--enet-dmac=02:11:22:33:44:55 --enet-smac=02:66:77:88:99:aa",
		&(struct pw_edit_text){
			.dst_mac = "02:11:22:33:44:55", .src_mac = "02:66:77:88:99:aa"});
}

static void a_ttl_is_that_of_tcprewrite(void **state)
{
	static const char *const values[] = {"7", "+1", "-1", "+250", "-250", "64"};
	char options[32];
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(values); i++) {
		snprintf(options, sizeof(options), "--ttl=%s", values[i]);
		compare(options, &(struct pw_edit_text){.ttl = values[i]});
	}
}

static void addresses_are_those_of_tcprewrite(void **state)
{
	static const struct {
		const char *options, *map;
	} maps[] = {
		{"--pnat=10.0.0.0/8:192.168.0.0/8", "10.0.0.0/8:192.168.0.0/8"},
		{"--pnat=10.1.2.3/32:9.8.7.6/32", "10.1.2.3:9.8.7.6"},
		{"--pnat=10.1.0.0/16:192.168.0.0/17", "10.1.0.0/16:192.168.0.0/17"},
		{"--pnat=0.0.0.0/0:203.0.113.0/24", "0.0.0.0/0:203.0.113.0/24"},
		{"--pnat=172.16.0.0/12:10.0.0.0/8,10.0.0.0/8:172.16.0.0/12",
			"172.16.0.0/12:10.0.0.0/8,10.0.0.0/8:172.16.0.0/12"},
		{"--pnat=[2001:db8::/32]:[fd12:3456::/33]", "[2001:db8::/32]:[fd12:3456::/33]"},
		{"--pnat=[fd00::/8]:[2001:db8:aaaa:bbbb::/64]",
			"[fd00::/8]:[2001:db8:aaaa:bbbb::/64]"},
		{"--pnat=192.0.2.0/24:10.0.0.0/8", "192.0.2.0/24:10.0.0.0/8"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(maps); i++)
		compare(maps[i].options, &(struct pw_edit_text){.map = maps[i].map});
}

static void a_tag_is_removed_as_by_tcprewrite(void **state)
{
	(void)state;
	compare("--enet-vlan=del", &(struct pw_edit_text){.vlan = "pop"});
}

static void a_tag_is_added_as_by_tcprewrite(void **state)
{
	(void)state;
	compare("--enet-vlan=add --enet-vlan-tag=77 --enet-vlan-cfi=0 --enet-vlan-pri=0",
		&(struct pw_edit_text){.vlan = "push:77"});
}

static void all_edits_at_once_are_those_of_tcprewrite(void **state)
{
	(void)state;
	compare("--enet-vlan=del --enet-dmac=02:11:22:33:44:55 --ttl=-3 "
		"--pnat=10.0.0.0/8:192.168.0.0/16,[2001:db8::/32]:[fd77::/16]",
		&(struct pw_edit_text){.vlan = "pop",
			.dst_mac = "02:11:22:33:44:55",
			.ttl = "-3",
			.map = "10.0.0.0/8:192.168.0.0/16,[2001:db8::/32]:[fd77::/16]"});
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	static const char *const names[] = {"in.pcap", "out.pcap", "log"};
	char path[64];
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(macs_are_those_of_tcprewrite),
		cmocka_unit_test(a_ttl_is_that_of_tcprewrite),
		cmocka_unit_test(addresses_are_those_of_tcprewrite),
		cmocka_unit_test(a_tag_is_removed_as_by_tcprewrite),
		cmocka_unit_test(a_tag_is_added_as_by_tcprewrite),
		cmocka_unit_test(all_edits_at_once_are_those_of_tcprewrite),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
