/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wire/alc.h"

static void assert_built(
	const struct pw_alc_hdr *hdr, bool wide, const uint8_t *expected, size_t len)
{
	uint8_t buf[PW_ALC_HDR_MAX + 1];

	memset(buf, 0xee, sizeof(buf));
	assert_int_equal(pw_alc_len(hdr, wide), len);
	assert_int_equal(pw_alc_build(buf, hdr, wide), len);
	assert_memory_equal(buf, expected, len);
	assert_int_equal(buf[len], 0xee);
}

/* RFC 5651 section 5.1: V=1 C=0 PSI=0 S=0 | O=0 H=1 Res=0 A=0 B=0 -> 0x10 0x10 */
static void a_data_packet_has_16_bytes(void **state)
{
	static const uint8_t expected[] = {
		0x10, 0x10, 3, 0,       /* HDR_LEN 3 words: the FEC payload ID is not in it */
		0, 0, 0, 0,             /* congestion control */
		0x12, 0x34, 0xab, 0xcd, /* TSI, TOI */
		0x01, 0x02, 0xfe, 0xff, /* SBN, ESI: RFC 5445 section 3.2.1 */
	};
	struct pw_alc_hdr hdr = {.tsi = 0x1234, .toi = 0xabcd, .sbn = 0x0102, .esi = 0xfeff};

	(void)state;
	assert_built(&hdr, false, expected, sizeof(expected));
}

/* S=1 O=1 H=0 -> 0x10 0xa0 */
static void a_wide_data_packet_has_20_bytes(void **state)
{
	static const uint8_t expected[] = {
		0x10, 0xa0, 4, 0,       /* */
		0, 0, 0, 0,             /* */
		0x00, 0x00, 0x12, 0x34, /* TSI */
		0x00, 0x01, 0x00, 0x00, /* TOI */
		0x00, 0x05, 0x00, 0x06, /* */
	};
	struct pw_alc_hdr hdr = {.tsi = 0x1234, .toi = 0x10000, .sbn = 5, .esi = 6};
	uint8_t narrow_toi[sizeof(expected)];

	(void)state;
	assert_built(&hdr, false, expected, sizeof(expected)); /* the TOI needs it */
	assert_built(&hdr, true, expected, sizeof(expected));
	memcpy(narrow_toi, expected, sizeof(expected));
	pw_be32_store(narrow_toi + 12, 7);
	hdr.toi = 7;
	assert_built(&hdr, true, narrow_toi, sizeof(narrow_toi)); /* the caller wants it */
	hdr.tsi = 0xffffffff;
	pw_be32_store(narrow_toi + 8, 0xffffffff);
	assert_built(&hdr, false, narrow_toi, sizeof(narrow_toi)); /* the TSI needs it */
}

static void an_fdt_packet_has_both_extensions(void **state)
{
	static const uint8_t expected[] = {
		0x10, 0x10, 8, 0,       /* HDR_LEN: 3 + 1 + 4 words */
		0, 0, 0, 0,             /* */
		0x00, 0x07, 0x00, 0x00, /* TSI 7, TOI 0 */
		192, 0x2a, 0xbc, 0xde,  /* EXT_FDT: V=2, instance 0xabcde */
		64, 4, 0x01, 0x02,      /* EXT_FTI: HEL 4, transfer length, */
		0x03, 0x04, 0x05, 0x06, /* 48 bits of it */
		0, 0, 0x05, 0xa0,       /* reserved, symbol length 1440 */
		0x00, 0x01, 0x00, 0x00, /* at most 65536 symbols a block */
		0x00, 0x00, 0x00, 0x09, /* SBN 0, ESI 9 */
	};
	struct pw_alc_hdr hdr = {
		.tsi = 7,
		.has_fdt = true,
		.fdt_version = 2,
		.fdt_instance = 0xabcde,
		.has_fti = true,
		.transfer_len = 0x010203040506,
		.symbol_len = 1440,
		.max_sbl = 65536,
		.esi = 9,
	};

	(void)state;
	assert_built(&hdr, false, expected, sizeof(expected));
	assert_true(pw_alc_len(&hdr, true) <= PW_ALC_HDR_MAX);
}

