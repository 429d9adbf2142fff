/* SPDX-License-Identifier: BSD-3-Clause */
/* What other senders may write into a file table: the rules of docs/wire.md, one by one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/bytes.h"
#include "wire/fdt.h"

#define ROOT     "<FDT-Instance xmlns:pw='urn:pagewire:fdt:1' Expires='1'>"
#define ROOT_END "</FDT-Instance>"

static struct pw_fdt parse(const char *xml)
{
	struct pw_err err = {0};
	struct pw_fdt fdt;

	if (pw_fdt_parse(xml, strlen(xml), &fdt, &err))
		fail_msg("%s: %s", err.msg, xml);
	return fdt;
}

/* An instance with these attributes, and in it a file with those. */
static struct pw_fdt parse_attrs(const char *instance, const char *file)
{
	char xml[1024];

	snprintf(xml, sizeof(xml),
		"<FDT-Instance xmlns:pw='urn:pagewire:fdt:1' Expires='1' %s>"
		"<File Content-Location='a' TOI='1' %s/>" ROOT_END,
		instance, file);
	return parse(xml);
}

static void a_bad_file_spoils_no_other(void **state)
{
	static const struct {
		const char *location;
		uint64_t toi;
		bool good;
	} want[] = {{"good", 1, true}, {"no-toi", 0, false}, {"", 3, false}, {"toi-zero", 0, false},
		{"number", 5, false}, {"", 6, false}, {"differ", 7, false}, {"last", 8, true}};
	struct pw_fdt fdt = parse(ROOT
		"<File Content-Location='good' TOI='1' Content-Length='1'/>"
		"<File Content-Location='no-toi' Content-Length='1'/>"
		"<File TOI='3' Content-Length='1'/>"
		"<File Content-Location='toi-zero' TOI='0' Content-Length='1'/>"
		"<File Content-Location='number' TOI='5' Content-Length='many'/>"
		"<File Content-Location='http://h' TOI='6' Content-Length='1'/>"
		"<File Content-Location='differ' TOI='7' Content-Length='1' Transfer-Length='2'/>"
		"<File Content-Location='last' TOI='8' Content-Length='1'/>" ROOT_END);
	size_t i;

	(void)state;
	assert_int_equal(fdt.n_files, PW_ARRAY_LEN(want));
	assert_int_equal(fdt.n_faults, 6);
	for (i = 0; i < PW_ARRAY_LEN(want); i++) {
		assert_string_equal(fdt.files[i].location, want[i].location);
		assert_true(fdt.files[i].toi == want[i].toi);
		assert_int_equal(fdt.files[i].fault == NULL, want[i].good);
	}
	pw_fdt_finish(&fdt);
}

static void a_bad_number_of_the_instance_faults_who_inherits_it(void **state)
{
	struct pw_fdt fdt = parse("<FDT-Instance Expires='soon' Complete='perhaps' "
				  "FEC-OTI-Encoding-Symbol-Length='65536'>"
				  "<File Content-Location='a' TOI='1' Content-Length='1'/>"
				  "<File Content-Location='b' TOI='2' Content-Length='1' "
				  "FEC-OTI-Encoding-Symbol-Length='1400'/></FDT-Instance>");

	(void)state;
	assert_int_equal(fdt.expires_ntp, 0);
	assert_false(fdt.complete);
	assert_int_equal(fdt.n_faults, 1);
	assert_non_null(fdt.files[0].fault);
	assert_null(fdt.files[1].fault);
	assert_int_equal(fdt.files[1].symbol_len, 1400);
	pw_fdt_finish(&fdt);
}

static void encodings_have_names(void **state)
{
	static const struct {
		const char *text;
		enum pw_encoding encoding;
	} cases[] = {
		{"", PW_ENCODING_IDENTITY},
		{" ", PW_ENCODING_IDENTITY},
		{"identity", PW_ENCODING_IDENTITY},
		{" Identity&#10;", PW_ENCODING_IDENTITY},
		{"gzip", PW_ENCODING_GZIP},
		{"GZIP", PW_ENCODING_GZIP},
		{"x-gzip", PW_ENCODING_GZIP},
		{"deflate", PW_ENCODING_DEFLATE},
		{"zlib", PW_ENCODING_ZLIB},
		{"br", PW_ENCODING_OTHER},
		{"gzip, gzip", PW_ENCODING_OTHER},
		{"gzi", PW_ENCODING_OTHER},
	};
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(cases); i++) {
		struct pw_fdt fdt;
		char attr[100];

		snprintf(attr, sizeof(attr), "Content-Encoding='%s' Content-Length='1'",
			cases[i].text);
		fdt = parse_attrs("", attr);
		if (fdt.files[0].encoding != cases[i].encoding)
			fail_msg("'%s' is %d", cases[i].text, fdt.files[0].encoding);
		assert_null(fdt.files[0].fault);
		pw_fdt_finish(&fdt);
	}
}

