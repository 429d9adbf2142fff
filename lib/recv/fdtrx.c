/* SPDX-License-Identifier: BSD-3-Clause */
#include "recv/fdtrx.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/bytes.h"
#include "wire/fdt.h"

static struct pw_fdtrx_seen *seen_at(struct pw_fdtrx *x, uint32_t instance)
{
	return &x->seen[instance % PW_FDTRX_SEEN];
}

/* true: this instance was parsed before. One with the same number but other bytes (of a sender that was
 * restarted) is another instance. */
static bool is_seen(struct pw_fdtrx *x, const struct pw_fdtrx_slot *slot)
{
	const struct pw_fdtrx_seen *s = seen_at(x, slot->instance);

	return s->len_bytes == slot->blocks.transfer_len && s->instance == slot->instance &&
	       s->hash == slot->hash;
}

static void slot_free(struct pw_fdtrx *x, struct pw_fdtrx_slot *s)
{
	if (s->xml)
		*x->left_bytes += s->blocks.transfer_len;
	free(s->xml);
	free(s->bits);
	*s = (struct pw_fdtrx_slot){0};
}

static struct pw_fdtrx_slot *slot_find(struct pw_fdtrx *x, uint32_t instance)
{
	size_t i;

	for (i = 0; i < PW_FDTRX_SLOTS; i++)
		if (x->slots[i].xml && x->slots[i].instance == instance)
			return &x->slots[i];
	return NULL;
}

static struct pw_fdtrx_slot *slot_oldest(struct pw_fdtrx *x)
{
	struct pw_fdtrx_slot *oldest = &x->slots[0];
	size_t i;

	for (i = 0; i < PW_FDTRX_SLOTS; i++)
		if (x->slots[i].used < oldest->used)
			oldest = &x->slots[i];
	return oldest;
}

static struct pw_fdtrx_slot *slot_open(
	struct pw_fdtrx *x, const struct pw_alc_hdr *hdr, const struct pw_blocks *b)
{
	struct pw_fdtrx_slot *s = slot_oldest(x);

	slot_free(x, s);
	if (b->transfer_len > *x->left_bytes)
		return NULL;
	s->xml = malloc(b->transfer_len);
	s->bits = calloc(pw_div_ceil(b->n_symbols, 64), sizeof(*s->bits));
	if (!s->xml || !s->bits) {
		slot_free(x, s);
		return NULL;
	}
	*x->left_bytes -= b->transfer_len;
	s->blocks = *b;
	s->n_missing = b->n_symbols;
	s->instance = hdr->fdt_instance;
	return s;
}

static bool same_geometry(const struct pw_blocks *a, const struct pw_blocks *b)
{
	return a->transfer_len == b->transfer_len && a->symbol_len == b->symbol_len &&
	       a->max_sbl == b->max_sbl && a->fec_id == b->fec_id;
}

static int cut(struct pw_blocks *b, const struct pw_alc_hdr *hdr)
{
	if (hdr->codepoint == PW_FEC_ID_RS)
		return pw_blocks_init_rs(
			b, hdr->transfer_len, hdr->symbol_len, hdr->max_sbl, hdr->max_n, NULL);
	return pw_blocks_init(b, hdr->transfer_len, hdr->symbol_len, hdr->max_sbl, NULL);
}

/* The slot that the packet belongs to; a new one if necessary. *bad: the packet is at fault. */
static struct pw_fdtrx_slot *slot_for(struct pw_fdtrx *x, const struct pw_alc_hdr *hdr, bool *bad)
{
	struct pw_fdtrx_slot *s = slot_find(x, hdr->fdt_instance);
	struct pw_blocks b;

	*bad = false;
	if (!hdr->has_fti)
		return s;
	*bad = true;
	if (hdr->transfer_len == 0 || hdr->transfer_len > PW_FDT_MAX_BYTES || cut(&b, hdr) < 0)
		return NULL;
	if (s && same_geometry(&s->blocks, &b)) {
		*bad = false;
		return s;
	}
	/* Two lengths or symbol sizes under one number: collect the newer one, which may be right. */
	if (s)
		slot_free(x, s);
	*bad = s != NULL;
	return slot_open(x, hdr, &b);
}

/* Copies one symbol to the slot; false: it does not fit the instance. Parity symbols are ignored: senders repeat
 * their tables. The last symbol of an object with parity may be padded. */
static bool place(
	struct pw_fdtrx_slot *s, const struct pw_alc_hdr *hdr, const uint8_t *payload, size_t len)
{
	uint64_t index, bit;

	const struct pw_blocks *b = &s->blocks;
	const uint32_t k = pw_blocks_block_len(b, hdr->sbn);
	uint32_t want;

	if (hdr->codepoint != b->fec_id)
		return false;
	if (!pw_blocks_index(b, hdr->sbn, hdr->esi, &index))
		return hdr->esi < k + pw_blocks_parity(b, hdr->sbn);
	want = pw_blocks_symbol_bytes(b, index);
	if (len != want && (b->fec_id != PW_FEC_ID_RS || len != b->symbol_len))
		return false;
	bit = 1ull << (index % 64);
	if (s->bits[index / 64] & bit)
		return true;
	s->bits[index / 64] |= bit;
	s->n_missing--;
	memcpy(s->xml + index * b->symbol_len, payload, want);
	return true;
}

enum pw_fdtrx_outcome pw_fdtrx_take(struct pw_fdtrx *x, const struct pw_alc_hdr *hdr,
	const uint8_t *payload, size_t len, struct pw_fdtrx_slot **slot)
{
	struct pw_fdtrx_slot *s;
	bool bad;

	if (!hdr->has_fdt)
		return PW_FDTRX_BAD;
	s = slot_for(x, hdr, &bad);
	if (!s)
		return bad ? PW_FDTRX_BAD : PW_FDTRX_WAIT;
	s->used = ++x->n_packets;
	s->encoding = hdr->has_cenc ? pw_alc_cenc_encoding(hdr->cenc) : PW_ENCODING_IDENTITY;
	if (!place(s, hdr, payload, len))
		return PW_FDTRX_BAD;
	if (s->n_missing)
		return bad ? PW_FDTRX_BAD : PW_FDTRX_WAIT;
	s->hash = XXH3_64bits(s->xml, s->blocks.transfer_len);
	if (is_seen(x, s)) {
		slot_free(x, s);
		return PW_FDTRX_WAIT;
	}
	*slot = s;
	return PW_FDTRX_WHOLE;
}

void pw_fdtrx_done(struct pw_fdtrx *x, struct pw_fdtrx_slot *slot, bool good)
{
	if (good)
		*seen_at(x, slot->instance) = (struct pw_fdtrx_seen){
			.len_bytes = slot->blocks.transfer_len,
			.hash = slot->hash,
			.instance = slot->instance,
		};
	slot_free(x, slot);
}

void pw_fdtrx_forget(struct pw_fdtrx *x)
{
	memset(x->seen, 0, sizeof(x->seen));
}

void pw_fdtrx_finish(struct pw_fdtrx *x)
{
	size_t i;

	for (i = 0; i < PW_FDTRX_SLOTS; i++)
		slot_free(x, &x->slots[i]);
}
