/* SPDX-License-Identifier: BSD-3-Clause */
/* File tables that lie, explode or never end. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "wire/fdt.h"
#include "wire/fdt_scan.h"

#define ROOT     "<FDT-Instance Expires=\"1\">"
#define ROOT_END "</FDT-Instance>"
#define GOOD     "<File Content-Location=\"a\" TOI=\"1\" Content-Length=\"1\"/>"

/* Of a copy on the heap, exactly as long as it is */
static int parse_bytes(const void *xml, size_t len)
{
	char *copy = test_malloc(len ? len : 1);
	struct pw_err err = {0};
	struct pw_fdt fdt;
	int r;

	memcpy(copy, xml, len);
	r = pw_fdt_parse(copy, len, &fdt, &err);
	test_free(copy);
	if (r) {
		assert_int_equal(err.code, -r);
		assert_int_equal(strncmp(err.msg, "cannot read the file table: ", 28), 0);
		assert_null(fdt.files);
		assert_int_equal(fdt.n_files, 0);
	}
	pw_fdt_finish(&fdt);
	return r;
}

static int parse(const char *xml)
{
	return parse_bytes(xml, strlen(xml));
}

static void assert_each(const char *const *xml, size_t n, int expected)
{
	size_t i;
	int r;

	for (i = 0; i < n; i++) {
		r = parse(xml[i]);
		if (r != expected)
			fail_msg("%d, not %d: %s", r, expected, xml[i]);
	}
}

static void what_is_no_fdt_is_refused(void **state)
{
	static const char *const bad[] = {"", " ", "text", "<", "<a", "<>", "</a>", "<a/>",
		"<FDT-Instance>", ROOT, ROOT GOOD, ROOT GOOD "</File>", ROOT_END,
		"<Other Expires=\"1\">" GOOD "</Other>", ROOT ROOT_END ROOT ROOT_END,
		ROOT "&undeclared;" ROOT_END, ROOT "<File a=b/>" ROOT_END,
		ROOT "<File a=\"1\" a=\"2\"/>" ROOT_END, ROOT "<File a=\"<\"/>" ROOT_END,
		ROOT "<!-- <File/> " ROOT_END, ROOT "<!-- -- -->" ROOT_END, ROOT "\x01" ROOT_END,
		ROOT "\xff" ROOT_END};

	(void)state;
	assert_each(bad, PW_ARRAY_LEN(bad), -EBADMSG);
	assert_int_equal(parse(ROOT GOOD ROOT_END), 0);
}

#define WITH(attrs) ROOT "<File " attrs "/>" ROOT_END

/* The table is taken, its only file is not. */
static void assert_fault(const char *xml)
{
	struct pw_err err = {0};
	struct pw_fdt fdt;

	if (pw_fdt_parse(xml, strlen(xml), &fdt, &err))
		fail_msg("%s: %s", err.msg, xml);
	assert_int_equal(fdt.n_files, 1);
	if (fdt.n_faults != 1 || !fdt.files[0].fault)
		fail_msg("no fault: %s", xml);
	assert_non_null(fdt.files[0].location);
	pw_fdt_finish(&fdt);
}

