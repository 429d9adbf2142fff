/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wire/fdt.h"

#define MD5_TEXT "XUFAKrxLKna5cZ2REBfFkg==" /* of "hello" */
static const uint8_t md5_bytes[16] = {0x5d, 0x41, 0x40, 0x2a, 0xbc, 0x4b, 0x2a, 0x76, 0xb9, 0x71,
	0x9d, 0x91, 0x10, 0x17, 0xc5, 0x92};

static struct pw_fdt parse(const char *xml)
{
	struct pw_err err = {0};
	struct pw_fdt fdt;

	if (pw_fdt_parse(xml, strlen(xml), &fdt, &err))
		fail_msg("%s: %s", err.msg, xml);
	return fdt;
}

static char *build(const struct pw_fdt *fdt)
{
	struct pw_err err = {0};
	size_t len = 0;
	char *xml;

	if (pw_fdt_build(fdt, &xml, &len, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(strlen(xml), len);
	return xml;
}

static struct pw_fdt_file file(const char *location, uint64_t toi)
{
	return (struct pw_fdt_file){
		.location = (char *)location,
		.toi = toi,
		.content_len = 5000,
		.transfer_len = 5000,
		.symbol_len = 1440,
		.max_sbl = 4096,
	};
}

static void the_table_as_it_is_written(void **state)
{
	struct pw_fdt_file f = file("dir/a b.img", 1);
	struct pw_fdt fdt = {.expires_ntp = 3990000000,
		.complete = true,
		.n_session_files = 2,
		.stripe = {1, 2},
		.files = &f,
		.n_files = 1};
	char *xml;
	int i;

	(void)state;
	f.digest.kind = PW_DIGEST_XXH3_128;
	for (i = 0; i < 16; i++)
		f.digest.bytes[i] = (uint8_t)(17 * i);
	f.md5.kind = PW_DIGEST_MD5;
	memcpy(f.md5.bytes, md5_bytes, 16);
	xml = build(&fdt);
	assert_string_equal(xml,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<FDT-Instance xmlns=\"urn:IETF:metadata:2005:FLUTE:FDT\""
		" xmlns:pw=\"urn:pagewire:fdt:1\" Expires=\"3990000000\" Complete=\"true\""
		" pw:Files=\"2\" pw:Stripe=\"1/2\">"
		"<File Content-Location=\"dir/a%20b.img\" TOI=\"1\" Content-Length=\"5000\""
		" Transfer-Length=\"5000\" FEC-OTI-FEC-Encoding-ID=\"0\""
		" FEC-OTI-Maximum-Source-Block-Length=\"4096\""
		" FEC-OTI-Encoding-Symbol-Length=\"1440\" Content-MD5=\"" MD5_TEXT "\""
		" pw:Digest=\"xxh3-128:00112233445566778899aabbccddeeff\"/>"
		"</FDT-Instance>\n");
	free(xml);
}

static void a_digest_that_comes_later_is_announced(void **state)
{
	struct pw_fdt_file f = file("a", 1);
	struct pw_fdt fdt = {.files = &f, .n_files = 1}, got;
	char *xml;

	(void)state;
	f.digest_later = true;
	xml = build(&fdt);
	got = parse(xml);
	assert_int_equal(got.files[0].digest.kind, PW_DIGEST_NONE);
	assert_true(got.files[0].digest_later);
	pw_fdt_finish(&got);
	free(xml);
	f.digest.kind = PW_DIGEST_XXH3_128;
	xml = build(&fdt);
	got = parse(xml);
	assert_int_equal(got.files[0].digest.kind, PW_DIGEST_XXH3_128);
	assert_false(got.files[0].digest_later);
	pw_fdt_finish(&got);
	free(xml);
}

static void what_need_not_be_said_is_left_out(void **state)
{
	struct pw_fdt_file f = file("a", 1);
	struct pw_fdt fdt = {.files = &f, .n_files = 1};
	char *xml = build(&fdt);

	(void)state;
	assert_null(strstr(xml, "Complete"));
	assert_null(strstr(xml, "pw:Files"));
	assert_null(strstr(xml, "MD5"));
	assert_null(strstr(xml, "Digest"));
	assert_null(strstr(xml, "Encoding=\""));
	assert_null(strstr(xml, "pw:M"));
	free(xml);
}

static void mode_and_mtime_are_written(void **state)
{
	struct pw_fdt_file f = file("a", 1);
	struct pw_fdt fdt = {.files = &f, .n_files = 1};
	char *xml;

	(void)state;
	f.has_mode = f.has_mtime = true;
	f.mode = 0100644;
	f.mtime_ns = -1;
	xml = build(&fdt);
	assert_non_null(strstr(xml, " pw:Mode=\"0644\" pw:MTime=\"-1\"/>"));
	free(xml);
}

static void assert_same_file(const struct pw_fdt_file *a, const struct pw_fdt_file *b)
{
	assert_string_equal(a->location, b->location);
	assert_true(a->toi == b->toi);
	assert_true(a->content_len == b->content_len);
	assert_true(a->transfer_len == b->transfer_len);
	assert_int_equal(a->symbol_len, b->symbol_len);
	assert_int_equal(a->max_sbl, b->max_sbl);
	assert_int_equal(a->max_n, b->max_n);
	assert_int_equal(a->fec_id, b->fec_id);
	assert_int_equal(a->encoding, b->encoding);
	assert_int_equal(a->has_mode, b->has_mode);
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->has_mtime, b->has_mtime);
	assert_true(a->mtime_ns == b->mtime_ns);
	assert_memory_equal(&a->digest, &b->digest, sizeof(a->digest));
	assert_memory_equal(&a->md5, &b->md5, sizeof(a->md5));
}

static void what_is_written_reads_the_same(void **state)
{
	struct pw_fdt_file files[3] = {
		file("one", 1), file("two/2", UINT32_MAX), file("three", UINT64_MAX)};
	struct pw_fdt in = {.expires_ntp = 3990000000,
		.complete = true,
		.n_session_files = 70000,
		.stripe = {3, 64},
		.files = files,
		.n_files = 3};
	struct pw_fdt out;
	char *xml;
	size_t i;

	(void)state;
	files[0].content_len = files[0].transfer_len = 0;
	files[0].digest.kind = PW_DIGEST_XXH3_128;
	files[0].md5.kind = PW_DIGEST_MD5;
	memcpy(files[0].md5.bytes, md5_bytes, 16);
	files[1].content_len = files[1].transfer_len = (1ull << 48) - 1;
	files[1].digest.kind = PW_DIGEST_SHA256;
	memset(files[1].digest.bytes, 0xa5, 32);
	files[2].symbol_len = 65535;
	files[2].max_sbl = 65536;
	files[1].fec_id = 5;
	files[1].max_n = 210;
	files[2].fec_id = 5;
	files[0].has_mode = files[2].has_mode = true;
	files[0].mode = 0750;
	files[0].has_mtime = files[1].has_mtime = true;
	files[0].mtime_ns = INT64_MIN;
	files[1].mtime_ns = 1700000000123456789;
	files[2].encoding = PW_ENCODING_DEFLATE;
	files[2].transfer_len = 4000;
	xml = build(&in);
	out = parse(xml);
	assert_true(out.expires_ntp == in.expires_ntp);
	assert_true(out.complete);
	assert_int_equal(out.n_session_files, 70000);
	assert_int_equal(out.stripe.index, 3);
	assert_int_equal(out.stripe.count, 64);
	assert_int_equal(out.n_files, 3);
	assert_int_equal(out.n_faults, 0);
	for (i = 0; i < 3; i++) {
		assert_same_file(&out.files[i], &files[i]);
		assert_true(out.files[i].has_len && out.files[i].has_content_len);
		assert_true(out.files[i].has_oti);
	}
	pw_fdt_finish(&out);
	assert_null(out.files);
	pw_fdt_finish(&out);
	free(xml);
}

static void a_table_may_be_empty(void **state)
{
	struct pw_fdt in = {.expires_ntp = 1}, out;
	char *xml = build(&in);

	(void)state;
	out = parse(xml);
	assert_int_equal(out.n_files, 0);
	assert_false(out.complete);
	pw_fdt_finish(&out);
	free(xml);
}

static void names_become_uris(void **state)
{
	static const struct {
		const char *name, *uri;
	} cases[] = {
		{"plain-file_1.2~x", "plain-file_1.2~x"},
		{"dir/sub/file", "dir/sub/file"},
		{"a b", "a%20b"},
		{"100%", "100%25"},
		{"%41", "%2541"},
		{"what?#frag", "what%3F%23frag"},
		{"c:drive", "c%3Adrive"},
		{"file:///x", "file%3A///x"},
		{"http:/x", "http%3A/x"},
		{"a://b", "a%3A//b"},
		{".", "%2E"},
		{"./a/./.b/./..", "%2E/a/%2E/.b/%2E/.."},
		{"/./", "/%2E/"},
		{" x ", "%20x%20"},
		{"tab\tnew\nline\x7f", "tab%09new%0Aline%7F"},
		{"caf\xc3\xa9", "caf%C3%A9"},
		{"\xff\xfe not utf-8 \x80", "%FF%FE%20not%20utf-8%20%80"},
		{"<&\"'>", "%3C&amp;%22'%3E"},
		{"[x]{y}|\\^`", "%5Bx%5D%7By%7D%7C%5C%5E%60"},
		{"a=1;b,c+d@e!f$g(h)*", "a=1;b,c+d@e!f$g(h)*"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(cases); i++) {
		struct pw_fdt_file f = file(cases[i].name, 1);
		struct pw_fdt in = {.files = &f, .n_files = 1}, out;
		char want[200], *xml = build(&in);

		strcpy(want, "Content-Location=\"");
		strcat(strcat(want, cases[i].uri), "\"");
		if (!strstr(xml, want))
			fail_msg("%s not in %s", want, xml);
		out = parse(xml);
		assert_string_equal(out.files[0].location, cases[i].name);
		pw_fdt_finish(&out);
		free(xml);
	}
}

static void every_byte_survives_in_a_name(void **state)
{
	char name[256];
	struct pw_fdt_file f = file(name, 1);
	struct pw_fdt in = {.files = &f, .n_files = 1}, out;
	char *xml;
	int i;

	(void)state;
	for (i = 0; i < 255; i++)
		name[i] = (char)(i + 1);
	name[255] = '\0';
	xml = build(&in);
	out = parse(xml);
	assert_string_equal(out.files[0].location, name);
	pw_fdt_finish(&out);
	free(xml);
}

static void names_have_a_longest_length(void **state)
{
	char name[PW_NAME_MAX + 2];
	struct pw_fdt_file f = file(name, 1);
	struct pw_fdt in = {.files = &f, .n_files = 1}, out;
	struct pw_err err = {0};
	char *xml;
	size_t len;

	(void)state;
	memset(name, '\xff', sizeof(name));
	name[PW_NAME_MAX] = '\0';
	xml = build(&in); /* three bytes a byte */
	out = parse(xml);
	assert_string_equal(out.files[0].location, name);
	pw_fdt_finish(&out);
	free(xml);
	name[PW_NAME_MAX] = 'x';
	name[PW_NAME_MAX + 1] = '\0';
	assert_int_equal(pw_fdt_build(&in, &xml, &len, &err), -ENAMETOOLONG);
	assert_null(xml);
	name[0] = '\0';
	assert_int_equal(pw_fdt_build(&in, &xml, &len, &err), -ENAMETOOLONG);
}

static void locations_of_other_senders_are_decoded(void **state)
{
	static const struct {
		const char *uri, *name;
	} cases[] = {
		{"file:///var/x", "var/x"},
		{"/etc/x", "/etc/x"}, /* made safe by the receiver, not here */
		{"http://h/x%2Fy", "x/y"},
		{"%41%zz%4", "A%zz%4"}, /* a '%' that starts no pair is itself */
		{"a&amp;b&#x20;c&lt;", "a&b c<"},
		{"%2e%2E/x", "../x"},
		{"\xc3\xa9", "\xc3\xa9"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(cases); i++) {
		char xml[300];
		struct pw_fdt fdt;

		snprintf(xml, sizeof(xml),
			"<FDT-Instance Expires=\"1\"><File TOI=\"1\" Content-Length=\"1\" "
			"Content-Location=\"%s\"/></FDT-Instance>",
			cases[i].uri);
		fdt = parse(xml);
		assert_string_equal(fdt.files[0].location, cases[i].name);
		pw_fdt_finish(&fdt);
	}
}

#define FILE_OF(prefix) "<" prefix "File Content-Location=\"x\" TOI=\"7\" Content-Length=\"1\"/>"

static void any_of_the_namespaces_is_taken(void **state)
{
	static const char *const good[] = {
		"<FDT-Instance Expires=\"1\">" FILE_OF("") "</FDT-Instance>",
		"<FDT-Instance xmlns=\"urn:ietf:params:xml:ns:fdt\" Expires=\"1\">" FILE_OF(
			"") "</FDT-Instance>",
		"<FDT-Instance xmlns=\"urn:IETF:metadata:2005:FLUTE:FDT\" Expires=\"1\">" FILE_OF(
			"") "</FDT-Instance>",
		"<f:FDT-Instance xmlns:f=\"http://www.example.com/flute\" Expires=\"1\">" FILE_OF(
			"f:") "</f:FDT-Instance>",
	};
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(good); i++) {
		struct pw_fdt fdt = parse(good[i]);

		assert_int_equal(fdt.n_files, 1);
		assert_int_equal(fdt.files[0].toi, 7);
		pw_fdt_finish(&fdt);
	}
}

static void what_is_unknown_is_passed_over(void **state)
{
	struct pw_fdt fdt = parse(
		"<?xml version='1.0' encoding='UTF-8'?><!-- made by hand --><?pi?>\n"
		"<FDT-Instance xmlns='urn:ietf:params:xml:ns:fdt' xmlns:m='urn:m' Expires='1' "
		"m:TOI='9' Shape='round'>"
		"<Group>text</Group>"
		"<m:File Content-Location='not-this' TOI='1' Content-Length='1'/>"
		"<Wrap><File Content-Location='nor-this' TOI='2' Content-Length='1'/></Wrap>"
		"<File Content-Location='this' TOI='3' m:TOI='4' Content-Length='1' "
		"Content-Type='a/b'"
		" m:Content-Length='77'><m:Cache-Control><m:no-cache/></m:Cache-Control></File>"
		"<![CDATA[more]]></FDT-Instance>\n");

	(void)state;
	assert_int_equal(fdt.n_files, 1);
	assert_string_equal(fdt.files[0].location, "this");
	assert_int_equal(fdt.files[0].toi, 3);
	assert_int_equal(fdt.files[0].content_len, 1);
	pw_fdt_finish(&fdt);
}

static void oti_is_inherited_from_the_instance(void **state)
{
	struct pw_fdt fdt = parse("<FDT-Instance Expires='1' FEC-OTI-FEC-Encoding-ID='0' "
				  "FEC-OTI-Maximum-Source-Block-Length='64' "
				  "FEC-OTI-Encoding-Symbol-Length='1400'>"
				  "<File Content-Location='a' TOI='1' Content-Length='1'/>"
				  "<File Content-Location='b' TOI='2' Content-Length='1' "
				  "FEC-OTI-FEC-Encoding-ID='6' "
				  "FEC-OTI-Encoding-Symbol-Length='1000'/>"
				  "<File Content-Location='c' TOI='3' Content-Length='1'/>"
				  "</FDT-Instance>");

	(void)state;
	assert_int_equal(fdt.n_files, 3);
	assert_int_equal(fdt.files[0].fec_id, 0);
	assert_int_equal(fdt.files[0].max_sbl, 64);
	assert_int_equal(fdt.files[0].symbol_len, 1400);
	assert_int_equal(fdt.files[1].fec_id, 6);
	assert_int_equal(fdt.files[1].max_sbl, 64);
	assert_int_equal(fdt.files[1].symbol_len, 1000);
	assert_int_equal(fdt.files[2].fec_id, 0);
	assert_int_equal(fdt.files[2].symbol_len, 1400);
	pw_fdt_finish(&fdt);
}

static void one_length_stands_for_both(void **state)
{
	struct pw_fdt fdt = parse("<FDT-Instance Expires='1'>"
				  "<File Content-Location='a' TOI='1' Content-Length='5'/>"
				  "<File Content-Location='b' TOI='2' Transfer-Length='6'/>"
				  "<File Content-Location='c' TOI='3' Content-Length='9' "
				  "Transfer-Length='7' Content-Encoding='gzip'/>"
				  "<File Content-Location='d' TOI='4' Transfer-Length='0' "
				  "Content-Encoding=''/></FDT-Instance>");

	(void)state;
	assert_int_equal(fdt.files[0].transfer_len, 5);
	assert_int_equal(fdt.files[1].content_len, 6);
	assert_int_equal(fdt.files[2].content_len, 9);
	assert_int_equal(fdt.files[2].transfer_len, 7);
	assert_true(fdt.files[0].has_len && fdt.files[0].has_content_len);
	assert_true(fdt.files[1].has_len && fdt.files[1].has_content_len);
	assert_int_equal(fdt.files[0].encoding, PW_ENCODING_IDENTITY);
	assert_int_equal(fdt.files[2].encoding, PW_ENCODING_GZIP);
	assert_int_equal(fdt.files[3].encoding, PW_ENCODING_IDENTITY);
	assert_int_equal(fdt.n_faults, 0);
	pw_fdt_finish(&fdt);
}

/* Ours, else Content-MD5, else none; one that we cannot read is as good as none. */
static void the_best_digest_is_taken(void **state)
{
	static const struct {
		const char *attrs;
		enum pw_digest_kind digest, md5;
	} cases[] = {
		{"", PW_DIGEST_NONE, PW_DIGEST_NONE},
		{"Content-MD5='" MD5_TEXT "'", PW_DIGEST_MD5, PW_DIGEST_MD5},
		{"Content-MD5='" MD5_TEXT "' pw:Digest='md4:00'", PW_DIGEST_MD5, PW_DIGEST_MD5},
		{"Content-MD5='" MD5_TEXT "' pw:Digest='xxh3-128:00112233445566778899aabbccddeeff'",
			PW_DIGEST_XXH3_128, PW_DIGEST_MD5},
		{"Digest='xxh3-128:00112233445566778899aabbccddeeff'", PW_DIGEST_NONE,
			PW_DIGEST_NONE}, /* not in our namespace */
		{"Content-MD5='XUFAKrxLKna5cZ2REBfFk!=='", PW_DIGEST_NONE, PW_DIGEST_NONE},
		{"Content-MD5='XUFAKrxLKna5cZ2REBfFkg'", PW_DIGEST_NONE, PW_DIGEST_NONE},
	};
	static const struct pw_digest none;
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(cases); i++) {
		char xml[400];
		struct pw_fdt fdt;

		snprintf(xml, sizeof(xml),
			"<FDT-Instance Expires='1' xmlns:pw='urn:pagewire:fdt:1'>"
			"<File Content-Location='a' TOI='1' Content-Length='5' %s/></FDT-Instance>",
			cases[i].attrs);
		fdt = parse(xml);
		assert_int_equal(fdt.files[0].digest.kind, cases[i].digest);
		assert_int_equal(fdt.files[0].md5.kind, cases[i].md5);
		if (cases[i].md5)
			assert_memory_equal(fdt.files[0].md5.bytes, md5_bytes, 16);
		else
			assert_memory_equal(&fdt.files[0].md5, &none, sizeof(none));
		pw_fdt_finish(&fdt);
	}
}

static void digests_are_read_and_written(void **state)
{
	static const char *const good[] = {"none", "xxh3-128:00112233445566778899aabbccddeeff",
		"md5:5d41402abc4b2a76b9719d911017c592",
		"sha-256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"};
	static const char *const bad[] = {"", ":", "none:", "xxh3-128",
		"xxh3-128:", "xxh3-128:00112233445566778899aabbccddeef",
		"xxh3-128:00112233445566778899aabbccddeeff0",
		"xxh3-128:0011223344556677g899aabbccddeeff", "xxh3:00", "sha-1:00",
		" md5:5d41402abc4b2a76b9719d911017c592"};
	char buf[PW_DIGEST_TEXT_MAX], cut[6] = "#####";
	struct pw_digest d;
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(good); i++) {
		assert_true(pw_digest_parse(good[i], &d));
		assert_string_equal(pw_digest_format(buf, sizeof(buf), &d), good[i]);
		assert_int_equal(
			strncmp(good[i], pw_digest_name(d.kind), strlen(pw_digest_name(d.kind))),
			0);
	}
	for (i = 0; i < PW_ARRAY_LEN(bad); i++)
		if (pw_digest_parse(bad[i], &d))
			fail_msg("'%s' was taken", bad[i]);
	assert_true(pw_digest_parse("MD5:5d41402abc4b2a76b9719d911017c592", &d) == false);
	assert_true(pw_digest_parse("md5:5D41402ABC4B2A76B9719D911017C592", &d));
	assert_memory_equal(d.bytes, md5_bytes, 16);
	assert_string_equal(pw_digest_format(cut, 5, &d), "md5:");
	assert_int_equal(pw_digest_len(PW_DIGEST_SHA256), 32);
	assert_int_equal(pw_digest_len(PW_DIGEST_NONE), 0);
}