static void the_close_flags_are_the_last_two_bits(void **state)
{
	struct pw_alc_hdr hdr = {.tsi = 1, .toi = 1, .close_session = true};
	uint8_t buf[PW_ALC_HDR_MAX];

	(void)state;
	pw_alc_build(buf, &hdr, false);
	assert_int_equal(buf[1], 0x12);
	hdr = (struct pw_alc_hdr){.tsi = 1, .toi = 1, .close_object = true};
	pw_alc_build(buf, &hdr, false);
	assert_int_equal(buf[1], 0x11);
	hdr.close_session = true;
	pw_alc_build(buf, &hdr, true);
	assert_int_equal(buf[1], 0xa3);
}

static void an_instance_number_has_20_bits(void **state)
{
	struct pw_alc_hdr hdr = {.has_fdt = true, .fdt_version = 2, .fdt_instance = 0x123456};
	uint8_t buf[PW_ALC_HDR_MAX];

	(void)state;
	pw_alc_build(buf, &hdr, false);
	assert_memory_equal(buf + 12, "\xc0\x22\x34\x56", 4);
}

/* Parses a copy of exactly len bytes and returns the verdict. */
static enum pw_alc_verdict parse(
	const uint8_t *pkt, size_t len, struct pw_alc_hdr *hdr, size_t *off, size_t *payload_len)
{
	uint8_t *copy = test_malloc(len ? len : 1);
	const uint8_t *payload = NULL;
	enum pw_alc_verdict v;

	memcpy(copy, pkt, len);
	v = pw_alc_parse(copy, len, hdr, &payload, payload_len);
	if (v == PW_ALC_OK)
		*off = (size_t)(payload - copy);
	test_free(copy);
	return v;
}

static enum pw_alc_verdict verdict(const uint8_t *pkt, size_t len)
{
	struct pw_alc_hdr hdr;
	size_t off, n;

	return parse(pkt, len, &hdr, &off, &n);
}

static void what_is_built_reads_the_same(void **state)
{
	struct pw_alc_hdr in = {
		.tsi = 0x80000001,
		.toi = 0xfffffffe,
		.close_session = true,
		.close_object = true,
		.has_fdt = true,
		.fdt_version = 2,
		.fdt_instance = PW_FDT_INSTANCE_MAX,
		.has_cenc = true,
		.cenc = 3,
		.has_fti = true,
		.transfer_len = 0xffffffffffff,
		.symbol_len = 65535,
		.max_sbl = UINT32_MAX,
		.sbn = 65535,
		.esi = 65534,
	};
	uint8_t pkt[PW_ALC_HDR_MAX + 5];
	struct pw_alc_hdr out;
	size_t n, off, payload_len;

	(void)state;
	n = pw_alc_build(pkt, &in, false);
	memcpy(pkt + n, "bytes", 5);
	assert_int_equal(parse(pkt, n + 5, &out, &off, &payload_len), PW_ALC_OK);
	assert_int_equal(off, n);
	assert_int_equal(payload_len, 5);
	assert_true(out.tsi == in.tsi && out.toi == in.toi);
	assert_true(out.close_session && out.close_object && out.has_fdt && out.has_fti);
	assert_int_equal(out.fdt_version, 2);
	assert_int_equal(out.fdt_instance, in.fdt_instance);
	assert_true(out.has_cenc);
	assert_int_equal(out.cenc, 3);
	assert_true(out.transfer_len == in.transfer_len && out.max_sbl == in.max_sbl);
	assert_int_equal(out.symbol_len, in.symbol_len);
	assert_int_equal(out.sbn, in.sbn);
	assert_int_equal(out.esi, in.esi);
}