static void files_that_lack_or_lie_have_a_fault(void **state)
{
	static const char *const bad[] = {
		WITH(""),
		WITH("TOI='1' Content-Length='1'"),
		WITH("TOI='1' Content-Length='1' Content-Location=''"),
		WITH("TOI='1' Content-Length='1' Content-Location='&#9; '"),
		WITH("TOI='1' Content-Length='1' Content-Location='file:///'"),
		WITH("TOI='1' Content-Length='1' Content-Location='a%00b'"),
		WITH("Content-Location='a' Content-Length='1'"),
		WITH("Content-Location='a' Content-Length='1' TOI='0'"),
		WITH("Content-Location='a' Content-Length='1' TOI='-1'"),
		WITH("Content-Location='a' Content-Length='1' TOI='1x'"),
		WITH("Content-Location='a' Content-Length='1' TOI='1 2'"),
		WITH("Content-Location='a' Content-Length='1' TOI='+'"),
		WITH("Content-Location='a' Content-Length='1' TOI='++1'"),
		WITH("Content-Location='a' Content-Length='1' TOI='+ 1'"),
		WITH("Content-Location='a' Content-Length='1' TOI='0x1'"),
		WITH("Content-Location='a' Content-Length='1' TOI=''"),
		WITH("Content-Location='a' Content-Length='1' TOI='18446744073709551616'"),
		WITH("Content-Location='a' Content-Length='' TOI='1'"),
		WITH("Content-Location='a' TOI='1' Content-Length='281474976710656'"),
		WITH("Content-Location='a' TOI='1' Transfer-Length='281474976710656'"),
		WITH("Content-Location='a' TOI='1' Content-Length='5' Transfer-Length='6'"),
		WITH("Content-Location='a' TOI='1' Content-Length='1' "
		     "FEC-OTI-Encoding-Symbol-Length='65536'"),
		WITH("Content-Location='a' TOI='1' Content-Length='1' "
		     "FEC-OTI-Maximum-Source-Block-Length='4294967296'"),
		WITH("Content-Location='a' TOI='1' Content-Length='1' "
		     "FEC-OTI-FEC-Encoding-ID='256'"),
	};
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(bad); i++)
		assert_fault(bad[i]);
}

static void names_beyond_the_limit_are_faults(void **state)
{
	static char xml[4 * PW_NAME_MAX];
	char name[3 * PW_NAME_MAX + 4];
	static const char form[] = WITH("TOI='1' Content-Length='1' Content-Location='%s'");
	struct pw_fdt fdt;

	(void)state;
	memset(name, 'n', sizeof(name));
	name[PW_NAME_MAX] = '\0';
	snprintf(xml, sizeof(xml), form, name);
	assert_int_equal(pw_fdt_parse(xml, strlen(xml), &fdt, NULL), 0);
	assert_null(fdt.files[0].fault);
	pw_fdt_finish(&fdt);
	name[PW_NAME_MAX] = 'n';
	name[PW_NAME_MAX + 1] = '\0';
	snprintf(xml, sizeof(xml), form, name);
	assert_fault(xml);
	name[PW_NAME_MAX + 1] = 'n';
	name[3 * PW_NAME_MAX + 1] = '\0';
	snprintf(xml, sizeof(xml), form, name);
	assert_fault(xml);
}

static void documents_with_entities_are_refused(void **state)
{
	static const char *const bad[] = {
		"<!DOCTYPE FDT-Instance>" ROOT GOOD ROOT_END,
		"<?xml version='1.0'?>\n<!DOCTYPE a SYSTEM 'http://127.0.0.1/x.dtd'>" ROOT ROOT_END,
		"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" ROOT "&x;" ROOT_END,
		"<!DOCTYPE a [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]>" ROOT "&b;" ROOT_END,
		"<!DOCTYPE a [<!ATTLIST File TOI CDATA '1'>]>" ROOT ROOT_END,
		"<!ENTITY a 'b'>" ROOT ROOT_END,
		ROOT "<!DOCTYPE a>" ROOT_END,
	};

	(void)state;
	assert_each(bad, PW_ARRAY_LEN(bad), -EBADMSG);
	/* the word alone does no harm */
	assert_int_equal(parse("<!-- no !DOCTYPE here -->" ROOT GOOD ROOT_END), 0);
}