static void the_way_back_is_written_and_read(void **state)
{
	struct pw_fdt fdt = {.repair_url = (char *)"http://10.0.0.1:8080/0123",
			      .round = 7,
			      .asks = true},
		      back;
	char *xml = build(&fdt);

	(void)state;
	assert_non_null(strstr(
		xml, "pw:Repair=\"http://10.0.0.1:8080/0123\" pw:Round=\"7\" pw:Ask=\"true\""));
	back = parse(xml);
	assert_string_equal(back.repair_url, fdt.repair_url);
	assert_int_equal(back.round, 7);
	assert_true(back.asks);
	pw_fdt_finish(&back);
	free(xml);
	fdt = (struct pw_fdt){0};
	xml = build(&fdt);
	assert_null(strstr(xml, "pw:Repair"));
	assert_null(strstr(xml, "pw:Round"));
	assert_null(strstr(xml, "pw:Ask"));
	back = parse(xml);
	assert_null(back.repair_url);
	assert_false(back.asks);
	pw_fdt_finish(&back);
	free(xml);
}

static void a_way_back_that_cannot_be_read_is_ignored(void **state)
{
	char xml[1024], url[PW_FDT_URL_MAX + 1];
	struct pw_fdt fdt;

	(void)state;
	memset(url, 'x', sizeof(url) - 1);
	url[sizeof(url) - 1] = '\0';
	snprintf(xml, sizeof(xml),
		"<FDT-Instance xmlns:pw=\"" PW_FDT_NS "\" pw:Repair=\"%s\" pw:Round=\"-1\" "
		"pw:Ask=\"maybe\"/>",
		url);
	fdt = parse(xml);
	assert_null(fdt.repair_url);
	assert_int_equal(fdt.round, 0);
	assert_false(fdt.asks);
	pw_fdt_finish(&fdt);
}

