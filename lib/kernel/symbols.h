/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/kernel: a walk over a burst's symbols, from the window to where each one's bytes
 * lie. The kernel and the CPU see virtual addresses only, so a symbol is split where runs are.
 */
#ifndef PW_KERNEL_SYMBOLS_H
#define PW_KERNEL_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "path/path.h"

struct pw_symbols {
	const struct pw_tx_burst *b;
	const struct pw_extent *run; /* where the next symbol begins */
	uint64_t offset;
	uint32_t fec_id;
};

struct pw_symbol {
	const struct pw_frame_tmpl *tmpl;
	const struct pw_extent *run;
	const uint8_t *va; /* its first byte, in run */
	uint32_t fec_id;   /* SBN and ESI: the header's last four bytes */
	uint16_t len;
	bool split; /* it goes on in the run after */
};

/* From the burst's i-th symbol on; i < b->n. */
static inline void pw_symbols_init(struct pw_symbols *s, const struct pw_tx_burst *b, uint16_t i)
{
	const struct pw_window *win = b->obj->win;
	uint32_t lo = 0, hi = win->n_extents;

	s->b = b;
	s->offset = b->offset + (uint64_t)i * b->obj->blocks.symbol_len;
	s->fec_id = ((uint32_t)b->sbn << 16 | b->esi) + i;
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (win->extents[mid].offset <= s->offset)
			lo = mid;
		else
			hi = mid;
	}
	s->run = &win->extents[lo];
}

/* The caller counts: there are b->n - i of them. */
static inline void pw_symbols_next(struct pw_symbols *s, struct pw_symbol *sym)
{
	const struct pw_tx_object *obj = s->b->obj;
	uint64_t skip;

	while (s->offset - s->run->offset >= s->run->len_bytes)
		s->run++;
	skip = s->offset - s->run->offset;
	sym->len =
		(uint16_t)pw_min_u64(obj->blocks.symbol_len, obj->blocks.transfer_len - s->offset);
	sym->tmpl = sym->len == obj->tmpl.payload_len ? &obj->tmpl : &obj->tmpl_last;
	sym->run = s->run;
	sym->va = s->run->va + skip;
	sym->split = sym->len > s->run->len_bytes - skip;
	sym->fec_id = s->fec_id++;
	s->offset += sym->len;
}

/* File bytes of the burst's first n symbols; n > 0. */
static inline uint64_t pw_symbols_bytes(const struct pw_tx_burst *b, uint16_t n)
{
	const struct pw_blocks *blocks = &b->obj->blocks;

	return pw_min_u64((uint64_t)n * blocks->symbol_len, blocks->transfer_len - b->offset);
}

/* Copies a symbol's bytes, from however many runs. */
static inline void pw_symbol_copy(uint8_t *dst, const struct pw_symbol *sym)
{
	const struct pw_extent *run = sym->run;
	const uint8_t *va = sym->va;
	uint64_t left = sym->len, part;

	while (sym->split && left > (part = run->len_bytes - (uint64_t)(va - run->va))) {
		memcpy(dst, va, part);
		dst += part;
		left -= part;
		va = (++run)->va;
	}
	memcpy(dst, va, left);
}

#endif