static void encoding_is_inherited_from_the_instance(void **state)
{
	struct pw_fdt fdt = parse("<FDT-Instance Expires='1' Content-Encoding='gzip' "
				  "Content-Type='text/plain'>"
				  "<File Content-Location='a' TOI='1' Content-Length='9'/>"
				  "<File Content-Location='b' TOI='2' Content-Length='9' "
				  "Content-Encoding='identity'/>"
				  "<File Content-Location='c' TOI='3' Content-Length='9' "
				  "Transfer-Length='4' Content-Encoding=''/></FDT-Instance>");

	(void)state;
	assert_int_equal(fdt.n_faults, 0);
	assert_int_equal(fdt.files[0].encoding, PW_ENCODING_GZIP);
	assert_false(fdt.files[0].has_len);
	assert_int_equal(fdt.files[1].encoding, PW_ENCODING_IDENTITY);
	assert_true(fdt.files[1].has_len);
	assert_int_equal(fdt.files[2].encoding, PW_ENCODING_GZIP); /* an empty one is ignored */
	assert_int_equal(fdt.files[2].transfer_len, 4);
	pw_fdt_finish(&fdt);
}

static void lengths_are_as_the_encoding_wants(void **state)
{
	static const struct {
		const char *attrs;
		bool has_len, has_content_len, fault;
		uint64_t len, content_len;
	} cases[] = {
		{"", false, false, false, 0, 0},
		{"Content-Length='5'", true, true, false, 5, 5},
		{"Transfer-Length='6'", true, true, false, 6, 6},
		{"Content-Length='6' Transfer-Length='6'", true, true, false, 6, 6},
		{"Content-Length='5' Transfer-Length='6'", true, true, true, 6, 5},
		{"Content-Encoding='gzip'", false, false, false, 0, 0},
		{"Content-Encoding='gzip' Content-Length='5'", false, true, false, 0, 5},
		{"Content-Encoding='gzip' Transfer-Length='6'", true, false, false, 6, 0},
		{"Content-Encoding='br' Content-Length='5' Transfer-Length='6'", true, true, false,
			6, 5},
		{"Content-Encoding=' IDENTITY ' Content-Length='5'", true, true, false, 5, 5},
	};
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(cases); i++) {
		struct pw_fdt fdt = parse_attrs("", cases[i].attrs);
		const struct pw_fdt_file *f = &fdt.files[0];

		if (f->has_len != cases[i].has_len || f->transfer_len != cases[i].len ||
			f->has_content_len != cases[i].has_content_len ||
			f->content_len != cases[i].content_len ||
			(f->fault != NULL) != cases[i].fault)
			fail_msg("%s", cases[i].attrs);
		pw_fdt_finish(&fdt);
	}
}

static void fec_oti_may_be_absent(void **state)
{
	struct pw_fdt fdt = parse_attrs("", "Content-Length='5'");

	(void)state;
	assert_false(fdt.files[0].has_oti);
	assert_null(fdt.files[0].fault);
	pw_fdt_finish(&fdt);
	fdt = parse_attrs(
		"FEC-OTI-Maximum-Source-Block-Length='64'", "FEC-OTI-FEC-Encoding-ID='6'");
	assert_false(fdt.files[0].has_oti);
	assert_int_equal(fdt.files[0].fec_id, 6);
	pw_fdt_finish(&fdt);
	fdt = parse_attrs("FEC-OTI-Maximum-Source-Block-Length='64' FEC-OTI-FEC-Instance-ID='0' "
			  "FEC-OTI-Max-Number-of-Encoding-Symbols='64' "
			  "FEC-OTI-Scheme-Specific-Info='AAAA'",
		"FEC-OTI-Encoding-Symbol-Length='1400'");
	assert_true(fdt.files[0].has_oti);
	assert_int_equal(fdt.files[0].max_sbl, 64);
	assert_int_equal(fdt.files[0].symbol_len, 1400);
	assert_int_equal(fdt.files[0].fec_id, 0);
	pw_fdt_finish(&fdt);
}