static void every_legal_width_is_read(void **state)
{
	/* C=3 (128 bits), S=1 O=1 H=1: TSI of 48 and TOI of 48 bits */
	static const uint8_t odd[] = {0x1c, 0xb0, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
		14, 15, 16, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6,
		0, 1, 0, 2, 'x'};
	/* S=0 O=2 H=0: no TSI, TOI of 64 bits */
	static const uint8_t toi64[] = {
		0x10, 0x40, 4, 0, 0, 0, 0, 0, 0xf1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 0, 2};
	/* S=1 O=3 H=1: TOI of 112 bits, of which 64 are used */
	uint8_t toi112[] = {0x10, 0xf0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0xf1,
		2, 3, 4, 5, 6, 7, 8, 0, 1, 0, 2};
	struct pw_alc_hdr hdr;
	size_t off = 0, n = 0;

	(void)state;
	assert_int_equal(parse(odd, sizeof(odd), &hdr, &off, &n), PW_ALC_OK);
	assert_true(hdr.tsi == 0xa1a2a3a4a5a6 && hdr.toi == 0xb1b2b3b4b5b6);
	assert_true(off == 36 && n == 1 && hdr.sbn == 1 && hdr.esi == 2);
	assert_int_equal(parse(toi64, sizeof(toi64), &hdr, &off, &n), PW_ALC_OK);
	assert_true(hdr.tsi == 0 && hdr.toi == 0xf102030405060708);
	assert_int_equal(parse(toi112, sizeof(toi112), &hdr, &off, &n), PW_ALC_OK);
	assert_true(hdr.tsi == 9 && hdr.toi == 0xf102030405060708);
	toi112[19] = 1;
	assert_int_equal(parse(toi112, sizeof(toi112), &hdr, &off, &n), PW_ALC_WIDE);
}

static void unknown_extensions_are_skipped(void **state)
{
	static const uint8_t pkt[] = {0x10, 0x10, 10, 0, 0, 0, 0, 0, 0, 1, 0, 0, /* */
		2, 2, 0xff, 0xff, 0, 0, 0, 0, /* EXT_TIME, 2 words */
		194, 1, 2, 3,                 /* not known, always 1 word */
		64, 2, 1, 1, 1, 1, 1, 1,      /* an EXT_FTI of another FEC scheme */
		0, 1, 0, 0,                   /* EXT_NOP */
		192, 0x20, 0, 5,              /* EXT_FDT */
		0, 0, 0, 3, 'x'};
	struct pw_alc_hdr hdr;
	size_t off, n;

	(void)state;
	assert_int_equal(parse(pkt, sizeof(pkt), &hdr, &off, &n), PW_ALC_OK);
	assert_true(hdr.has_fdt && hdr.fdt_instance == 5 && hdr.fdt_version == 2);
	assert_false(hdr.has_fti);
	assert_false(hdr.has_cenc);
	assert_int_equal(hdr.esi, 3);
	assert_int_equal(n, 1);
}

static void a_data_packet_may_say_how_long_its_file_is(void **state)
{
	static const uint8_t pkt[] = {0x10, 0x10, 7, 0, 0, 0, 0, 0, 0, 1, 0, 9, /* TOI 9 */
		64, 4, 0, 1, 2, 3, 4, 5, 0, 0, 5, 0xa0, 0, 0, 16, 0,            /* EXT_FTI */
		0, 1, 0, 2, 'x'};
	uint8_t other[sizeof(pkt)];
	struct pw_alc_hdr hdr;
	size_t off, n;

	(void)state;
	assert_int_equal(parse(pkt, sizeof(pkt), &hdr, &off, &n), PW_ALC_OK);
	assert_true(hdr.toi == 9 && !hdr.has_fdt);
	assert_true(hdr.has_fti);
	assert_true(hdr.transfer_len == 0x000102030405);
	assert_int_equal(hdr.symbol_len, 1440);
	assert_int_equal(hdr.max_sbl, 4096);
	assert_true(hdr.sbn == 1 && hdr.esi == 2 && n == 1);
	memcpy(other, pkt, sizeof(other));
	other[3] = 1; /* another scheme's EXT_FTI has another form */
	assert_int_equal(parse(other, 28, &hdr, &off, &n), PW_ALC_OK);
	assert_false(hdr.has_fti);
}

static void an_fdt_packet_says_how_it_is_packed(void **state)
{
	static const uint8_t pkt[] = {0x10, 0x10, 5, 0, 0, 0, 0, 0, 0, 1, 0, 0, /* */
		192, 0x20, 0, 5, 193, 2, 0xff, 0xff, /* EXT_CENC: DEFLATE; reserved bits */
		0, 0, 0, 3, 'x'};
	static const struct {
		uint8_t cenc;
		enum pw_encoding encoding;
	} known[] = {{0, PW_ENCODING_IDENTITY}, {1, PW_ENCODING_ZLIB}, {2, PW_ENCODING_DEFLATE},
		{3, PW_ENCODING_GZIP}, {4, PW_ENCODING_OTHER}, {255, PW_ENCODING_OTHER}};
	struct pw_alc_hdr hdr = {.has_cenc = true, .cenc = 1}, got;
	uint8_t buf[PW_ALC_HDR_MAX];
	size_t off, n, i;

	(void)state;
	assert_int_equal(parse(pkt, sizeof(pkt), &got, &off, &n), PW_ALC_OK);
	assert_true(got.has_fdt && got.has_cenc);
	assert_int_equal(got.cenc, 2);
	assert_int_equal(pw_alc_build(buf, &hdr, false), 20);
	assert_memory_equal(buf + 12, "\xc1\x01\0\0", 4);
	for (i = 0; i < PW_ARRAY_LEN(known); i++)
		assert_int_equal(pw_alc_cenc_encoding(known[i].cenc), known[i].encoding);
}