static void ntp_counts_from_1900(void **state)
{
	(void)state;
	assert_true(pw_fdt_ntp(0) == 2208988800);
	assert_true(pw_fdt_ntp(1577836800) == 3786825600); /* 2020-01-01 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_as_it_is_written),
		cmocka_unit_test(a_digest_that_comes_later_is_announced),
		cmocka_unit_test(what_need_not_be_said_is_left_out),
		cmocka_unit_test(mode_and_mtime_are_written),
		cmocka_unit_test(what_is_written_reads_the_same),
		cmocka_unit_test(a_table_may_be_empty),
		cmocka_unit_test(names_become_uris),
		cmocka_unit_test(every_byte_survives_in_a_name),
		cmocka_unit_test(names_have_a_longest_length),
		cmocka_unit_test(locations_of_other_senders_are_decoded),
		cmocka_unit_test(any_of_the_namespaces_is_taken),
		cmocka_unit_test(what_is_unknown_is_passed_over),
		cmocka_unit_test(oti_is_inherited_from_the_instance),
		cmocka_unit_test(one_length_stands_for_both),
		cmocka_unit_test(the_best_digest_is_taken),
		cmocka_unit_test(digests_are_read_and_written),
		cmocka_unit_test(the_way_back_is_written_and_read),
		cmocka_unit_test(a_way_back_that_cannot_be_read_is_ignored),
		cmocka_unit_test(ntp_counts_from_1900),
	};

	return cmocka_run_group_tests_name("wire_fdt", tests, NULL, NULL);
}
