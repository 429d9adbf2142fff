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
	/* In turns: blocks [first_block, end_block), `run` symbols of each in a turn. from and to are their
	 * symbols. run 0: in the order of the file. */
	uint32_t first_block, end_block, run, chunk_blocks;
	bool is_parity; /* symbols of the file's parity, not of the file */
};

struct pw_work {
	struct pw_work_item *items;
	size_t n, room;
	uint64_t n_chunks;
	uint64_t n_pieces; /* of streamed files */
	_Atomic uint64_t cursor;
	_Atomic uint64_t n_ready;
};

struct pw_work_chunk {
	size_t file;
	uint64_t number;
	uint64_t from, to; /* symbols */
	uint64_t piece;    /* or PW_WORK_IN_PLACE */
	/* In turns: symbols [row, row + run) of each of the blocks [first_block, end_block); from and to are those of
	 * the item. run 0: symbols [from, to). */
	uint32_t first_block, end_block, row, run;
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

/* The same in turns (send/parity.h), for blocks [first_block, end_block) of b, which cuts the file or its parity. */
int pw_work_add_turns(struct pw_work *w, size_t file, bool is_parity, const struct pw_blocks *b,
	uint32_t first_block, uint32_t end_block, uint32_t run, struct pw_err *err);

/* Finds chunk `number`; false when there is none. *item: 0 before the first call, then kept by the caller:
 * the search continues there, so the numbers must rise. */
bool pw_work_chunk(
	const struct pw_work *w, uint64_t number, size_t *item, struct pw_work_chunk *chunk);
/* Takes the next chunk; false when all are taken. Any thread. */
bool pw_work_take(struct pw_work *w, size_t *item, struct pw_work_chunk *chunk);

void pw_work_finish(struct pw_work *w);

#endif
