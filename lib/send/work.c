/* SPDX-License-Identifier: BSD-3-Clause */
#include "send/work.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "path/path.h"

#define CHUNK_BURSTS \
	16 /* at most: the lanes share the cursor's cache line once in so many bursts */
#define TURN_SYMBOLS 256 /* of a chunk that is sent in turns */
#define CHUNKS_EACH  4   /* at least, of a small file, for each lane */

void pw_work_clear(struct pw_work *w)
{
	w->n = 0;
	w->n_chunks = 0;
	w->n_runs = 0;
	w->n_pieces = 0;
	w->n_bands = 0;
	atomic_store(&w->cursor, 0);
	atomic_store(&w->n_ready, 0);
}

/* Chunks of each turn. */
static uint64_t turn_chunks(const struct pw_work_item *it)
{
	return pw_div_ceil(it->end_block - it->first_block, it->chunk_blocks);
}

static int add(struct pw_work *w, struct pw_work_item item, uint64_t n_chunks, struct pw_err *err)
{
	if (w->n == w->room) {
		size_t room = w->room ? 2 * w->room : 64;
		struct pw_work_item *items = reallocarray(w->items, room, sizeof(*items));

		if (!items)
			return pw_err_set(err, ENOMEM, "cannot list the symbols: out of memory");
		w->items = items;
		w->room = room;
	}
	item.first_chunk = w->n_chunks;
	item.band = w->n_bands;
	w->items[w->n++] = item;
	w->n_chunks += n_chunks;
	return 0;
}

static int add_run(struct pw_work *w, struct pw_work_run run, struct pw_err *err)
{
	if (w->n_runs == w->run_room) {
		size_t room = w->run_room ? 2 * w->run_room : 64;
		struct pw_work_run *runs = reallocarray(w->runs, room, sizeof(*runs));

		if (!runs)
			return pw_err_set(err, ENOMEM, "cannot list the symbols: out of memory");
		w->runs = runs;
		w->run_room = room;
	}
	run.first_piece = w->n_pieces;
	w->runs[w->n_runs++] = run;
	w->n_pieces += pw_div_ceil(run.to - run.from, run.symbols);
	return 0;
}

int pw_work_add(struct pw_work *w, size_t file, uint64_t from, uint64_t to, uint32_t n_lanes,
	struct pw_err *err)
{
	uint64_t bursts = pw_div_ceil(to - from, (uint64_t)PW_BURST * CHUNKS_EACH * n_lanes);
	struct pw_work_item item = {
		.file = file,
		.from = from,
		.to = to,
		.chunk_symbols = pw_min_u64(pw_max_u64(bursts, 1), CHUNK_BURSTS) * PW_BURST,
		.first_piece = PW_WORK_IN_PLACE,
	};

	return from < to ? add(w, item, pw_div_ceil(to - from, item.chunk_symbols), err) : 0;
}

int pw_work_add_streamed(struct pw_work *w, size_t file, uint64_t from, uint64_t to,
	uint64_t piece_symbols, struct pw_err *err)
{
	struct pw_work_item item = {
		.file = file,
		.from = from,
		.to = to,
		.chunk_symbols = piece_symbols,
		.first_piece = w->n_pieces,
	};
	const struct pw_work_run run = {
		.file = file, .from = from, .to = to, .symbols = piece_symbols};
	int r = from < to ? add(w, item, pw_div_ceil(to - from, piece_symbols), err) : 0;

	return r == 0 && from < to ? add_run(w, run, err) : r;
}

/* The source symbols of a band, or its parity symbols. */
static struct pw_work_item turns_of(size_t file, const struct pw_work_band *band, bool is_parity)
{
	const struct pw_blocks *b = is_parity ? band->parity : band->source;

	return (struct pw_work_item){
		.file = file,
		.from = pw_blocks_first_symbol(b, band->first_block),
		.to = pw_blocks_first_symbol(b, band->end_block),
		.first_piece = PW_WORK_IN_PLACE,
		.first_block = band->first_block,
		.end_block = band->end_block,
		.run = band->run,
		.chunk_blocks = (uint32_t)pw_max_u64(TURN_SYMBOLS / band->run, 1),
		.is_parity = is_parity,
	};
}