static void white_space_around_values_does_not_count(void **state)
{
	struct pw_fdt fdt =
		parse("<FDT-Instance xmlns:pw='urn:pagewire:fdt:1' Expires=' +3990000000 ' "
		      "Complete=' true ' pw:Files='\n7\t' FEC-OTI-FEC-Encoding-ID=' 0 ' "
		      "FEC-OTI-Maximum-Source-Block-Length='&#9;+64' "
		      "FEC-OTI-Encoding-Symbol-Length='&#13;&#10;0001400'>"
		      "<File Content-Location='\n\ta b \n' Content-Length=' "
		      "+000000000000000000000000005 '"
		      " TOI='000000000000000000000000000000000000000000009' "
		      "Content-MD5=' XUFAKrxLKna5cZ2REBfFkg== ' "
		      "pw:Digest=' xxh3-128:00112233445566778899aabbccddeeff ' pw:Mode=' 0644 ' "
		      "pw:MTime=' -5 '/></FDT-Instance>");
	const struct pw_fdt_file *f = &fdt.files[0];

	(void)state;
	assert_true(fdt.expires_ntp == 3990000000);
	assert_true(fdt.complete);
	assert_int_equal(fdt.n_session_files, 7);
	assert_null(f->fault);
	assert_string_equal(f->location, "a b");
	assert_true(f->toi == 9 && f->content_len == 5);
	assert_true(f->has_oti && f->max_sbl == 64 && f->symbol_len == 1400);
	assert_int_equal(f->md5.kind, PW_DIGEST_MD5);
	assert_int_equal(f->digest.kind, PW_DIGEST_XXH3_128);
	assert_true(f->has_mode && f->mode == 0644);
	assert_true(f->has_mtime && f->mtime_ns == -5);
	pw_fdt_finish(&fdt);
}

static void mode_is_octal_and_masked(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uint32_t mode;
	} cases[] = {{"644", true, 0644}, {"0", true, 0}, {"0000755", true, 0755},
		{"4755", true, 0755}, {"100644", true, 0644}, {"37777777777", true, 0777},
		{"40000000000", false, 0}, {"", false, 0}, {"648", false, 0}, {"-1", false, 0},
		{"rw-r--r--", false, 0}, {"0o644", false, 0}};
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(cases); i++) {
		struct pw_fdt fdt;
		char attr[64];

		snprintf(attr, sizeof(attr), "pw:Mode='%s'", cases[i].text);
		fdt = parse_attrs("", attr);
		assert_null(fdt.files[0].fault); /* as good as absent, when it cannot be read */
		assert_int_equal(fdt.files[0].has_mode, cases[i].good);
		assert_int_equal(fdt.files[0].mode, cases[i].mode);
		pw_fdt_finish(&fdt);
	}
}

static void mode_and_mtime_are_those_of_our_namespace(void **state)
{
	struct pw_fdt fdt = parse_attrs("pw:Mode='644'", "Mode='644' MTime='1'");

	(void)state;
	assert_false(fdt.files[0].has_mode);
	assert_false(fdt.files[0].has_mtime);
	pw_fdt_finish(&fdt);
}

static void mtime_is_decimal_and_signed(void **state)
{
	static const struct {
		const char *text;
		bool good;
		int64_t ns;
	} cases[] = {{"0", true, 0}, {"-0", true, 0}, {"+1", true, 1}, {"-1", true, -1},
		{"9223372036854775807", true, INT64_MAX}, {"9223372036854775808", false, 0},
		{"-9223372036854775808", true, INT64_MIN}, {"-9223372036854775809", false, 0},
		{"", false, 0}, {"-", false, 0}, {"--1", false, 0}, {"1.5", false, 0}};
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(cases); i++) {
		struct pw_fdt fdt;
		char attr[64];

		snprintf(attr, sizeof(attr), "pw:MTime='%s'", cases[i].text);
		fdt = parse_attrs("", attr);
		assert_null(fdt.files[0].fault);
		assert_int_equal(fdt.files[0].has_mtime, cases[i].good);
		assert_true(fdt.files[0].mtime_ns == cases[i].ns);
		pw_fdt_finish(&fdt);
	}
}

