/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What Wireshark makes of our packets: a capture with one packet of each shape, read by tshark. All
 * tests are skipped where tshark is not installed.
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

#include "base/bytes.h"
#include "wire/fdt.h"
#include "wire/frame.h"

#define TSHARK                                                             \
	"tshark -n -r %s -d udp.port==4001,alc -o ip.check_checksum:TRUE " \
	"-o udp.check_checksum:TRUE %s 2>/dev/null"

enum csum { CSUM_NONE, CSUM_SOFTWARE, CSUM_OFFLOAD };

struct shape {
	bool v6;
	uint16_t vlan;
	bool wide;
	enum csum csum;
	struct pw_alc_hdr alc;
	uint16_t payload_len; /* 0: the file table */
};

#define FDT_EXTENSIONS                                                                         \
	.has_fdt = true, .fdt_version = PW_FLUTE_VERSION, .has_fti = true, .symbol_len = 1412, \
	.max_sbl = 4096

static const struct shape shapes[] = {
	{.vlan = PW_VLAN_NONE,
		.csum = CSUM_SOFTWARE,
		.alc = {.tsi = 7, .fdt_instance = 5, FDT_EXTENSIONS}},
	{.vlan = PW_VLAN_NONE,
		.alc = {.tsi = 7, .toi = 1, .sbn = 2, .esi = 4093},
		.payload_len = 1456},
	{.vlan = 100,
		.alc = {.tsi = 7, .toi = 70000, .sbn = 65535, .esi = 65534},
		.payload_len = 1452},
	{.v6 = true,
		.vlan = PW_VLAN_NONE,
		.csum = CSUM_SOFTWARE,
		.alc = {.tsi = 65535, .toi = 65535, .esi = 1},
		.payload_len = 33},
	{.v6 = true,
		.vlan = 4094,
		.wide = true,
		.csum = CSUM_SOFTWARE,
		.alc = {.tsi = 0x12345678, .toi = 2, .sbn = 1},
		.payload_len = 8900},
	{.v6 = true,
		.vlan = 1,
		.csum = CSUM_OFFLOAD,
		.alc = {.tsi = 9,
			.fdt_instance = PW_FDT_INSTANCE_MAX,
			.close_session = true,
			FDT_EXTENSIONS}},
	{.vlan = PW_VLAN_NONE,
		.csum = CSUM_OFFLOAD,
		.alc = {.tsi = 1, .toi = 1, .close_object = true},
		.payload_len = 1},
};

static struct capture {
	char path[32];
	char *xml;
	size_t xml_len;
} capture;

static char *make_table(size_t *len)
{
	struct pw_fdt_file f = {.location = (char *)"dir/a b.img",
		.toi = 1,
		.content_len = 5000,
		.transfer_len = 5000,
		.symbol_len = 1440,
		.max_sbl = 4096,
		.digest = {PW_DIGEST_XXH3_128, {0xab}}};
	struct pw_fdt fdt = {.expires_ntp = 3990000000,
		.complete = true,
		.n_session_files = 1,
		.files = &f,
		.n_files = 1};
	char *xml;

	assert_int_equal(pw_fdt_build(&fdt, &xml, len, NULL), 0);
	return xml;
}

static struct pw_flow make_flow(const struct shape *s)
{
	struct pw_flow flow = {
		.src_mac = {2, 0, 0, 0, 0, 1}, .vlan = s->vlan, .ttl = 1, .dscp = 46};

	pw_addr_parse("", s->v6 ? "[fd00::1]:40000" : "10.0.0.1:40000", 0, &flow.src, NULL);
	pw_addr_parse("", s->v6 ? "[ff15::1]:4001" : "239.1.2.3:4001", 0, &flow.dst, NULL);
	pw_addr_multicast_mac(&flow.dst, flow.dst_mac);
	return flow;
}

/* As a port does: the inverted sum over the datagram, its checksum field included */
static uint16_t port_csum(const uint8_t *udp, size_t len)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? udp[i] : (uint32_t)udp[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff ? 0xffff : (uint16_t)~sum;
}

