/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bands of streamed files with parity that are in the ring. All blocks of a band are sent in turns, so its symbols
 * stay in the ring together, in slots of which some hold parity:
 *
 *   band     |slot: parity|slot: source|slot: source|...    one window of source symbols, one of parity
 *   reader   open -> add a slot, compute the parity of the blocks that are whole -> add ...
 *   lanes    send from both windows -> leave, when the driver has released them; the last lane gives the slots back
 *
 * Bands are numbered through the session. Each lane leaves them in order, and counts the packets that are in flight
 * in windows of its own.
 */
#ifndef PW_SEND_BANDS_H
#define PW_SEND_BANDS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "file/stream.h"
#include "send/lane.h"

/* One of the two windows of a band, as the reader fills it. */
struct pw_send_band_part {
	struct pw_window win;
	uint32_t room;               /* of win.extents */
	_Atomic uint32_t n_readable; /* of them, by lanes */
};

/* Of one lane, on cache lines of its own: packets in flight are counted in them. */
struct pw_send_band_wins {
	_Alignas(64) struct pw_window source;
	struct pw_window parity;
};

struct pw_send_band {
	struct pw_send_band_part source, parity;
	uint32_t *slots; /* of the ring */
	uint32_t n_slots, slot_room;
	struct pw_send_band_wins *wins; /* one for each lane */
	atomic_uint n_left;             /* lanes */
	bool is_open;
	uint64_t source_to;  /* the reader's: symbols below it are in the ring ... */
	uint32_t next_block; /* ... and blocks below it have parity */
};

struct pw_send_bands {
	struct pw_stream *ring;
	struct pw_send_band *v;
	uint32_t n, n_lanes;
	uint32_t slot_extents; /* of a slot's window, at most */
};

/* After the ring is attached. -ENOMEM. *b belongs to the caller. */
int pw_send_bands_create(
	struct pw_send_bands **b, struct pw_stream *ring, uint32_t n_lanes, struct pw_err *err);

/* The reader's thread. The band that begins with first_block, for so many pieces; one that is open stays so. -ENOMEM. */
int pw_send_bands_open(struct pw_send_bands *b, struct pw_send_band **band, uint64_t number,
	uint32_t first_block, uint64_t n_source, uint64_t n_parity, struct pw_err *err);
/* The piece has been taken from the ring. */
void pw_send_bands_add(struct pw_send_bands *b, struct pw_send_band *band,
	const struct pw_stream_piece *piece, uint32_t slot);

/* A lane's thread. The window of a band whose symbols may be sent. */
struct pw_window *pw_send_bands_window(
	struct pw_send_bands *b, uint64_t number, const struct pw_send_lane *lane, bool is_parity);
/* Leaves the bands that the lane has passed, as far as the driver has released them. True: all of them. */
bool pw_send_bands_leave(struct pw_send_bands *b, struct pw_send_lane *lane);

/* Before the ring. Slots that the driver still holds are marked so. Accepts NULL. */
void pw_send_bands_destroy(struct pw_send_bands *b);

#endif