/* A reader of bytes does not recognize a DOCTYPE in another encoding. */
static void other_encodings_are_refused(void **state)
{
	static const char text[] = "<?xml version='1.0' encoding='UTF-16'?>"
				   "<!DOCTYPE a [<!ENTITY x 'y'>]>" ROOT "&x;" ROOT_END;
	char utf16[2 * sizeof(text) + 2] = "\xff\xfe";
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(text) - 1; i++) {
		utf16[2 + 2 * i] = text[i];
		utf16[3 + 2 * i] = '\0';
	}
	assert_int_equal(parse_bytes(utf16, 2 * sizeof(text)), -EBADMSG);
	assert_int_equal(
		parse("<?xml version='1.0' encoding='UTF-7'?>+ADwAIQ-DOCTYPE a+AD4-" ROOT ROOT_END),
		-EBADMSG);
	/* declared, but not so: read as the UTF-8 that it is */
	assert_int_equal(parse("<?xml version='1.0' encoding='UTF-7'?>" ROOT GOOD ROOT_END), 0);
}

struct text {
	char *p;
	size_t len;
	FILE *f;
};

static FILE *text_open(struct text *t)
{
	t->f = open_memstream(&t->p, &t->len);
	assert_non_null(t->f);
	return t->f;
}

/* Whether it is refused or not, it must not take much time or memory. Without the limits, each of these takes
 * libxml2 between a minute and an hour, or half a gigabyte. */
static int parse_bounded(struct text *t)
{
	struct rusage before, after;
	uint64_t start;
	int r;

	fclose(t->f);
	assert_true(t->len <= PW_FDT_MAX_BYTES);
	getrusage(RUSAGE_SELF, &before);
	start = pw_clock_ns();
	r = parse_bytes(t->p, t->len);
	assert_true(pw_clock_ns() - start < 20 * PW_NS_PER_S); /* a second, or a busy machine */
	getrusage(RUSAGE_SELF, &after);
#if !defined(__SANITIZE_ADDRESS__)
	assert_true(after.ru_maxrss - before.ru_maxrss < 128 << 10);
#endif
	free(t->p);
	return r;
}

static void many_attributes_are_refused_at_once(void **state)
{
	struct text t;
	FILE *f = text_open(&t);
	unsigned i;

	(void)state;
	fputs("<FDT-Instance Expires=\"1\"", f);
	for (i = 0; i < 1500000; i++)
		fprintf(f, " a%x=\"\"", i);
	fputs("/>", f);
	assert_int_equal(parse_bounded(&t), -EFBIG);
}

static void many_attributes_hide_nowhere(void **state)
{
	static const char *const before[] = {
		ROOT "<!-- \x01 ", ROOT "<? ", ROOT "<File b=\"", ROOT "<![CDATA[\xff"};
	static const char *const after[] = {" -->", " ?>", "\">", "]]>"};
	static const int expected[] = {-EFBIG, -EFBIG, -EBADMSG, -EFBIG};
	size_t k;
	unsigned i;

	(void)state;
	for (k = 0; k < PW_ARRAY_LEN(before); k++) {
		struct text t;
		FILE *f = text_open(&t);

		fputs(before[k], f);
		fputs("<x", f);
		for (i = 0; i < 1000000; i++)
			fprintf(f, " a%x=''", i);
		fputs("/>", f);
		fputs(after[k], f);
		fputs(ROOT_END, f);
		assert_int_equal(parse_bounded(&t), expected[k]);
	}
}

/* As many hidden bytes as the scan permits, after an error at which libxml2 continues. */
static void what_may_hide_takes_no_time(void **state)
{
	static const char *const before[] = {
		ROOT "<!-- \x01 ", ROOT "<?\x01 ", ROOT "<![CDATA[\xff", "<?xml \x01"};
	static const char *const after[] = {"-->", "?>", "]]>", "?>"};
	size_t k, size;
	unsigned i;

	(void)state;
	for (k = 0; k < PW_ARRAY_LEN(before); k++) {
		struct text t;
		FILE *f = text_open(&t);

		fputs(before[k], f);
		fputs("<x", f);
		for (i = 0, size = 0; size < PW_FDT_MAX_HIDDEN - 20; i++)
			size += (size_t)fprintf(f, " a%x=''", i);
		fputs("/>", f);
		fputs(after[k], f);
		fputs(ROOT_END, f);
		assert_int_equal(parse_bounded(&t), -EBADMSG);
	}
}

