/* SPDX-License-Identifier: BSD-3-Clause */
#include "xfer/object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "page/digest.h"

uint64_t pw_part_bytes(const struct pw_blocks *b)
{
	return sizeof(struct pw_part) + pw_div_ceil(b->n_symbols, 64) * sizeof(uint64_t) +
	       (b->transfer_len < PW_PART_LARGE_BYTES ? 0 : PW_DIGEST_STATE_BYTES);
}

/* Symbols [first, end) that range i touches, less those that an earlier range touched: *done. */
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

static void take_up(struct pw_part *p, const struct pw_gap_file *gap)
{
	uint64_t done = 0, first, end;
	size_t i;

	memset(p->bits, 0xff, pw_div_ceil(p->blocks.n_symbols, 64) * sizeof(p->bits[0]));
	p->n_missing = 0;
	for (i = 0; i < gap->n_missing; i++) {
		end = touched(gap, i, &p->blocks, &done, &first);
		p->n_missing += end - first;
		for (; first < end; first++)
			p->bits[first / 64] &= ~(1ull << (first % 64));
	}
	p->resumed = true;
}

int pw_part_create(struct pw_object *o, const struct pw_blocks *b, struct pw_err *err)
{
	/* calloc: a large bitmap takes memory only where symbols come. */
	struct pw_part *p = calloc(1, pw_part_bytes(b));

	if (!p)
		return pw_err_sys(err, ENOMEM, "receive %s", o->name);
	p->blocks = *b;
	p->n_missing = b->n_symbols;
	p->is_large = b->transfer_len >= PW_PART_LARGE_BYTES;
	p->map.guard = -1;
	p->obj = o;
	if (o->gap)
		take_up(p, o->gap);
	o->part = p;
	return 0;
}

void pw_part_destroy(struct pw_object *o)
{
	if (!o->part)
		return;
	pw_mapping_close(&o->part->map);
	pw_digest_destroy(o->part->digest);
	free(o->part->claims);
	free(o->part);
	o->part = NULL;
}

/* SHA-256 and MD5 would hold the packets up. One that is to come is XXH3, unless somebody asked for
 * another. */
void pw_part_digest_start(struct pw_part *p)
{
	if (p->is_large && !p->digest && !p->digested_bytes &&
		(p->obj->digest.kind == PW_DIGEST_XXH3_128 || p->obj->digest_due))
		pw_digest_create(&p->digest, PW_DIGEST_XXH3_128, NULL);
}

int pw_part_claims_start(struct pw_part *p)
{
	const uint64_t n_words = pw_div_ceil(p->blocks.n_symbols, 64);

	if (p->claims)
		return 0; /* nobody writes: they are what the bits are */
	p->claims = calloc(n_words, sizeof(*p->claims));
	if (!p->claims)
		return -ENOMEM;
	if (p->n_missing < p->blocks.n_symbols)
		memcpy(p->claims, p->bits, n_words * sizeof(*p->claims));
	return 0;
}

/* As pw_part_next(), below end. */
static uint64_t next_below(const struct pw_part *p, uint64_t index, uint64_t end, bool set)
{
	uint64_t word;

	while (index < end) {
		word = set ? p->bits[index / 64] : ~p->bits[index / 64];
		word >>= index % 64;
		if (word)
			return pw_min_u64(index + (uint64_t)__builtin_ctzll(word), end);
		index = (index / 64 + 1) * 64;
	}
	return end;
}

uint64_t pw_part_digest_due(const struct pw_part *p, uint64_t most_bytes)
{
	const uint64_t len = p->blocks.symbol_len, first = p->digested_bytes / len;
	const uint64_t most = pw_min_u64(first + most_bytes / len, p->blocks.n_symbols);

	return pw_min_u64(next_below(p, first, most, false) * len, p->blocks.transfer_len) -
	       p->digested_bytes;
}

void pw_part_digest_more(struct pw_part *p)
{
	uint64_t n = pw_part_digest_due(p, PW_PART_DIGEST_STEP);

	if (n == 0)
		return;
	pw_digest_update(p->digest, p->map.base + p->digested_bytes, n);
	p->digested_bytes += n;
}

uint64_t pw_part_next(const struct pw_part *p, uint64_t index, bool set)
{
	return next_below(p, index, p->blocks.n_symbols, set);
}

uint64_t pw_part_count_clear(const struct pw_part *p, uint64_t from, uint64_t to)
{
	uint64_t n = 0, end;

	while (from < to) {
		from = pw_part_next(p, from, false);
		if (from >= to)
			break;
		end = pw_min_u64(pw_part_next(p, from, true), to);
		n += end - from;
		from = end;
	}
	return n;
}

void pw_object_reason(struct pw_object *o, const char *reason, bool copy)
{
	if (o->reason_owned)
		free((void *)(uintptr_t)o->reason);
	o->reason = copy ? strdup(reason) : reason;
	o->reason_owned = copy;
}
