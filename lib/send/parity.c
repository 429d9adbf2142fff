/* SPDX-License-Identifier: BSD-3-Clause */
#include "send/parity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "send/parity_private.h"

static bool read_number(const char **text, uint32_t *n)
{
	const char *at = *text;

	for (*n = 0; *at >= '0' && *at <= '9' && *n <= PW_RS_MAX_BLOCK_SYMBOLS; at++)
		*n = *n * 10 + (uint32_t)(*at - '0');
	if (at == *text)
		return false;
	*text = at;
	return true;
}

int pw_send_fec_parse(const char *text, struct pw_send_fec *fec, struct pw_err *err)
{
	const char *at = text;
	const bool is_read = read_number(&at, &fec->k) && *at++ == '+' &&
			     read_number(&at, &fec->r) && *at == '\0';

	if (fec->points == PW_RS_N_POINTS)
		fec->points = PW_RS_RFC;
	if (is_read && fec->k >= 1 && fec->r >= 1 && fec->k + fec->r <= PW_RS_MAX_BLOCK_SYMBOLS)
		return 0;
	return pw_err_set(err, EINVAL,
		"cannot use --fec %.40s: give K+R, for example 200+10: K source symbols and R "
		"parity symbols, at least 1 of each, of a block of %u at most",
		text, PW_RS_MAX_BLOCK_SYMBOLS);
}

/* One parity symbol: the rule of RFC 5510 section 6.3 would leave none for a block of fewer than max_sbl symbols. So max_sbl is the
 * longest block of the file; and if there are blocks of one symbol less, max_n allows two parity symbols, of
 * which one is sent. */
static int cut_for_one(struct pw_blocks *b, const struct pw_send_fec *fec, uint64_t len_bytes,
	uint32_t symbol_len, uint64_t n, struct pw_err *err)
{
	uint64_t k = fec->k, n_blocks = pw_div_ceil(n, k);

	if (n % n_blocks && k + 2 > PW_RS_MAX_BLOCK_SYMBOLS)
		n_blocks = pw_div_ceil(n, --k);
	k = pw_div_ceil(n, n_blocks);
	return pw_blocks_init_rs(
		b, len_bytes, symbol_len, (uint32_t)k, (uint32_t)k + (n % n_blocks ? 2 : 1), err);
}

int pw_send_fec_cut(struct pw_blocks *b, const struct pw_send_fec *fec, uint64_t len_bytes,
	uint32_t symbol_len, struct pw_err *err)
{
	const uint64_t n = pw_max_u64(pw_div_ceil(len_bytes, symbol_len), 1);
	const uint32_t k = (uint32_t)pw_min_u64(n, fec->k);

	if (fec->r == 1)
		return cut_for_one(b, fec, len_bytes, symbol_len, n, err);
	return pw_blocks_init_rs(b, len_bytes, symbol_len, k,
		k + (uint32_t)pw_div_ceil((uint64_t)fec->r * k, fec->k), err);
}

struct pw_blocks pw_send_fec_parity(const struct pw_send_fec *fec, const struct pw_blocks *source)
{
	struct pw_blocks b = *source;

	/* blocks of the same length have as much parity */
	b.a_large = (uint32_t)pw_min_u64(pw_blocks_parity(source, 0), fec->r);
	b.a_small = pw_blocks_parity(source, source->n_blocks - 1);
	b.n_symbols = pw_blocks_first_symbol(&b, b.n_blocks);
	b.transfer_len = b.n_symbols * b.symbol_len;
	return b;
}

static uint32_t run_of(const struct pw_send_fec *fec)
{
	return (uint32_t)pw_max_u64(fec->r / 2, 1);
}

uint64_t pw_send_fec_wanted(const struct pw_send_fec *fec, uint32_t symbol_len)
{
	const uint64_t block_bytes = (uint64_t)fec->k * symbol_len;

	if (fec->interleave_bytes)
		return pw_max_u64(fec->interleave_bytes / block_bytes, 1);
	return pw_div_ceil(PW_SEND_FEC_BURST, run_of(fec));
}

uint32_t pw_send_fec_fit(const struct pw_send_fec *fec, const struct pw_blocks *source,
	const struct pw_stream_plan *ring)
{
	const uint64_t symbols = ring->slot_bytes / source->symbol_len;
	const uint64_t each = source->a_large + pw_send_fec_parity(fec, source).a_large;
	/* the last slot of the source, and that of the parity, may be nearly empty */
	const uint64_t slots = ring->band_slots - pw_min_u64(ring->band_slots, 2);

	return (uint32_t)pw_min_u64(slots * symbols / each, UINT32_MAX);
}

struct pw_send_turns pw_send_fec_turns(const struct pw_send_fec *fec,
	const struct pw_blocks *source, const struct pw_stripe *stripe, uint64_t turn,
	uint32_t max_blocks)
{
	const uint64_t n = pw_stripe_is_shared(stripe) ? stripe->count : 1;
	const uint64_t part = (stripe->index + turn) % n;
	const uint32_t first = (uint32_t)(source->n_blocks * part / n);
	const uint32_t n_blocks = (uint32_t)(source->n_blocks * (part + 1) / n) - first;
	const uint64_t n_bands = pw_max_u64(n_blocks / pw_send_fec_wanted(fec, source->symbol_len),
		pw_div_ceil(n_blocks, max_blocks));

	return (struct pw_send_turns){
		.first_block = first,
		.n_blocks = n_blocks,
		.run = run_of(fec),
		.n_bands = (uint32_t)pw_max_u64(n_bands, 1),
	};
}

