/* SPDX-License-Identifier: BSD-3-Clause */
#include "send/work.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "path/path.h"

#define CHUNK_BURSTS \
	16            /* at most: the lanes share the cursor's cache line once in so many bursts */
#define CHUNKS_EACH 4 /* at least, of a small file, for each lane */

void pw_work_clear(struct pw_work *w)
{
	w->n = 0;
	w->n_chunks = 0;
	w->n_pieces = 0;
	atomic_store(&w->cursor, 0);
	atomic_store(&w->n_ready, 0);
}

static int add(struct pw_work *w, struct pw_work_item item, struct pw_err *err)
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
	w->items[w->n++] = item;
	w->n_chunks += pw_div_ceil(item.to - item.from, item.chunk_symbols);
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

	return from < to ? add(w, item, err) : 0;
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
	int r = from < to ? add(w, item, err) : 0;

	if (r == 0 && from < to)
		w->n_pieces += pw_div_ceil(to - from, piece_symbols);
	return r;
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
	*chunk = (struct pw_work_chunk){
		.file = it->file,
		.number = number,
		.from = it->from + nth * it->chunk_symbols,
		.piece = it->first_piece,
	};
	chunk->to = pw_min_u64(chunk->from + it->chunk_symbols, it->to);
	if (it->first_piece != PW_WORK_IN_PLACE)
		chunk->piece += nth;
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
	*w = (struct pw_work){0};
}
