/* SPDX-License-Identifier: BSD-3-Clause */
#include "recv/leafnotes.h"

#include <stdlib.h>

#include "base/bytes.h"

uint64_t pw_leaf_notes_bytes(uint64_t file_len)
{
	return pw_leaves_listed(file_len)
		       ? sizeof(struct pw_leaf_notes) + pw_leaves_n(file_len) * PW_LEAF_LEN
		       : 0;
}

struct pw_leaf_notes *pw_leaf_notes_create(uint64_t file_len)
{
	const uint64_t bytes = pw_leaf_notes_bytes(file_len);
	struct pw_leaf_notes *n = bytes ? calloc(1, bytes) : NULL;

	if (!n)
		return NULL;
	n->n = pw_leaves_n(file_len);
	n->looked_bytes = UINT64_MAX;
	return n;
}

void pw_leaf_notes_forget(
	struct pw_leaf_notes *n, const struct pw_blocks *b, uint64_t from, uint64_t to)
{
	const uint64_t symbol = b->symbol_len, leaf = pw_leaf_bytes(b->transfer_len);
	uint64_t i;

	if (!n || from >= to)
		return;
	to = pw_div_ceil(to, symbol) * symbol;
	for (i = from / symbol * symbol / leaf; i < n->n && i * leaf < to; i++) {
		pw_leaf_bit_clear(n->full, (uint32_t)i);
		pw_leaf_bit_clear(n->known, (uint32_t)i);
	}
	n->looked_bytes = UINT64_MAX;
}

const uint8_t *pw_leaf_notes_get(const struct pw_leaf_notes *n, uint32_t leaf)
{
	return n && pw_leaf_bit(n->known, leaf) ? n->digests + (size_t)leaf * PW_LEAF_LEN : NULL;
}