static size_t make_frame(const struct shape *s, uint8_t *frame)
{
	static uint8_t pattern[9000];
	size_t i, n, len = s->payload_len ? s->payload_len : capture.xml_len;
	const uint8_t *payload = s->payload_len ? pattern : (const uint8_t *)capture.xml;
	struct pw_flow flow = make_flow(s);
	struct pw_alc_hdr hdr = s->alc;
	uint8_t alc[PW_ALC_HDR_MAX];
	struct pw_frame_tmpl t;

	for (i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 31);
	hdr.transfer_len = hdr.has_fti ? capture.xml_len : 0;
	n = pw_alc_build(alc, &hdr, s->wide);
	pw_frame_template(&t, &flow, alc, n, (uint16_t)len, s->csum == CSUM_OFFLOAD);
	memcpy(frame, t.bytes, t.len);
	memcpy(frame + t.len, payload, len);
	if (s->csum == CSUM_SOFTWARE)
		pw_be16_store(frame + t.alc_off - 2, pw_frame_udp_csum(&t, frame, payload, len));
	else if (s->csum == CSUM_OFFLOAD)
		pw_be16_store(frame + t.alc_off - 2,
			port_csum(frame + t.alc_off - 8, t.len - t.alc_off + 8u + len));
	return t.len + len;
}

static void write_packet(FILE *f, const uint8_t *frame, size_t len)
{
	const uint32_t hdr[4] = {1, 0, (uint32_t)len, (uint32_t)len};

	fwrite(hdr, sizeof(hdr), 1, f);
	fwrite(frame, len, 1, f);
}

static FILE *open_capture(char path[32])
{
	static const uint32_t hdr[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1};
	FILE *f;
	int fd;

	strcpy(path, "/tmp/pw-tshark-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	f = fdopen(fd, "wb");
	fwrite(hdr, sizeof(hdr), 1, f);
	return f;
}

static int set_up(void **state)
{
	uint8_t frame[10000];
	size_t i;
	FILE *f;

	(void)state;
	capture.xml = make_table(&capture.xml_len);
	f = open_capture(capture.path);
	for (i = 0; i < PW_ARRAY_LEN(shapes); i++)
		write_packet(f, frame, make_frame(&shapes[i], frame));
	return fclose(f);
}

static int tear_down(void **state)
{
	(void)state;
	unlink(capture.path);
	free(capture.xml);
	return 0;
}

/* tshark's standard output; the caller frees it. */
static char *run_tshark(const char *path, const char *args)
{
	char command[1000], *text = NULL;
	size_t len = 0;
	FILE *in, *out;
	int c;

	snprintf(command, sizeof(command), TSHARK, path, args);
	in = popen(command, "r");
	assert_non_null(in);
	out = open_memstream(&text, &len);
	while ((c = getc(in)) != EOF)
		putc(c, out);
	fclose(out);
	assert_int_equal(pclose(in), 0);
	return text;
}

/* One field of a line, "0x..." or decimal or "True"; absent = UINT64_MAX. Moves past it. */
static uint64_t next_field(char **line)
{
	char *field = strsep(line, "|\n");
	uint64_t v;

	assert_non_null(field);
	if (*field == '\0')
		return UINT64_MAX;
	v = !strcmp(field, "True") ? 1 : strtoull(field, NULL, 0);
	return v;
}

static void assert_field(char **line, uint64_t expected, size_t packet, const char *name)
{
	uint64_t got = next_field(line);

	if (got != expected)
		fail_msg("packet %zu: %s is %llu, not %llu", packet + 1, name,
			(unsigned long long)got, (unsigned long long)expected);
}

static void every_field_is_where_tshark_looks_for_it(void **state)
{
	const uint64_t none = UINT64_MAX;
	char *text, *line;
	size_t i;

	(void)state;
	text = line = run_tshark(capture.path,
		"-T fields -E separator='|' -E occurrence=f -e rmt-lct.tsi -e rmt-lct.toi "
		"-e rmt-lct.flags.close_session -e rmt-lct.flags.close_object "
		"-e rmt-lct.flute_version -e rmt-lct.fdt_instance_id "
		"-e rmt-fec.fti.transfer_length -e rmt-fec.fti.encoding_symbol_length "
		"-e rmt-fec.fti.max_source_block_length -e rmt-fec.sbn -e rmt-fec.esi -e vlan.id "
		"-e ip.checksum.status -e udp.checksum.status");
	for (i = 0; i < PW_ARRAY_LEN(shapes); i++) {
		const struct shape *s = &shapes[i];
		bool fdt = s->alc.has_fdt;

		assert_field(&line, s->alc.tsi, i, "TSI");
		assert_field(&line, s->alc.toi, i, "TOI");
		assert_field(&line, s->alc.close_session, i, "A");
		assert_field(&line, s->alc.close_object, i, "B");
		assert_field(&line, fdt ? 2 : none, i, "FLUTE version");
		assert_field(&line, fdt ? s->alc.fdt_instance : none, i, "instance");
		assert_field(&line, fdt ? capture.xml_len : none, i, "transfer length");
		assert_field(&line, fdt ? 1412 : none, i, "symbol length");
		assert_field(&line, fdt ? 4096 : none, i, "max. block length");
		assert_field(&line, s->alc.sbn, i, "SBN");
		assert_field(&line, s->alc.esi, i, "ESI");
		assert_field(&line, s->vlan == PW_VLAN_NONE ? none : s->vlan, i, "VLAN");
		assert_field(&line, s->v6 ? none : 1, i, "IPv4 checksum");
		assert_field(&line, s->csum == CSUM_NONE ? 3 : 1, i, "UDP checksum");
	}
	assert_string_equal(line, "");
	free(text);
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what)) != NULL) {
		text += strlen(what);
		n++;
	}
	return n;
}