static void a_location_maps_to_a_name(void **state)
{
	static const struct {
		const char *uri, *name;
	} cases[] = {
		{"a/b.bin", "a/b.bin"},
		{"file:///c.bin", "c.bin"},
		{"FILE://localhost/d/c.bin", "d/c.bin"},
		{"file:////etc/x", "etc/x"},
		{"http://example.com/v/s1.m4s", "v/s1.m4s"},
		{"http://u:p@[2001:db8::1]:80/v", "v"},
		{"http://h/s.mpd?a=1&b=2#t=5", "s.mpd?a=1&b=2"},
		{"http://h?q", "?q"},
		{"http://h/a?u=x/./y", "a?u=x/./y"},
		{"http://h/%2e/x", "./x"}, /* the receiver refuses it */
		{"http://h/%2Fetc", "/etc"},
		{"http://h/.//x", "x"},
		{"a+b-c.1://h/x", "x"},
		{"http://h/http://g/x", "http://g/x"},
		{"http%3A//h/x", "http://h/x"},
		{"1http://h/x", "1http://h/x"},
		{"h_p://h/x", "h_p://h/x"},
		{"a/http://h/x", "a/http://h/x"},
		{"urn:a:b", "urn:a:b"},
		{"file:/x", "file:/x"},
		{"./b.bin", "b.bin"},
		{"./././b", "b"},
		{"a/./b/.", "a/b/"},
		{".hidden/..x/...", ".hidden/..x/..."},
		{"../x", "../x"},
		{"http://h/a/../x", "a/../x"},
		{"/a/b", "/a/b"},
		{".//a", "/a"},
		{"//h/x", "//h/x"},
		{"a#b?c", "a#b?c"}, /* not a URI with a scheme: stays */
		{"a://b/", NULL},
		{"http://h", NULL},
		{"http://h/#f", NULL},
		{"http://h/./", NULL},
		{"", NULL},
		{".", NULL},
		{"./", NULL},
	};
	char *path;
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(cases); i++) {
		int r = pw_fdt_location(cases[i].uri, &path);

		if (r != (cases[i].name ? 0 : -ENOENT))
			fail_msg("%d: %s", r, cases[i].uri);
		if (cases[i].name)
			assert_string_equal(path, cases[i].name);
		else
			assert_null(path);
		free(path);
	}
	assert_int_equal(pw_fdt_location("a%00", &path), -EBADMSG);
	assert_null(path);
}

static void the_limit_is_on_the_name_not_on_the_uri(void **state)
{
	char uri[3 * PW_NAME_MAX], *path;
	size_t i, n = strlen("http://h/");

	(void)state;
	strcpy(uri, "http://h/");
	for (i = 0; i < PW_NAME_MAX; i++)
		uri[n + i] = 'x';
	uri[n + i] = '\0';
	assert_int_equal(pw_fdt_location(uri, &path), 0);
	assert_int_equal(strlen(path), PW_NAME_MAX);
	free(path);
	strcpy(uri + n + i, "#fragment");
	assert_int_equal(pw_fdt_location(uri, &path), 0);
	free(path);
	strcpy(uri + n + i, "x");
	assert_int_equal(pw_fdt_location(uri, &path), -EFBIG);
	assert_null(path);
}

