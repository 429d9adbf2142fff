/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/alc.h"

#include <string.h>

#include "base/bytes.h"

#define FIXED_LEN    4 /* first word */
#define FDT_EXT_LEN  4
#define CENC_EXT_LEN 4
#define FTI_EXT_LEN  16
#define FTI_RS_LEN   12  /* RFC 5510 section 5.2.2 */
#define HET_FIXED    128 /* extension types from here on are one word long */

/* First word, high half (RFC 5651 section 5.1) */
#define LCT_V_SHIFT 12
#define LCT_C_SHIFT 10
#define LCT_S       (1u << 7)
#define LCT_O_SHIFT 5
#define LCT_H       (1u << 4)
#define LCT_A       (1u << 1)
#define LCT_B       (1u << 0)

static bool is_wide(const struct pw_alc_hdr *hdr, bool wide)
{
	return wide || hdr->tsi > UINT16_MAX || hdr->toi > UINT16_MAX;
}

/* Of the FEC payload ID. */
static unsigned int esi_bits(const struct pw_alc_hdr *hdr)
{
	return hdr->codepoint == PW_FEC_ID_RS ? 8 : 16;
}

static size_t fti_len(const struct pw_alc_hdr *hdr)
{
	return hdr->codepoint == PW_FEC_ID_RS ? FTI_RS_LEN : FTI_EXT_LEN;
}

size_t pw_alc_len(const struct pw_alc_hdr *hdr, bool wide)
{
	return FIXED_LEN + 4 + (is_wide(hdr, wide) ? 8 : 4) + (hdr->has_fdt ? FDT_EXT_LEN : 0) +
	       (hdr->has_cenc ? CENC_EXT_LEN : 0) + (hdr->has_fti ? fti_len(hdr) : 0) +
	       PW_FEC_ID_LEN;
}

static uint8_t *put_fti(uint8_t *p, const struct pw_alc_hdr *hdr)
{
	p[0] = PW_HET_FTI;
	p[1] = (uint8_t)(fti_len(hdr) / 4);
	pw_be48_store(p + 2, hdr->transfer_len);
	if (hdr->codepoint == PW_FEC_ID_RS) {
		pw_be16_store(p + 8, hdr->symbol_len);
		p[10] = (uint8_t)hdr->max_sbl;
		p[11] = (uint8_t)hdr->max_n;
		return p + FTI_RS_LEN;
	}
	pw_be16_store(p + 8, 0);
	pw_be16_store(p + 10, hdr->symbol_len);
	pw_be32_store(p + 12, hdr->max_sbl);
	return p + FTI_EXT_LEN;
}

size_t pw_alc_build(uint8_t *buf, const struct pw_alc_hdr *hdr, bool wide)
{
	size_t len = pw_alc_len(hdr, wide);
	uint32_t flags = PW_LCT_VERSION << LCT_V_SHIFT;
	uint8_t *p = buf;

	wide = is_wide(hdr, wide);
	flags |= wide ? LCT_S | 1u << LCT_O_SHIFT : LCT_H;
	flags |= (hdr->close_session ? LCT_A : 0) | (hdr->close_object ? LCT_B : 0);
	pw_be16_store(p, (uint16_t)flags);
	p[2] = (uint8_t)((len - PW_FEC_ID_LEN) / 4);
	p[3] = hdr->codepoint;
	pw_be32_store(p + 4, 0); /* no congestion control: the sender sets the rate */
	p += 8;
	if (wide) {
		pw_be32_store(p, (uint32_t)hdr->tsi);
		pw_be32_store(p + 4, (uint32_t)hdr->toi);
		p += 8;
	} else {
		pw_be16_store(p, (uint16_t)hdr->tsi);
		pw_be16_store(p + 2, (uint16_t)hdr->toi);
		p += 4;
	}
	if (hdr->has_fdt) {
		pw_be32_store(p, (uint32_t)PW_HET_FDT << 24 |
					 (uint32_t)(hdr->fdt_version & 0xf) << 20 |
					 (hdr->fdt_instance & PW_FDT_INSTANCE_MAX));
		p += FDT_EXT_LEN;
	}
	if (hdr->has_cenc) {
		pw_be32_store(p, (uint32_t)PW_HET_CENC << 24 | (uint32_t)hdr->cenc << 16);
		p += CENC_EXT_LEN;
	}
	if (hdr->has_fti)
		p = put_fti(p, hdr);
	pw_be32_store(p, hdr->sbn << esi_bits(hdr) | hdr->esi);
	return len;
}

const char *pw_alc_verdict_name(enum pw_alc_verdict v)
{
	static const char *const names[PW_ALC_N_VERDICTS] = {
		[PW_ALC_OK] = "ok",
		[PW_ALC_SHORT] = "short",
		[PW_ALC_VERSION] = "version",
		[PW_ALC_HDR_LEN] = "header_length",
		[PW_ALC_EXTENSION] = "extension",
		[PW_ALC_WIDE] = "wide",
		[PW_ALC_CODEPOINT] = "codepoint",
		[PW_ALC_PROBE] = "probe",
	};

	return v < PW_ALC_N_VERDICTS ? names[v] : "unknown";
}

