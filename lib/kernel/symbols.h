/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/kernel: walks over the symbols of a burst and finds the bytes of each in the window.
 * The kernel's ways use virtual addresses only, so a symbol is split where it crosses extents.
 */
#ifndef PW_KERNEL_SYMBOLS_H
#define PW_KERNEL_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "path/path.h"

struct pw_symbols {
	const struct pw_tx_burst *b;
	const struct pw_extent *extent; /* where the next symbol begins */
	uint64_t offset;
	uint32_t fec_id;
};

struct pw_symbol {
	const struct pw_frame_tmpl *tmpl;
	const struct pw_extent *extent;
	const uint8_t *va; /* its first byte, in extent */
	uint32_t fec_id;   /* SBN and ESI: the last four bytes of its header */
	uint16_t len;
	bool split; /* it continues in the next extent */
};

/* Starts at the burst's i-th symbol; i < b->n. */
static inline void pw_symbols_init(struct pw_symbols *s, const struct pw_tx_burst *b, uint16_t i)
{
	const struct pw_window *win = b->obj->win;
	uint32_t lo = 0, hi = win->n_extents;

	s->b = b;
	s->offset = b->offset + (uint64_t)i * b->obj->blocks.symbol_len;
	s->fec_id = b->payload_id + i;
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (win->extents[mid].offset <= s->offset)
			lo = mid;
		else
			hi = mid;
	}
	s->extent = &win->extents[lo];
}

/* The caller counts: the walk has b->n - i symbols. */
static inline void pw_symbols_next(struct pw_symbols *s, struct pw_symbol *sym)
{
	const struct pw_tx_object *obj = s->b->obj;
	uint64_t skip;

	while (s->offset - s->extent->offset >= s->extent->len_bytes)
		s->extent++;
	skip = s->offset - s->extent->offset;
	sym->len =
		(uint16_t)pw_min_u64(obj->blocks.symbol_len, obj->blocks.transfer_len - s->offset);
	sym->tmpl = sym->len == obj->tmpl.payload_len ? &obj->tmpl : &obj->tmpl_last;
	sym->extent = s->extent;
	sym->va = s->extent->va + skip;
	sym->split = sym->len > s->extent->len_bytes - skip;
	sym->fec_id = s->fec_id++;
	s->offset += sym->len;
}

/* The number of file bytes in the burst's first n symbols; n > 0. */
static inline uint64_t pw_symbols_bytes(const struct pw_tx_burst *b, uint16_t n)
{
	const struct pw_blocks *blocks = &b->obj->blocks;

	return pw_min_u64((uint64_t)n * blocks->symbol_len, blocks->transfer_len - b->offset);
}

/* Copies a symbol's bytes, from all extents that it crosses. */
static inline void pw_symbol_copy(uint8_t *dst, const struct pw_symbol *sym)
{
	const struct pw_extent *extent = sym->extent;
	const uint8_t *va = sym->va;
	uint64_t left = sym->len, part;

	while (sym->split && left > (part = extent->len_bytes - (uint64_t)(va - extent->va))) {
		memcpy(dst, va, part);
		dst += part;
		left -= part;
		va = (++extent)->va;
	}
	memcpy(dst, va, left);
}

#endif
