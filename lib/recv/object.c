/* SPDX-License-Identifier: BSD-3-Clause */
#include "recv/object.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "file/digest.h"
#include "recv/leafnotes.h"
#include "recv/state.h"
#include "wire/alc.h"

static uint64_t n_words(const struct pw_blocks *b)
{
	return pw_div_ceil(b->n_symbols, 64);
}

int pw_object_blocks(const struct pw_object *o, struct pw_blocks *b, struct pw_err *err)
{
	if (o->fec_id == PW_FEC_ID_RS)
		return pw_blocks_init_rs(b, o->len_bytes, o->symbol_len, o->max_sbl,
			o->max_n ? o->max_n : o->max_sbl, err);
	return pw_blocks_init(b, o->len_bytes, o->symbol_len, o->max_sbl, err);
}

static bool has_parity(const struct pw_blocks *b)
{
	return b->max_n > b->max_sbl;
}

static uint64_t parity_bytes(const struct pw_blocks *b)
{
	return has_parity(b) ? sizeof(struct pw_parity) + b->n_blocks * sizeof(void *) : 0;
}

uint64_t pw_part_bytes(const struct pw_blocks *b)
{
	return parity_bytes(b) + sizeof(struct pw_part) + n_words(b) * sizeof(uint64_t) +
	       (b->transfer_len < PW_PART_LARGE_BYTES ? 0 : PW_DIGEST_STATE_BYTES) +
	       pw_leaf_notes_bytes(b->transfer_len);
}

/* Symbols [*first, result) that range i touches, without those before *done, which earlier ranges touched. */
static uint64_t touched(const struct pw_gap_file *gap, size_t i, const struct pw_blocks *b,
	uint64_t *done, uint64_t *first)
{
	uint64_t end = (gap->missing[i].to - 1) / b->symbol_len + 1;

	*first = pw_max_u64(gap->missing[i].from / b->symbol_len, *done);
	if (end <= *first)
		return *first;
	*done = end;
	return end;
}

uint64_t pw_gap_have_bytes(const struct pw_gap_file *gap, const struct pw_blocks *b)
{
	uint64_t have = b->transfer_len, done = 0, first, end;
	size_t i;

	for (i = 0; i < gap->n_missing; i++) {
		end = touched(gap, i, b, &done, &first);
		if (end > first)
			have -= pw_min_u64(end * b->symbol_len, b->transfer_len) -
				first * b->symbol_len;
	}
	return have;
}

static void resume_part(struct pw_part *p, const struct pw_gap_file *gap)
{
	uint64_t done = 0, first, end, i;
	size_t range;

	for (i = 0; i < n_words(&p->blocks); i++)
		atomic_init(&p->claims[i], UINT64_MAX);
	for (range = 0; range < gap->n_missing; range++) {
		end = touched(gap, range, &p->blocks, &done, &first);
		for (; first < end; first++)
			atomic_fetch_and_explicit(&p->claims[first / 64], ~(1ull << (first % 64)),
				memory_order_relaxed);
	}
	atomic_init(&p->missing_bytes, p->blocks.transfer_len - pw_gap_have_bytes(gap, &p->blocks));
	p->resumed = true;
}

struct pw_part *pw_part_create(
	struct pw_object *o, const struct pw_blocks *b, const struct pw_gap_file *gap)
{
	/* calloc(): the pages of a large bitmap take memory only when symbols come. */
	struct pw_part *p = calloc(1, sizeof(*p) + n_words(b) * sizeof(p->claims[0]));

	if (!p)
		return NULL;
	if (has_parity(b)) {
		p->parity = calloc(1, parity_bytes(b));
		if (!p->parity) {
			free(p);
			return NULL;
		}
	}
	p->blocks = *b;
	p->obj = o;
	atomic_init(&p->shut, true);
	atomic_init(&p->missing_bytes, b->transfer_len);
	if (gap)
		resume_part(p, gap);
	return p;
}

void pw_part_destroy(struct pw_part *p)
{
	if (!p)
		return;
	pw_outfile_close(p->file);
	pw_digest_destroy(p->digest);
	free(p->parity);
	free(p->notes);
	free(p);
}

void pw_part_digest_reset(struct pw_part *p)
{
	atomic_store(&p->digest_at, 0);
	pw_leaf_notes_forget(p->notes, &p->blocks, 0, p->blocks.transfer_len);
	pw_digest_destroy(p->digest);
	p->digest = NULL;
}