static void the_table_is_dissected_to_its_attributes(void **state)
{
	char *text;

	(void)state;
	text = run_tshark(capture.path, "-V -Y xml");
	assert_int_equal(count(text, "eXtensible Markup Language"), 2);
	assert_int_equal(count(text, "<FDT-Instance"), 2);
	assert_int_equal(count(text, "Content-Location=\"dir/a%20b.img\""), 2);
	assert_int_equal(count(text, "FEC-OTI-Encoding-Symbol-Length=\"1440\""), 2);
	assert_int_equal(count(text, "pw:Digest=\"xxh3-128:ab"), 2);
	free(text);
}

static void nothing_is_malformed(void **state)
{
	char *text;

	(void)state;
	text = run_tshark(capture.path, "-Y '_ws.malformed || _ws.expert'");
	assert_string_equal(text, "");
	free(text);
	text = run_tshark(capture.path, "-V");
	assert_int_equal(count(text, "Asynchronous Layered Coding"), PW_ARRAY_LEN(shapes));
	assert_int_equal(count(text, "Malformed"), 0);
	assert_int_equal(count(text, "incorrect"), 0);
	free(text);
}

/* Otherwise the tests above would prove nothing. */
static void a_damaged_packet_is_noticed(void **state)
{
	uint8_t frame[10000];
	char path[32], *text;
	size_t len;
	FILE *f;

	(void)state;
	f = open_capture(path);
	len = make_frame(&shapes[3], frame);
	frame[len - 1] ^= 1;
	write_packet(f, frame, len);
	len = make_frame(&shapes[0], frame);
	frame[42 + 2] = 60; /* HDR_LEN beyond the packet */
	write_packet(f, frame, 42 + 80);
	fclose(f);
	text = run_tshark(path, "-Y '_ws.malformed || _ws.expert' -T fields -e frame.number");
	unlink(path);
	assert_string_equal(text, "1\n2\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_is_where_tshark_looks_for_it),
		cmocka_unit_test(the_table_is_dissected_to_its_attributes),
		cmocka_unit_test(nothing_is_malformed),
		cmocka_unit_test(a_damaged_packet_is_noticed),
	};

	/* not cmocka's skip(): it says "not ok # SKIP", which meson takes for a failure */
	if (system("command -v tshark >/dev/null 2>&1") != 0) {
		puts("1..0 # SKIP tshark is not installed");
		return 0;
	}
	return cmocka_run_group_tests_name("wire_tshark", tests, set_up, tear_down);
}