/* The shape of TS 26.346's tables, release 12: other namespaces, child elements, text, a BOM. */
static void a_3gpp_table_is_read(void **state)
{
	struct pw_fdt fdt =
		parse("\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n"
		      "<?xml-stylesheet href=\"a.xsl\" alt=\"<none>\"?>\n"
		      "<!-- a <File Content-Location='not-this' TOI='1'/> that is gone -->\n"
		      "<fdt:FDT-Instance xmlns:fdt=\"urn:IETF:metadata:2005:FLUTE:FDT\"\n"
		      "  xmlns:mbms2007=\"urn:3GPP:metadata:2007:MBMS:FLUTE:FDT\"\n"
		      "  xmlns:mbms2008=\"urn:3GPP:metadata:2008:MBMS:FLUTE:FDT_ext\"\n"
		      "  xmlns:mbms2012=\"urn:3GPP:metadata:2012:MBMS:FLUTE:FDT\"\n"
		      "  xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"\n"
		      "  xsi:schemaLocation=\"urn:IETF:metadata:2005:FLUTE:FDT a.xsd\"\n"
		      "  Expires=\"3990000000\" mbms2008:FullFDT=\"true\"\n"
		      "  FEC-OTI-FEC-Encoding-ID=\"0\" FEC-OTI-Maximum-Source-Block-Length=\"64\"\n"
		      "  FEC-OTI-Encoding-Symbol-Length=\"1400\">\n"
		      "  <fdt:File Content-Location=\"http://example.com/v/s1.m4s\" TOI=\"5\"\n"
		      "    Content-Length=\"10\" Content-Type=\"video/mp4\"\n"
		      "    mbms2012:FEC-Redundancy-Level=\"10\">\n"
		      "    <mbms2007:Cache-Control>\n"
		      "      <mbms2007:Expires>3990000000</mbms2007:Expires>\n"
		      "    </mbms2007:Cache-Control>\n"
		      "    <!-- inside --> <?pi?> <![CDATA[<File TOI='2'/>]]>\n"
		      "    <fdt:Group>g1</fdt:Group>\n"
		      "  </fdt:File>\n"
		      "  <mbms2012:Base-URL-1>http://example.com/</mbms2012:Base-URL-1>\n"
		      "  <mbms2007:schemaVersion>1</mbms2007:schemaVersion>\n"
		      "</fdt:FDT-Instance>\n<!-- end -->\n");

	(void)state;
	assert_int_equal(fdt.n_files, 1);
	assert_null(fdt.files[0].fault);
	assert_string_equal(fdt.files[0].location, "v/s1.m4s");
	assert_int_equal(fdt.files[0].toi, 5);
	assert_true(fdt.files[0].has_len && fdt.files[0].has_oti);
	assert_int_equal(fdt.files[0].max_sbl, 64);
	assert_true(fdt.expires_ntp == 3990000000);
	pw_fdt_finish(&fdt);
}

#define TEXT "<FDT-Instance Expires='1'/> and again: <FDT-Instance Expires='1'/>"

/* windowBits as zlib's: 15 zlib, 31 gzip, -15 raw */
static size_t pack(int bits, const void *in, size_t len, uint8_t *out, size_t room)
{
	z_stream z = {0};

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, bits, 9, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)in;
	z.avail_in = (uInt)len;
	z.next_out = out;
	z.avail_out = (uInt)room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return room - z.avail_out;
}

/* Of a copy on the heap, exactly as long as it is */
static int decode(enum pw_encoding e, const void *data, size_t len, const char *want)
{
	uint8_t *copy = test_malloc(len ? len : 1);
	struct pw_err err = {0};
	size_t out_len = 99;
	void *out;
	int r;

	memcpy(copy, data, len);
	r = pw_fdt_decode(e, copy, len, &out, &out_len, &err);
	test_free(copy);
	if (r) {
		assert_null(out);
		assert_int_equal(out_len, 0);
		assert_int_equal(err.code, -r);
		assert_int_equal(strncmp(err.msg, "cannot unpack the file table: ", 30), 0);
	} else {
		assert_int_equal(out_len, strlen(want));
		assert_memory_equal(out, want, out_len);
	}
	free(out);
	return r;
}

static void packed_tables_are_unpacked(void **state)
{
	static const struct {
		enum pw_encoding encoding;
		int bits;
		int expected;
	} cases[] = {{PW_ENCODING_ZLIB, 15, 0}, {PW_ENCODING_DEFLATE, 15, 0},
		{PW_ENCODING_DEFLATE, -15, 0}, {PW_ENCODING_GZIP, 31, 0},
		{PW_ENCODING_ZLIB, -15, -EBADMSG}, {PW_ENCODING_ZLIB, 31, -EBADMSG},
		{PW_ENCODING_GZIP, 15, -EBADMSG}, {PW_ENCODING_DEFLATE, 31, -EBADMSG},
		{PW_ENCODING_OTHER, 31, -ENOTSUP}};
	uint8_t data[256];
	size_t i, n, len;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(cases); i++) {
		len = pack(cases[i].bits, TEXT, strlen(TEXT), data, sizeof(data) - 1);
		assert_int_equal(decode(cases[i].encoding, data, len, TEXT), cases[i].expected);
		if (cases[i].expected)
			continue;
		data[len] = 0; /* one byte too many */
		assert_int_equal(decode(cases[i].encoding, data, len + 1, TEXT), -EBADMSG);
		for (n = 0; n < len; n++)
			assert_int_equal(decode(cases[i].encoding, data, n, TEXT), -EBADMSG);
		if (cases[i].bits > 0) { /* the checksum */
			data[len - 6] ^= 1;
			assert_int_equal(decode(cases[i].encoding, data, len, TEXT), -EBADMSG);
		}
		len = pack(cases[i].bits, "", 0, data, sizeof(data));
		assert_int_equal(decode(cases[i].encoding, data, len, ""), 0);
	}
	assert_int_equal(decode(PW_ENCODING_IDENTITY, TEXT, strlen(TEXT), TEXT), 0);
	assert_int_equal(decode(PW_ENCODING_IDENTITY, "", 0, ""), 0);
}