static void a_close_may_come_without_a_symbol(void **state)
{
	static const uint8_t pkt[] = {0x10, 0x12, 3, 0, 0, 0, 0, 0, 0, 1, 0, 0};
	struct pw_alc_hdr hdr;
	size_t off, n = 99;

	(void)state;
	assert_int_equal(parse(pkt, sizeof(pkt), &hdr, &off, &n), PW_ALC_OK);
	assert_true(hdr.close_session && !hdr.close_object);
	assert_int_equal(n, 0);
	assert_true(hdr.sbn == 0 && hdr.esi == 0);
}

static void each_kind_of_lie_has_its_verdict(void **state)
{
	static const uint8_t good[] = {
		0x10, 0x10, 4, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 'x'};
	uint8_t pkt[sizeof(good)];
	size_t len;

	(void)state;
	assert_int_equal(verdict(good, sizeof(good)), PW_ALC_OK);
	for (len = 0; len < 4; len++)
		assert_int_equal(verdict(good, len), PW_ALC_SHORT);
	for (; len < 16; len++) /* HDR_LEN is 16 */
		assert_int_equal(verdict(good, len), PW_ALC_HDR_LEN);
	for (len = 17; len < 20; len++) /* a payload, but no whole FEC payload ID */
		assert_int_equal(verdict(good, len), PW_ALC_SHORT);
	memcpy(pkt, good, sizeof(pkt));
	pkt[0] = 0x20;
	assert_int_equal(verdict(pkt, sizeof(pkt)), PW_ALC_VERSION);
	pkt[0] = 0;
	assert_int_equal(verdict(pkt, sizeof(pkt)), PW_ALC_VERSION);
	pkt[0] = 0x10;
	for (pkt[2] = 0; pkt[2] < 3; pkt[2]++) /* shorter than what C, S, O and H promise */
		assert_int_equal(verdict(pkt, sizeof(pkt)), PW_ALC_HDR_LEN);
	pkt[2] = 4;
	pkt[0] = 0x1c; /* a congestion control field of 16 bytes */
	assert_int_equal(verdict(pkt, sizeof(pkt)), PW_ALC_HDR_LEN);
	pkt[0] = 0x10;
	pkt[13] = 0; /* the extension's length: 0, then one too long */
	assert_int_equal(verdict(pkt, sizeof(pkt)), PW_ALC_EXTENSION);
	pkt[13] = 2;
	assert_int_equal(verdict(pkt, sizeof(pkt)), PW_ALC_EXTENSION);
	pkt[13] = 1;
	pkt[3] = 6;
	assert_int_equal(verdict(pkt, sizeof(pkt)), PW_ALC_CODEPOINT);
}