static void hidden_bytes_add_up(void **state)
{
	enum { EACH = 100 };
	struct text t;
	unsigned i, over, n = PW_FDT_MAX_HIDDEN / EACH;

	(void)state;
	for (over = 0; over < 2; over++) {
		FILE *f = text_open(&t);

		fputs(ROOT GOOD, f);
		for (i = 0; i < n + over; i++)
			fprintf(f, "<!--<File/>%*s-->", EACH - 7, "");
		for (i = 0; i < 2000; i++)
			fprintf(f, "<!--%*s-->", EACH, ""); /* no '<', no limit */
		fputs(ROOT_END, f);
		assert_int_equal(parse_bounded(&t), over ? -EFBIG : 0);
	}
}

static void a_packed_table_has_a_bound(void **state)
{
	static uint8_t zeros[1 << 16];
	size_t len, n = 0, out_len, room = 1 << 16;
	uint8_t *packed = test_malloc(room);
	struct pw_err err = {0};
	z_stream z = {0};
	void *out;
	int i, r;

	(void)state;
	/* 17 MiB of zeros in 17 KiB */
	assert_int_equal(deflateInit(&z, 9), Z_OK);
	z.next_out = packed;
	z.avail_out = (uInt)room;
	for (i = 0; i < 17 * 16; i++) {
		z.next_in = zeros;
		z.avail_in = sizeof(zeros);
		assert_int_equal(deflate(&z, i == 17 * 16 - 1 ? Z_FINISH : Z_NO_FLUSH),
			i == 17 * 16 - 1 ? Z_STREAM_END : Z_OK);
	}
	len = room - z.avail_out;
	deflateEnd(&z);
	r = pw_fdt_decode(PW_ENCODING_ZLIB, packed, len, &out, &out_len, &err);
	assert_int_equal(r, -EFBIG);
	assert_null(out);
	assert_int_equal(err.code, EFBIG);
	for (n = 0; n < len; n += 1999) { /* cut: never taken */
		r = pw_fdt_decode(PW_ENCODING_ZLIB, packed, n, &out, &out_len, &err);
		assert_true(r == -EBADMSG || r == -EFBIG);
		assert_null(out);
	}
	test_free(packed);
}

static void many_names_are_refused_at_once(void **state)
{
	struct text t;
	FILE *f = text_open(&t);
	unsigned i;

	(void)state;
	fputs(ROOT, f);
	for (i = 0; i < 1500000; i++)
		fprintf(f, "<e%x/>", i);
	fputs(ROOT_END, f);
	assert_int_equal(parse_bounded(&t), -EFBIG);
}

static void many_elements_take_no_memory(void **state)
{
	struct text t;
	FILE *f = text_open(&t);
	unsigned i;

	(void)state;
	fputs(ROOT, f);
	for (i = 0; i < 2000000; i++)
		fputs("<a/>x", f);
	fputs(ROOT_END, f);
	assert_int_equal(parse_bounded(&t), 0);
}

static void the_limits_are_where_they_are_said_to_be(void **state)
{
	struct text t;
	unsigned i, over;

	(void)state;
	for (over = 0; over < 2; over++) {
		FILE *f = text_open(&t);

		fputs("<FDT-Instance Expires=\"1\"", f);
		for (i = 1; i < PW_FDT_MAX_ATTRS + over; i++)
			fprintf(f, " a%u=\"\"", i);
		fputs("/>", f);
		assert_int_equal(parse_bounded(&t), over ? -EFBIG : 0);

		f = text_open(&t);
		fputs(ROOT, f); /* two names */
		for (i = 2; i < PW_FDT_MAX_NAMES + over; i++)
			fprintf(f, "<n%u/><n%u/>", i, i);
		fputs(ROOT_END, f);
		assert_int_equal(parse_bounded(&t), over ? -EFBIG : 0);

		f = text_open(&t);
		fputs(ROOT, f);
		for (i = 1; i < PW_FDT_MAX_DEPTH + over; i++)
			fputs("<a>", f);
		for (i = 1; i < PW_FDT_MAX_DEPTH + over; i++)
			fputs("</a>", f);
		fputs(ROOT_END, f);
		assert_int_equal(parse_bounded(&t), over ? -EFBIG : 0);

		f = text_open(&t);
		fprintf(f, ROOT "<%0*d/>" ROOT_END, 0, 1); /* no name starts with a digit */
		assert_int_equal(parse_bounded(&t), -EBADMSG);

		f = text_open(&t);
		fprintf(f, ROOT "<a%0*d/>" ROOT_END, (int)(PW_FDT_MAX_NAME - 1 + over), 1);
		assert_int_equal(parse_bounded(&t), over ? -EFBIG : 0);
	}
}

