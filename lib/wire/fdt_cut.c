/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/fdt_cut.h"

#include "base/bytes.h"
#include "wire/fdt.h"

#define MAX_SBL 4096u

size_t pw_fdt_cut_alc_len(bool wide)
{
	return pw_alc_len(
		&(struct pw_alc_hdr){
			.codepoint = PW_FEC_ID_NO_CODE, .has_fdt = true, .has_fti = true},
		wide);
}

int pw_fdt_cut_init(struct pw_fdt_cut *c, const struct pw_alc_hdr *hdr, bool wide, const char *text,
	size_t len, uint32_t symbol_len, struct pw_err *err)
{
	const uint32_t symbol = (uint32_t)pw_min_u64(symbol_len, PW_FDT_SYMBOL_MAX);

	*c = (struct pw_fdt_cut){.hdr = *hdr, .wide = wide, .text = text};
	c->hdr.toi = PW_FDT_TOI;
	c->hdr.codepoint = PW_FEC_ID_NO_CODE;
	c->hdr.has_fdt = c->hdr.has_fti = true;
	c->hdr.transfer_len = len;
	c->hdr.symbol_len = (uint16_t)symbol;
	c->hdr.max_sbl = MAX_SBL;
	return pw_blocks_init(&c->blocks, len, symbol, MAX_SBL, err);
}

bool pw_fdt_cut_next(struct pw_fdt_cut *c, struct pw_fdt_packet *packet)
{
	const struct pw_blocks *b = &c->blocks;
	uint32_t sbn, esi;

	if (c->next == b->n_symbols)
		return false;
	pw_blocks_locate(b, c->next, &sbn, &esi);
	c->hdr.sbn = (uint16_t)sbn;
	c->hdr.esi = (uint16_t)esi;
	packet->alc_len = pw_alc_build(packet->alc, &c->hdr, c->wide);
	packet->payload = c->text + c->next * b->symbol_len;
	packet->len = pw_blocks_symbol_bytes(b, c->next);
	c->next++;
	return true;
}