static void gzip_members_may_follow_each_other(void **state)
{
	uint8_t data[256];
	size_t len = pack(31, "one ", 4, data, sizeof(data));

	(void)state;
	len += pack(31, "two", 3, data + len, sizeof(data) - len);
	assert_int_equal(decode(PW_ENCODING_GZIP, data, len, "one two"), 0);
	assert_int_equal(decode(PW_ENCODING_GZIP, data, len - 1, ""), -EBADMSG);
}

/* n bytes that are 1 every now and then, else 0: without a 1 they pack to less than a thousandth. */
static int decode_zeros(size_t n, size_t every)
{
	uint8_t *bytes = test_calloc(1, n), *data = test_malloc(n / 50 + 100);
	size_t i, len, out_len;
	void *out;
	int r;

	for (i = every; every && i < n; i += every + i % 7)
		bytes[i] = 1;
	len = pack(15, bytes, n, data, n / 50 + 100);
	r = pw_fdt_decode(PW_ENCODING_ZLIB, data, len, &out, &out_len, NULL);
	if (r == 0) {
		assert_int_equal(out_len, n);
		assert_memory_equal(out, bytes, n);
	}
	free(out);
	test_free(bytes);
	test_free(data);
	return r;
}

static void unpacking_has_bounds(void **state)
{
	static uint8_t big[PW_FDT_MAX_BYTES + 1];
	size_t out_len;
	void *out;

	(void)state;
	assert_int_equal(decode_zeros(PW_FDT_MIN_BOUND, 0), 0); /* whatever its ratio */
	assert_int_equal(decode_zeros(8u << 20, 0), -EFBIG);
	assert_int_equal(decode_zeros(PW_FDT_MAX_BYTES, 5000), 0);
	assert_int_equal(decode_zeros(PW_FDT_MAX_BYTES + 1, 5000), -EFBIG);
	assert_int_equal(
		pw_fdt_decode(PW_ENCODING_IDENTITY, big, PW_FDT_MAX_BYTES, &out, &out_len, NULL),
		0);
	free(out);
	assert_int_equal(pw_fdt_decode(PW_ENCODING_IDENTITY, big, PW_FDT_MAX_BYTES + 1, &out,
				 &out_len, NULL),
		-EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bad_file_spoils_no_other),
		cmocka_unit_test(a_bad_number_of_the_instance_faults_who_inherits_it),
		cmocka_unit_test(encodings_have_names),
		cmocka_unit_test(encoding_is_inherited_from_the_instance),
		cmocka_unit_test(lengths_are_as_the_encoding_wants),
		cmocka_unit_test(fec_oti_may_be_absent),
		cmocka_unit_test(white_space_around_values_does_not_count),
		cmocka_unit_test(mode_is_octal_and_masked),
		cmocka_unit_test(mode_and_mtime_are_those_of_our_namespace),
		cmocka_unit_test(mtime_is_decimal_and_signed),
		cmocka_unit_test(a_location_maps_to_a_name),
		cmocka_unit_test(the_limit_is_on_the_name_not_on_the_uri),
		cmocka_unit_test(a_3gpp_table_is_read),
		cmocka_unit_test(packed_tables_are_unpacked),
		cmocka_unit_test(gzip_members_may_follow_each_other),
		cmocka_unit_test(unpacking_has_bounds),
	};

	return cmocka_run_group_tests_name("wire_fdt_rules", tests, NULL, NULL);
}