void pw_part_reset(struct pw_part *p)
{
	uint64_t i;

	for (i = 0; i < n_words(&p->blocks); i++)
		if (atomic_load_explicit(&p->claims[i], memory_order_relaxed)) /* else no memory */
			atomic_store_explicit(&p->claims[i], 0, memory_order_relaxed);
	atomic_store(&p->missing_bytes, p->blocks.transfer_len);
	pw_part_digest_reset(p);
	p->resumed = false;
	if (p->file)
		pw_outfile_rewrite(p->file);
}

uint64_t pw_part_forget(struct pw_part *p, uint64_t from, uint64_t to)
{
	const struct pw_blocks *b = &p->blocks;
	uint64_t i, bit, bytes = 0;

	for (i = from / b->symbol_len; i < b->n_symbols && i * b->symbol_len < to; i++) {
		bit = 1ull << (i % 64);
		if (atomic_fetch_and_explicit(&p->claims[i / 64], ~bit, memory_order_relaxed) & bit)
			bytes += pw_blocks_symbol_bytes(b, i);
	}
	atomic_fetch_add(&p->missing_bytes, bytes);
	pw_leaf_notes_forget(p->notes, b, from, to);
	return bytes;
}

/* Only XXH3 is fast enough not to delay packets. A digest that comes later is XXH3, unless the sender was set
 * to use another one. */
void pw_part_digest_start(struct pw_part *p)
{
	const struct pw_object *o = p->obj;

	if (p->blocks.transfer_len >= PW_PART_LARGE_BYTES && !p->digest &&
		atomic_load(&p->digest_at) == 0 &&
		(o->digest.kind == PW_DIGEST_XXH3_128 || o->digest_due))
		pw_digest_create(&p->digest, PW_DIGEST_XXH3_128, NULL);
}

uint64_t pw_part_next(const struct pw_part *p, uint64_t index, uint64_t end, bool set)
{
	uint64_t word;

	while (index < end) {
		word = atomic_load_explicit(&p->claims[index / 64], memory_order_acquire);
		word = (set ? word : ~word) >> (index % 64);
		if (word)
			return pw_min_u64(index + (uint64_t)__builtin_ctzll(word), end);
		index = (index / 64 + 1) * 64;
	}
	return end;
}

uint64_t pw_part_count_clear(const struct pw_part *p, uint64_t from, uint64_t to)
{
	uint64_t n = 0, end;

	for (from = pw_part_next(p, from, to, false); from < to;
		from = pw_part_next(p, end, to, false)) {
		end = pw_part_next(p, from, to, true);
		n += end - from;
	}
	return n;
}

uint64_t pw_part_expected(const struct pw_part *p)
{
	return atomic_load_explicit(&p->passed, memory_order_relaxed) +
	       (p->resumed ? 0 : atomic_load_explicit(&p->reached, memory_order_relaxed));
}

uint64_t pw_object_have(const struct pw_object *o)
{
	if (pw_recv_state_is_good(o->state))
		return o->len_bytes;
	if (!o->part)
		return o->resumed_bytes;
	return o->len_bytes - atomic_load_explicit(&o->part->missing_bytes, memory_order_relaxed);
}

void pw_object_reason(struct pw_object *o, const char *reason, bool copy)
{
	if (o->reason_owned)
		free((void *)(uintptr_t)o->reason);
	o->reason = copy && reason ? strdup(reason) : reason;
	o->reason_owned = copy && reason;
}

bool pw_digest_agrees(const struct pw_digest *a, const struct pw_digest *b)
{
	return a->kind == PW_DIGEST_NONE || b->kind == PW_DIGEST_NONE || a->kind != b->kind ||
	       !memcmp(a->bytes, b->bytes, pw_digest_len(a->kind));
}

bool pw_object_is(const struct pw_object *o, const struct pw_fdt_file *f, const char *name)
{
	return !strcmp(o->name, name) &&
	       (!o->has_len || !f->has_len || o->len_bytes == f->transfer_len) &&
	       (!o->has_oti || !f->has_oti ||
		       (o->symbol_len == f->symbol_len && o->max_sbl == f->max_sbl &&
			       o->fec_id == f->fec_id && o->max_n == f->max_n)) &&
	       pw_digest_agrees(&o->digest, &f->digest);
}

bool pw_object_has_content(const struct pw_object *o, const struct pw_fdt_file *f)
{
	return o->has_len && f->has_len && o->has_oti && f->has_oti &&
	       o->len_bytes == f->transfer_len && o->symbol_len == f->symbol_len &&
	       o->max_sbl == f->max_sbl && o->fec_id == f->fec_id && o->max_n == f->max_n &&
	       o->digest.kind != PW_DIGEST_NONE && o->digest.kind == f->digest.kind &&
	       pw_digest_agrees(&o->digest, &f->digest);
}
