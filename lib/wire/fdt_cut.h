/* SPDX-License-Identifier: BSD-3-Clause */
/* Cuts an FDT instance into the ALC packets that carry it: TOI 0, EXT_FDT, EXT_FTI, one symbol each. */
#ifndef PW_WIRE_FDT_CUT_H
#define PW_WIRE_FDT_CUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/alc.h"
#include "wire/blocks.h"

#define PW_FDT_SYMBOL_MAX 16384u

struct pw_fdt_cut {
	struct pw_alc_hdr hdr;
	bool wide; /* see pw_alc_build() */
	struct pw_blocks blocks;
	const char *text; /* the caller's, while packets are made */
	uint64_t next;    /* symbol */
};

/* One packet: the header alc[alc_len], then payload[len]. */
struct pw_fdt_packet {
	uint8_t alc[PW_ALC_HDR_MAX];
	size_t alc_len;
	const char *payload; /* into the text */
	uint32_t len;
};

/* Bytes of such a packet before its symbol. */
size_t pw_fdt_cut_alc_len(bool wide);
/* hdr: TSI, version and number of the instance, close flag; the rest is filled in. symbol_len: at most
 * PW_FDT_SYMBOL_MAX. Errors as pw_blocks_init(). */
int pw_fdt_cut_init(struct pw_fdt_cut *c, const struct pw_alc_hdr *hdr, bool wide, const char *text,
	size_t len, uint32_t symbol_len, struct pw_err *err);
/* Makes the next packet. false: there is none. */
bool pw_fdt_cut_next(struct pw_fdt_cut *c, struct pw_fdt_packet *packet);

#endif