static int add_turns(struct pw_work *w, const struct pw_work_item *item, const struct pw_blocks *b,
	struct pw_err *err)
{
	/* the first block is not shorter than the others */
	const uint64_t n_turns = pw_div_ceil(pw_blocks_block_len(b, item->first_block), item->run);

	return add(w, *item, n_turns * turn_chunks(item), err);
}

static int add_pieces(
	struct pw_work *w, struct pw_work_item *item, uint64_t symbols, struct pw_err *err)
{
	const struct pw_work_run run = {.file = item->file,
		.from = item->from,
		.to = item->to,
		.symbols = symbols,
		.is_parity = item->is_parity};

	item->first_piece = w->n_pieces;
	return add_run(w, run, err);
}

int pw_work_add_band(
	struct pw_work *w, size_t file, const struct pw_work_band *band, struct pw_err *err)
{
	struct pw_work_item source = turns_of(file, band, false);
	struct pw_work_item parity = turns_of(file, band, true);
	int r = 0;

	if (band->first_block >= band->end_block)
		return 0;
	if (band->piece_symbols) { /* the parity has its place before its source comes */
		r = add_pieces(w, &parity, band->piece_symbols, err);
		r = r ? r : add_pieces(w, &source, band->piece_symbols, err);
	}
	if (r == 0)
		r = add_turns(w, &source, band->source, err);
	if (r == 0)
		r = add_turns(w, &parity, band->parity, err);
	w->n_bands += band->piece_symbols > 0;
	return r;
}

/* Chunk number nth of an item that is sent in turns. */
static struct pw_work_chunk chunk_of_turn(const struct pw_work_item *it, uint64_t nth)
{
	const uint64_t each = turn_chunks(it);
	const uint32_t skip = (uint32_t)(nth % each) * it->chunk_blocks;

	return (struct pw_work_chunk){
		.from = it->from,
		.to = it->to,
		.first_block = it->first_block + skip,
		.end_block = (uint32_t)pw_min_u64(
			it->first_block + skip + it->chunk_blocks, it->end_block),
		.row = (uint32_t)(nth / each) * it->run,
		.run = it->run,
		.is_parity = it->is_parity,
	};
}

static struct pw_work_chunk chunk_in_order(const struct pw_work_item *it, uint64_t nth)
{
	const uint64_t from = it->from + nth * it->chunk_symbols;

	return (struct pw_work_chunk){
		.from = from, .to = pw_min_u64(from + it->chunk_symbols, it->to)};
}

bool pw_work_chunk(
	const struct pw_work *w, uint64_t number, size_t *item, struct pw_work_chunk *chunk)
{
	const struct pw_work_item *it;
	uint64_t nth;

	if (number >= w->n_chunks)
		return false;
	while (*item + 1 < w->n && w->items[*item + 1].first_chunk <= number)
		++*item;
	it = &w->items[*item];
	nth = number - it->first_chunk;
	*chunk = it->run ? chunk_of_turn(it, nth) : chunk_in_order(it, nth);
	chunk->file = it->file;
	chunk->number = number;
	chunk->band = it->band;
	chunk->piece = it->first_piece;
	if (it->first_piece != PW_WORK_IN_PLACE && !it->run)
		chunk->piece += nth;
	return true;
}

bool pw_work_piece(
	const struct pw_work *w, uint64_t number, size_t *run, struct pw_work_piece *piece)
{
	const struct pw_work_run *it;
	uint64_t from;

	if (number >= w->n_pieces)
		return false;
	while (*run + 1 < w->n_runs && w->runs[*run + 1].first_piece <= number)
		++*run;
	it = &w->runs[*run];
	from = it->from + (number - it->first_piece) * it->symbols;
	*piece = (struct pw_work_piece){.file = it->file,
		.from = from,
		.to = pw_min_u64(from + it->symbols, it->to),
		.is_parity = it->is_parity};
	return true;
}

bool pw_work_take(struct pw_work *w, size_t *item, struct pw_work_chunk *chunk)
{
	return pw_work_chunk(
		w, atomic_fetch_add_explicit(&w->cursor, 1, memory_order_relaxed), item, chunk);
}

void pw_work_finish(struct pw_work *w)
{
	free(w->items);
	free(w->runs);
	*w = (struct pw_work){0};
}