int pw_send_parity_new(struct pw_send_parity **out, const struct pw_send_fec *fec,
	const struct pw_blocks *source, const char *path, struct pw_err *err)
{
	struct pw_send_parity *p = calloc(1, sizeof(*p));
	int r = 0;

	if (p) {
		p->scratch = malloc((size_t)source->a_large * source->symbol_len);
		p->done = calloc(source->n_blocks / 8 + 1, 1);
	}
	if (!p || !p->scratch || !p->done) {
		pw_send_parity_destroy(p);
		return pw_err_set(err, ENOMEM, "cannot send %s: out of memory", path);
	}
	p->source = *source;
	p->blocks = pw_send_fec_parity(fec, source);
	r = pw_rs_create(&p->large, source->a_large, p->blocks.a_large, fec->points, err);
	if (r == 0)
		r = pw_rs_create(&p->small, source->a_small, p->blocks.a_small, fec->points, err);
	if (r)
		pw_send_parity_destroy(p);
	else
		*out = p;
	return r;
}

int pw_send_parity_create(struct pw_send_parity **out, const struct pw_send_fec *fec,
	const struct pw_blocks *source, const struct pw_stage_mem *mem, const char *path,
	struct pw_err *err)
{
	struct pw_send_parity *p;
	int r = pw_send_parity_new(&p, fec, source, path, err);

	if (r)
		return r;
	if (mem)
		r = pw_stage_alloc(
			&p->win, p->blocks.transfer_len, source->symbol_len, mem, path, err);
	else
		p->win.pages = PW_PAGES_STREAM;
	if (r)
		pw_send_parity_destroy(p);
	else
		*out = p;
	return r;
}

static const struct pw_extent *find_extent(
	const struct pw_window *win, const struct pw_extent *extent, uint64_t offset)
{
	extent = extent ? extent : win->extents;
	while (offset - extent->offset >= extent->len_bytes)
		extent++;
	return extent;
}

/* The source symbol `index`, of full length. */
static const uint8_t *source_symbol(const struct pw_send_parity *p, uint64_t index, uint32_t i,
	const struct pw_extent **extent, const struct pw_window *file)
{
	const uint64_t offset = index * p->source.symbol_len;
	const uint32_t len = pw_blocks_symbol_bytes(&p->source, index);
	uint8_t *copy = p->scratch + (size_t)i * p->source.symbol_len;
	uint64_t done = 0, part;

	*extent = find_extent(file, *extent, offset);
	if (len == p->source.symbol_len && offset + len <= (*extent)->offset + (*extent)->len_bytes)
		return (*extent)->va + (offset - (*extent)->offset);
	while (done < len) {
		const struct pw_extent *e = find_extent(file, *extent, offset + done);

		part = pw_min_u64(len - done, e->offset + e->len_bytes - (offset + done));
		memcpy(copy + done, e->va + (offset + done - e->offset), part);
		done += part;
	}
	memset(copy + len, 0, p->source.symbol_len - len);
	return copy;
}

void pw_send_parity_block(const struct pw_send_parity *p, const struct pw_window *file,
	const struct pw_window *parity_win, uint32_t sbn)
{
	const uint8_t *source[PW_RS_MAX_SYMBOLS];
	uint8_t *parity[PW_RS_MAX_SYMBOLS];
	const uint32_t k = pw_blocks_block_len(&p->source, sbn);
	const uint32_t n = pw_blocks_block_len(&p->blocks, sbn);
	const uint64_t first = pw_blocks_first_symbol(&p->source, sbn);
	const struct pw_extent *from = NULL, *to = NULL;
	uint64_t offset = pw_blocks_first_symbol(&p->blocks, sbn) * p->blocks.symbol_len;
	uint32_t i;

	for (i = 0; i < k; i++)
		source[i] = source_symbol(p, first + i, i, &from, file);
	for (i = 0; i < n; i++, offset += p->blocks.symbol_len) {
		to = find_extent(parity_win, to, offset);
		parity[i] = (uint8_t *)(uintptr_t)to->va + (offset - to->offset);
	}
	pw_rs_encode(sbn < p->source.n_large ? p->large : p->small, p->blocks.symbol_len, source,
		parity);
}

int pw_send_parity_make(struct pw_send_parity *p, const struct pw_window *file, uint32_t block,
	uint32_t end_block, const atomic_bool *stop)
{
	for (; p->n_done < p->source.n_blocks && block < end_block; block++) {
		const uint8_t bit = (uint8_t)(1u << block % 8);

		if (p->done[block / 8] & bit)
			continue;
		if (atomic_load_explicit(stop, memory_order_relaxed))
			return -ECANCELED;
		pw_send_parity_block(p, file, &p->win, block);
		p->done[block / 8] |= bit;
		p->n_done++;
	}
	return 0;
}

void pw_send_parity_destroy(struct pw_send_parity *p)
{
	if (!p)
		return;
	pw_rs_destroy(p->large);
	pw_rs_destroy(p->small);
	pw_window_close(&p->win);
	free(p->scratch);
	free(p->done);
	free(p);
}
