/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The work of a group: the symbols of its files, cut into work chunks. A lane that has sent its chunk takes
 * the next one, so that every chunk is sent once, by any lane.
 *
 *   item 0  |chunk 0|chunk 1|chunk 2|    an item is a range of one file; a chunk never crosses an item
 *   item 1  |chunk 3|chunk 4|
 *               ^cursor     ^n_ready
 *
 * All lanes send from nearly the same place of a file, so the receiver gets it nearly in order. A slow lane
 * takes fewer chunks. The reader (send/reader.h) raises n_ready as the bytes of chunks
 * come into memory; chunks below it may be sent.
 *
 * A streamed file comes in pieces, for one slot of the ring each. Without parity a chunk is a piece. With parity the
 * chunks of a band need all its pieces; those for parity symbols, which nothing is read into, come before the others.
 *
 * The session fills it while the lanes are parked; then any thread takes chunks.
 */
#ifndef PW_SEND_WORK_H
#define PW_SEND_WORK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/blocks.h"

#define PW_WORK_IN_PLACE UINT64_MAX

struct pw_work_item {
	size_t file;       /* index in the group */
	uint64_t from, to; /* symbols */
	uint64_t first_chunk;
	uint64_t chunk_symbols;
	uint64_t first_piece; /* of a streamed file: number of a piece, from 0; PW_WORK_IN_PLACE */
	uint64_t band; /* of the streamed bands: its number, from 0; else that of the next one */
	/* In turns: blocks [first_block, end_block), `run` symbols of each in a turn. from and to are their
	 * symbols. run 0: in the order of the file. */
	uint32_t first_block, end_block, run, chunk_blocks;
	bool is_parity; /* symbols of the file's parity, not of the file */
};

/* Pieces for symbols [from, to) of a streamed file or of its parity: `symbols` in each but the last. */
struct pw_work_run {
	size_t file;
	uint64_t first_piece;
	uint64_t from, to, symbols;
	bool is_parity;
};

struct pw_work {
	struct pw_work_item *items;
	size_t n, room;
	uint64_t n_chunks;
	struct pw_work_run *runs; /* of pieces, in the order of the ring */
	size_t n_runs, run_room;
	uint64_t n_pieces;
	uint64_t n_bands; /* of streamed files with parity */
	_Atomic uint64_t cursor;
	_Atomic uint64_t n_ready;
};

struct pw_work_chunk {
	size_t file;
	uint64_t number;
	uint64_t from, to; /* symbols */
	uint64_t piece; /* the first one of the item if it is sent in turns; or PW_WORK_IN_PLACE */
	uint64_t band;  /* of the item */
	/* In turns: symbols [row, row + run) of each of the blocks [first_block, end_block); from and to are those of
	 * the item. run 0: symbols [from, to). */
	uint32_t first_block, end_block, row, run;
	bool is_parity;
};

struct pw_work_piece {
	size_t file;
	uint64_t from, to; /* symbols of the file, or of its parity */
	bool is_parity;
};

/* Removes all items. */
void pw_work_clear(struct pw_work *w);

/* Adds symbols [from, to) of a file in place, for n_lanes lanes. */
int pw_work_add(struct pw_work *w, size_t file, uint64_t from, uint64_t to, uint32_t n_lanes,
	struct pw_err *err);
/* The same for a streamed file: each chunk is a piece of at most piece_symbols, for one slot of the ring. */
int pw_work_add_streamed(struct pw_work *w, size_t file, uint64_t from, uint64_t to,
	uint64_t piece_symbols, struct pw_err *err);

/* Adds a band of a file with parity, in turns (send/parity.h): blocks [first_block, end_block) of `source`, then of
 * `parity`. piece_symbols: as above; 0: the file and its parity are in place. */
struct pw_work_band {
	const struct pw_blocks *source, *parity;
	uint32_t first_block, end_block, run;
	uint64_t piece_symbols;
};
int pw_work_add_band(
	struct pw_work *w, size_t file, const struct pw_work_band *band, struct pw_err *err);

/* Finds chunk `number`; false when there is none. *item: 0 before the first call, then kept by the caller:
 * the search continues there, so the numbers must rise. */
bool pw_work_chunk(
	const struct pw_work *w, uint64_t number, size_t *item, struct pw_work_chunk *chunk);
/* The same for pieces; *run: 0 before the first call. */
bool pw_work_piece(
	const struct pw_work *w, uint64_t number, size_t *run, struct pw_work_piece *piece);
/* Takes the next chunk; false when all are taken. Any thread. */
bool pw_work_take(struct pw_work *w, size_t *item, struct pw_work_chunk *chunk);

void pw_work_finish(struct pw_work *w);

#endif
