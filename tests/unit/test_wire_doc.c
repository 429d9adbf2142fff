/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two packets that docs/wire.md shows are the ones that the code makes. To write them down
 * anew: PW_PRINT=1 test_wire_doc
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/fdt.h"
#include "wire/frame.h"

#define TEXT "Hello, wire\n"

struct packet {
	uint8_t bytes[1500];
	size_t len;
};

static void make_packet(
	struct packet *p, const struct pw_alc_hdr *hdr, const void *payload, size_t payload_len)
{
	struct pw_flow flow = {.src_mac = {2, 0, 0, 0, 0, 1},
		.vlan = PW_VLAN_NONE,
		.ttl = 1,
		.src = {4, {10, 0, 0, 1}, 4001, 0},
		.dst = {4, {239, 1, 2, 3}, 4001, 0}};
	uint8_t alc[PW_ALC_HDR_MAX];
	struct pw_frame_tmpl t;
	size_t n;

	pw_addr_multicast_mac(&flow.dst, flow.dst_mac);
	n = pw_alc_build(alc, hdr, false);
	pw_frame_template(&t, &flow, alc, n, (uint16_t)payload_len, false);
	memcpy(p->bytes, t.bytes, t.len);
	memcpy(p->bytes + t.len, payload, payload_len);
	p->len = t.len + payload_len;
}

static void make_data(struct packet *p)
{
	struct pw_alc_hdr hdr = {.tsi = 1, .toi = 1};

	make_packet(p, &hdr, TEXT, strlen(TEXT));
}

static void make_fdt(struct packet *p)
{
	struct pw_fdt_file f = {.location = (char *)"hello wire.txt",
		.toi = 1,
		.content_len = strlen(TEXT),
		.transfer_len = strlen(TEXT),
		.symbol_len = 1440,
		.max_sbl = 4096,
		.digest = {
			PW_DIGEST_XXH3_128, {0x45, 0x18, 0x9a, 0x6d, 0x23, 0x09, 0x12, 0xd1, 0x10,
						    0x63, 0x2b, 0xdd, 0x43, 0x40, 0x78, 0x12}}};
	struct pw_fdt fdt = {.expires_ntp = 3990000000,
		.complete = true,
		.n_session_files = 1,
		.files = &f,
		.n_files = 1};
	struct pw_alc_hdr hdr = {.tsi = 1,
		.has_fdt = true,
		.fdt_version = PW_FLUTE_VERSION,
		.fdt_instance = 5,
		.has_fti = true,
		.symbol_len = 1436,
		.max_sbl = 4096};
	size_t len;
	char *xml;

	assert_int_equal(pw_fdt_build(&fdt, &xml, &len, NULL), 0);
	hdr.transfer_len = len;
	make_packet(p, &hdr, xml, len);
	free(xml);
}

static void print_packet(const struct packet *p)
{
	size_t i, j;

	for (i = 0; i < p->len; i += 16) {
		printf("%04zx ", i);
		for (j = i; j < i + 16 && j < p->len; j++)
			printf(" %02x", p->bytes[j]);
		printf("  ");
		for (j = i; j < i + 16 && j < p->len; j++)
			putchar(isprint(p->bytes[j]) ? p->bytes[j] : '.');
		putchar('\n');
	}
}

/* The bytes of a line "OFFSET  HEX HEX ...  remark": two spaces end them. */
static size_t line_bytes(const char *line, uint8_t *out, size_t room)
{
	size_t n = 0;
	char *end;

	strtoul(line, &end, 16);
	if (end == line || strncmp(end, "  ", 2) != 0)
		return 0;
	for (line = end + 1; n < room && *line == ' ' && isxdigit((unsigned char)line[1]);
		line = end)
		out[n++] = (uint8_t)strtoul(line, &end, 16);
	return n;
}

/* The block "```hexdump NAME" of the document */
static void read_dump(const char *name, struct packet *p)
{
	const char *root = getenv("PW_SOURCE_ROOT");
	char path[4096], line[300], fence[64];
	bool inside = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/docs/wire.md", root ? root : ".");
	snprintf(fence, sizeof(fence), "```hexdump %s\n", name);
	f = fopen(path, "r");
	if (!f)
		fail_msg("cannot read %s; set PW_SOURCE_ROOT", path);
	p->len = 0;
	while (fgets(line, sizeof(line), f)) {
		if (!inside && !strcmp(line, fence)) {
			inside = true;
		} else if (inside && !strcmp(line, "```\n")) {
			break;
		} else if (inside && line[0] != ' ') {
			assert_int_equal(strtoul(line, NULL, 16), p->len);
			p->len += line_bytes(line, p->bytes + p->len, sizeof(p->bytes) - p->len);
		}
	}
	fclose(f);
}

static void assert_documented(const char *name, const struct packet *p)
{
	struct packet doc;

	if (getenv("PW_PRINT"))
		print_packet(p);
	read_dump(name, &doc);
	assert_int_equal(doc.len, p->len);
	assert_memory_equal(doc.bytes, p->bytes, p->len);
}

static void the_data_packet_is_documented(void **state)
{
	struct packet p;

	(void)state;
	make_data(&p);
	assert_documented("data", &p);
}

static void the_fdt_packet_is_documented(void **state)
{
	struct packet p;

	(void)state;
	make_fdt(&p);
	assert_documented("fdt", &p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_data_packet_is_documented),
		cmocka_unit_test(the_fdt_packet_is_documented),
	};

	return cmocka_run_group_tests_name("wire_doc", tests, NULL, NULL);
}