static void remembered(const struct pw_alc_hdr *hdr, bool wide)
{
	uint8_t pkt[PW_ALC_HDR_MAX + 8] = {0};
	size_t n = pw_alc_build(pkt, hdr, wide), len = n + 1, i;
	struct pw_alc_memo m = {0};

	assert_false(pw_alc_is_same(&m, pkt, len));
	pw_alc_remember(&m, pkt);
	assert_int_equal(m.len, n - PW_FEC_ID_LEN);
	assert_true(pw_alc_is_same(&m, pkt, len));
	assert_false(pw_alc_is_same(&m, pkt, n)); /* no payload */
	assert_false(pw_alc_is_same(&m, pkt, 0));
	for (i = 0; i < 8 * len; i++) {
		pkt[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(pw_alc_is_same(&m, pkt, len), i / 8 >= m.len);
		pkt[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}

static void what_starts_the_same_is_the_same_up_to_the_payload_id(void **state)
{
	struct pw_alc_hdr hdr = {.tsi = 0x1234, .toi = 0xabcd, .sbn = 0x0102, .esi = 0xfeff};
	struct pw_alc_memo m = {0};
	uint8_t pkt[PW_ALC_HDR_MAX] = {0};

	(void)state;
	remembered(&hdr, false);
	remembered(&hdr, true);
	hdr.has_fdt = true;
	pw_alc_remember(&m, pkt);
	pw_alc_build(pkt, &hdr, true);
	pw_alc_remember(&m, pkt);
	assert_false(pw_alc_is_same(&m, pkt, sizeof(pkt))); /* too long to be kept */
}

static void verdicts_have_names(void **state)
{
	int v, w;

	(void)state;
	for (v = 0; v < PW_ALC_N_VERDICTS; v++)
		for (w = 0; w < v; w++)
			assert_string_not_equal(pw_alc_verdict_name(v), pw_alc_verdict_name(w));
	assert_string_equal(pw_alc_verdict_name(PW_ALC_OK), "ok");
	assert_string_equal(pw_alc_verdict_name(PW_ALC_N_VERDICTS), "unknown");
}

/* RFC 5510 sections 5.1 and 5.2.2: SBN of 24 bits, ESI of 8; EXT_FTI of 3 words. */
static void reed_solomon_has_its_own_fields(void **state)
{
	static const uint8_t expected[] = {
		0x10, 0x10, 6, 5,       /* */
		0, 0, 0, 0,             /* */
		0x00, 0x01, 0x00, 0x02, /* */
		64, 3, 0x01, 0x02,      /* transfer length */
		0x03, 0x04, 0x05, 0x06, /* */
		0x05, 0xa0, 200, 210,   /* symbol length, source symbols, all symbols */
		0xab, 0xcd, 0xef, 209,  /* */
	};
	const struct pw_alc_hdr hdr = {.tsi = 1,
		.toi = 2,
		.codepoint = PW_FEC_ID_RS,
		.has_fti = true,
		.transfer_len = 0x010203040506,
		.symbol_len = 1440,
		.max_sbl = 200,
		.max_n = 210,
		.sbn = 0xabcdef,
		.esi = 209};
	uint8_t pkt[sizeof(expected) + 1];
	const uint8_t *payload;
	struct pw_alc_hdr got;
	size_t n;

	(void)state;
	assert_built(&hdr, false, expected, sizeof(expected));
	memcpy(pkt, expected, sizeof(expected));
	assert_int_equal(pw_alc_parse(pkt, sizeof(pkt), &got, &payload, &n), PW_ALC_OK);
	assert_int_equal(n, 1);
	assert_true(got.has_fti && got.transfer_len == hdr.transfer_len && got.symbol_len == 1440 &&
		    got.max_sbl == 200 && got.max_n == 210);
	assert_true(got.sbn == 0xabcdef && got.esi == 209);
	pkt[3] = PW_FEC_ID_NO_CODE; /* another scheme's extension */
	assert_int_equal(pw_alc_parse(pkt, sizeof(pkt), &got, &payload, &n), PW_ALC_OK);
	assert_false(got.has_fti);
	assert_true(got.sbn == 0xabcd && got.esi == 0xefd1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_data_packet_has_16_bytes),
		cmocka_unit_test(a_wide_data_packet_has_20_bytes),
		cmocka_unit_test(an_fdt_packet_has_both_extensions),
		cmocka_unit_test(the_close_flags_are_the_last_two_bits),
		cmocka_unit_test(an_instance_number_has_20_bits),
		cmocka_unit_test(what_is_built_reads_the_same),
		cmocka_unit_test(every_legal_width_is_read),
		cmocka_unit_test(unknown_extensions_are_skipped),
		cmocka_unit_test(a_data_packet_may_say_how_long_its_file_is),
		cmocka_unit_test(an_fdt_packet_says_how_it_is_packed),
		cmocka_unit_test(a_close_may_come_without_a_symbol),
		cmocka_unit_test(each_kind_of_lie_has_its_verdict),
		cmocka_unit_test(what_starts_the_same_is_the_same_up_to_the_payload_id),
		cmocka_unit_test(reed_solomon_has_its_own_fields),
		cmocka_unit_test(verdicts_have_names),
	};

	return cmocka_run_group_tests_name("wire_alc", tests, NULL, NULL);
}
