/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Builds and parses the header of a packet: ALC (RFC 5775) over LCT (RFC 5651) with
 * Compact No-Code (RFC 5445), or Reed-Solomon over GF(2^8) (RFC 5510).
 *
 *    0                   1                   2                   3
 *   | V=1 | C |PSI|S| O |H|Res|A|B|   HDR_LEN     | Codepoint (CP)|
 *   |                 Congestion Control Information              |
 *   |  TSI (16 or 32 bits)          |  TOI (16 or 32 bits)        |
 *   |  extensions: EXT_FDT (HET 192), EXT_CENC, EXT_FTI (HET 64)  |
 *   |  SBN (16 bits, or 24)         |  ESI (16 bits, or 8)        |  FEC payload ID
 *   |  payload: one or more encoding symbols' bytes               |
 *
 * pagewire writes 16 bytes a data packet (TSI and TOI of 16 bits) or 20 (32 bits); it reads every
 * legal form. Received bytes are hostile: the parser reads nothing beyond `len`.
 */
#ifndef PW_WIRE_ALC_H
#define PW_WIRE_ALC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "wire/encoding.h"

#define PW_ALC_PORT         4001 /* default; FLUTE has no registered port */
#define PW_LCT_VERSION      1
#define PW_FDT_TOI          0
#define PW_HET_FTI          64  /* RFC 5775 section 4.2 */
#define PW_HET_FDT          192 /* RFC 6726 section 3.4.1 */
#define PW_HET_CENC         193 /* RFC 6726 section 3.4.3 */
#define PW_FLUTE_VERSION    2
#define PW_FDT_INSTANCE_MAX 0xfffffu /* 20 bits */
#define PW_ALC_HDR_MAX      64       /* pw_alc_build() never writes more */
#define PW_FEC_ID_NO_CODE   0
#define PW_FEC_ID_RS        5
#define PW_FEC_ID_LEN       4 /* of the FEC payload ID: SBN, ESI */
/* A codepoint that is no FEC scheme: a packet of a probe of the path. Its FEC payload ID is a number, which counts from
 * 0; its payload begins with the URL to report to, of PW_PROBE_URL_MAX bytes at most, and a NUL. */
#define PW_CP_PROBE      255
#define PW_PROBE_URL_MAX 128u /* the NUL included */

struct pw_alc_hdr {
	uint64_t tsi;       /* values above 48 bits are refused by the parser */
	uint64_t toi;       /* values above 64 bits are refused by the parser */
	bool close_session; /* LCT flag A */
	bool close_object;  /* LCT flag B */
	uint8_t codepoint;  /* FEC encoding ID: PW_FEC_ID_..., or PW_CP_PROBE */

	bool has_fdt; /* EXT_FDT */
	uint8_t fdt_version;
	uint32_t fdt_instance; /* 20 bits */

	bool has_cenc; /* EXT_CENC: the FDT instance is packed */
	uint8_t cenc;  /* see pw_alc_cenc_encoding() */

	/* EXT_FTI for FEC encoding ID 0, RFC 5445 section 3.2.2.2, or 5, RFC 5510 section 5.2.2; on any TOI. An FDT
	 * may omit these values then. */
	bool has_fti;
	uint64_t transfer_len;
	uint16_t symbol_len;
	uint32_t max_sbl;
	uint32_t max_n; /* of PW_FEC_ID_RS */

	uint32_t sbn;
	uint16_t esi;
};

/* Bytes that pw_alc_build() writes for hdr: 16 or 20 without extensions, +4 EXT_FDT, +4
 * EXT_CENC, +16 EXT_FTI (12 of PW_FEC_ID_RS).
 * Wide (32-bit) TSI and TOI are used when `wide` or when a value needs them. */
size_t pw_alc_len(const struct pw_alc_hdr *hdr, bool wide);

/* Writes the header into buf[PW_ALC_HDR_MAX] and returns its length, FEC payload ID included: the
 * last 4 bytes are SBN and ESI, always. tsi and toi are at most 32 bits. */
size_t pw_alc_build(uint8_t *buf, const struct pw_alc_hdr *hdr, bool wide);

/* Why a packet was refused. The receiver counts each. */
enum pw_alc_verdict {
	PW_ALC_OK,
	PW_ALC_SHORT,     /* less than LCT's first word, or no room for SBN and ESI */
	PW_ALC_VERSION,   /* LCT version is not 1 */
	PW_ALC_HDR_LEN,   /* HDR_LEN is shorter than the fixed part or longer than the packet */
	PW_ALC_EXTENSION, /* an extension's length is 0 or runs past HDR_LEN */
	PW_ALC_WIDE,      /* TSI above 48 bits or TOI above 64 bits */
	PW_ALC_CODEPOINT, /* an unsupported FEC scheme */
	PW_ALC_PROBE,     /* in order, but of no session: PW_CP_PROBE */
	PW_ALC_N_VERDICTS
};

const char *pw_alc_verdict_name(enum pw_alc_verdict v); /* "short", "version", ... */

/* The encoding in an EXT_CENC: 0 null, 1 ZLIB, 2 DEFLATE, 3 GZIP (RFC 6726 section 3.4.3). */
enum pw_encoding pw_alc_cenc_encoding(uint8_t cenc);

/* Parses a UDP payload. On PW_ALC_OK and PW_ALC_PROBE, *payload points into pkt, payload_len may be 0 (then SBN and
 * ESI are 0 if the FEC payload ID is absent too). Unknown extensions are skipped (RFC 5651
 * section 5.2). */
enum pw_alc_verdict pw_alc_parse(const uint8_t *pkt, size_t len, struct pw_alc_hdr *hdr,
	const uint8_t **payload, size_t *payload_len);

/* The header of a data packet that the parser accepted, up to its FEC payload ID. A packet that starts with the same
 * bytes has the same meaning. Zeroed: none. */
struct pw_alc_memo {
	uint32_t len;     /* 12 or 16 */
	uint64_t want[2]; /* in memory order */
	uint64_t mask;    /* of the second word: less than that of a 12-byte header */
};

/* pkt: a packet with a payload that pw_alc_parse() accepted. A header of more than 16 bytes is not kept. */
void pw_alc_remember(struct pw_alc_memo *m, const uint8_t *pkt);

/* True: pw_alc_parse() would accept the packet with the same session, object and flags. SBN and ESI are at
 * pkt + m->len; a payload of at least one byte follows. */
static inline bool pw_alc_is_same(const struct pw_alc_memo *m, const uint8_t *pkt, size_t len)
{
	uint64_t word[2];

	if (m->len == 0 || len <= m->len + PW_FEC_ID_LEN)
		return false;
	memcpy(word, pkt, sizeof(word));
	return word[0] == m->want[0] && ((word[1] ^ m->want[1]) & m->mask) == 0;
}

#endif
