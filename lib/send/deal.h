/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who sends what: the symbols of a group of files, cut into chunks that any thread takes, each once.
 *
 *   item 0  |chunk 0|chunk 1|chunk 2|   a chunk never crosses an item;   cursor: the next one
 *   item 1  |chunk 3|
 *
 * A thread that is held up takes fewer, and all are near the same place of the file, so that what the
 * receiver has of it stays in one piece. Filled by one thread, then taken from by any.
 */
#ifndef PW_SEND_DEAL_H
#define PW_SEND_DEAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct pw_deal_item {
	size_t what; /* the caller's */
	uint64_t from, to;
	uint64_t first_chunk;
	uint64_t chunk; /* symbols in one */
};

struct pw_deal {
	struct pw_deal_item *items;
	size_t n, room;
	uint64_t n_chunks;
	_Atomic uint64_t cursor;
};

/* What a thread takes chunks with; zeroed when the deal is new. */
struct pw_deal_hand {
	size_t item;
};

/* Empties it, memory stays. */
void pw_deal_clear(struct pw_deal *d);
/* Symbols [from, to) of `what`, for n_hands threads. */
int pw_deal_add(struct pw_deal *d, size_t what, uint64_t from, uint64_t to, uint32_t n_hands,
	struct pw_err *err);
/* The next chunk, or false when all are taken. Any thread. */
bool pw_deal_take(
	struct pw_deal *d, struct pw_deal_hand *h, size_t *what, uint64_t *from, uint64_t *to);
void pw_deal_finish(struct pw_deal *d);

#endif