enum pw_encoding pw_alc_cenc_encoding(uint8_t cenc)
{
	static const enum pw_encoding known[] = {
		PW_ENCODING_IDENTITY, PW_ENCODING_ZLIB, PW_ENCODING_DEFLATE, PW_ENCODING_GZIP};

	return cenc < PW_ARRAY_LEN(known) ? known[cenc] : PW_ENCODING_OTHER;
}

/* A big-endian number of n bytes, n even; false when it needs more than 64 bits. */
static bool load_wide(const uint8_t *p, size_t n, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		if (v >> 56)
			return false;
		v = v << 8 | p[i];
	}
	*out = v;
	return true;
}

/* Each scheme has its own form. */
static void parse_fti(const uint8_t *p, size_t len, struct pw_alc_hdr *hdr)
{
	const bool is_rs = hdr->codepoint == PW_FEC_ID_RS;

	if (len != fti_len(hdr) || (!is_rs && hdr->codepoint != PW_FEC_ID_NO_CODE))
		return;
	hdr->has_fti = true;
	hdr->transfer_len = pw_be48_load(p + 2);
	hdr->symbol_len = pw_be16_load(p + (is_rs ? 8 : 10));
	hdr->max_sbl = is_rs ? p[10] : pw_be32_load(p + 12);
	hdr->max_n = is_rs ? p[11] : 0;
}

static enum pw_alc_verdict parse_extensions(
	const uint8_t *p, const uint8_t *end, struct pw_alc_hdr *hdr)
{
	while (p < end) {
		size_t len =
			p[0] >= HET_FIXED ? 4 : (size_t)p[1] * 4; /* end - p is a multiple of 4 */

		if (len == 0 || len > (size_t)(end - p))
			return PW_ALC_EXTENSION;
		if (p[0] == PW_HET_FDT) {
			hdr->has_fdt = true;
			hdr->fdt_version = p[1] >> 4;
			hdr->fdt_instance = pw_be32_load(p) & PW_FDT_INSTANCE_MAX;
		} else if (p[0] == PW_HET_CENC) {
			hdr->has_cenc = true;
			hdr->cenc = p[1];
		} else if (p[0] == PW_HET_FTI) {
			parse_fti(p, len, hdr);
		}
		p += len;
	}
	return PW_ALC_OK;
}

enum pw_alc_verdict pw_alc_parse(const uint8_t *pkt, size_t len, struct pw_alc_hdr *hdr,
	const uint8_t **payload, size_t *payload_len)
{
	size_t hdr_len, cci_len, tsi_len, toi_len;
	enum pw_alc_verdict v;
	const uint8_t *p;
	uint32_t flags, id;

	memset(hdr, 0, sizeof(*hdr));
	if (len < FIXED_LEN)
		return PW_ALC_SHORT;
	flags = pw_be16_load(pkt);
	if (flags >> LCT_V_SHIFT != PW_LCT_VERSION)
		return PW_ALC_VERSION;
	hdr_len = (size_t)pkt[2] * 4;
	cci_len = ((flags >> LCT_C_SHIFT & 3) + 1) * 4;
	tsi_len = (flags & LCT_S ? 4 : 0) + (flags & LCT_H ? 2 : 0);
	toi_len = (flags >> LCT_O_SHIFT & 3) * 4 + (flags & LCT_H ? 2 : 0);
	if (hdr_len > len || hdr_len < FIXED_LEN + cci_len + tsi_len + toi_len)
		return PW_ALC_HDR_LEN;
	hdr->codepoint = pkt[3];
	hdr->close_session = flags & LCT_A;
	hdr->close_object = flags & LCT_B;
	p = pkt + FIXED_LEN + cci_len;
	if (!load_wide(p, tsi_len, &hdr->tsi) || !load_wide(p + tsi_len, toi_len, &hdr->toi))
		return PW_ALC_WIDE;
	v = parse_extensions(p + tsi_len + toi_len, pkt + hdr_len, hdr);
	if (v != PW_ALC_OK)
		return v;
	*payload = pkt + hdr_len;
	*payload_len = len - hdr_len;
	if (*payload_len == 0)
		return PW_ALC_OK; /* a session's or object's end may come without a symbol */
	if (hdr->codepoint != PW_FEC_ID_NO_CODE && hdr->codepoint != PW_FEC_ID_RS &&
		hdr->codepoint != PW_CP_PROBE)
		return PW_ALC_CODEPOINT;
	if (*payload_len < PW_FEC_ID_LEN)
		return PW_ALC_SHORT;
	id = pw_be32_load(*payload);
	hdr->sbn = id >> esi_bits(hdr);
	hdr->esi = (uint16_t)(id & ((1u << esi_bits(hdr)) - 1));
	*payload += PW_FEC_ID_LEN;
	*payload_len -= PW_FEC_ID_LEN;
	return hdr->codepoint == PW_CP_PROBE ? PW_ALC_PROBE : PW_ALC_OK;
}

void pw_alc_remember(struct pw_alc_memo *m, const uint8_t *pkt)
{
	const uint32_t len = pkt[2] * 4u;
	uint8_t mask[16] = {0};

	m->len = 0;
	if (len != 12 && len != 16)
		return;
	m->len = len;
	memcpy(m->want, pkt, sizeof(m->want)); /* 12: the FEC payload ID lies behind it */
	memset(mask, 0xff, len);
	memcpy(&m->mask, mask + 8, sizeof(m->mask));
}