static void depth_is_not_length(void **state)
{
	struct text t;
	FILE *f = text_open(&t);
	unsigned i;

	(void)state;
	fputs(ROOT, f);
	for (i = 0; i < 1000; i++)
		fputs("<a><b></b></a>", f);
	fputs(ROOT_END, f);
	assert_int_equal(parse_bounded(&t), 0);
}

static void files_and_bytes_are_limited(void **state)
{
	struct text t;
	char *big = test_calloc(1, PW_FDT_MAX_BYTES + 1);
	unsigned i, over;

	(void)state;
	for (over = 0; over < 2; over++) {
		FILE *f = text_open(&t);

		fputs(ROOT, f);
		for (i = 0; i < PW_FDT_MAX_FILES + over; i++)
			fprintf(f,
				"<File TOI=\"%u\" Content-Location=\"f%u\" Content-Length=\"1\"/>",
				i + 1, i);
		fputs(ROOT_END, f);
		assert_int_equal(parse_bounded(&t), over ? -EFBIG : 0);
	}
	memset(big, ' ', PW_FDT_MAX_BYTES + 1);
	memcpy(big, ROOT, strlen(ROOT));
	for (i = 100; i < PW_FDT_MAX_BYTES - 100; i += 100)
		memcpy(big + i, "<a/>", 4);
	memcpy(big + PW_FDT_MAX_BYTES - strlen(ROOT_END), ROOT_END, strlen(ROOT_END));
	assert_int_equal(parse_bytes(big, PW_FDT_MAX_BYTES), 0);
	assert_int_equal(parse_bytes(big, PW_FDT_MAX_BYTES + 1), -EFBIG);
	test_free(big);
}

static void a_cut_table_is_never_taken(void **state)
{
	static const char xml[] = "<?xml version=\"1.0\"?>\n<!-- c --><FDT-Instance Expires='1'>"
				  "<![CDATA[x]]>" GOOD ROOT_END;
	size_t len;

	(void)state;
	for (len = 0; len < sizeof(xml) - 1; len++)
		assert_int_equal(parse_bytes(xml, len), -EBADMSG);
	assert_int_equal(parse_bytes(xml, len), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_fdt_is_refused),
		cmocka_unit_test(files_that_lack_or_lie_have_a_fault),
		cmocka_unit_test(names_beyond_the_limit_are_faults),
		cmocka_unit_test(documents_with_entities_are_refused),
		cmocka_unit_test(other_encodings_are_refused),
		cmocka_unit_test(many_attributes_are_refused_at_once),
		cmocka_unit_test(many_attributes_hide_nowhere),
		cmocka_unit_test(what_may_hide_takes_no_time),
		cmocka_unit_test(hidden_bytes_add_up),
		cmocka_unit_test(a_packed_table_has_a_bound),
		cmocka_unit_test(many_names_are_refused_at_once),
		cmocka_unit_test(many_elements_take_no_memory),
		cmocka_unit_test(the_limits_are_where_they_are_said_to_be),
		cmocka_unit_test(depth_is_not_length),
		cmocka_unit_test(files_and_bytes_are_limited),
		cmocka_unit_test(a_cut_table_is_never_taken),
	};

	return cmocka_run_group_tests_name("wire_fdt_hostile", tests, NULL, NULL);
}
