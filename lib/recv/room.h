/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The queues of packets that cannot be placed yet. A packet is copied and waits for one of three things. Each
 * kind has its own bound in bytes:
 *
 *   tables    for the file worker, which reads tables (TOI 0)
 *   files     for their file, which is being opened; listed in the object, only counted here
 *   unknown   for a table that names their object
 *
 * The receiver's lock protects all of it.
 */
#ifndef PW_RECV_ROOM_H
#define PW_RECV_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "path/path.h"

#define PW_ROOM_TABLES  (16ull << 20) /* full: the packet is dropped; senders repeat tables */
#define PW_ROOM_FILES   (64ull << 20) /* full: the lane waits for the file worker */
#define PW_ROOM_UNKNOWN (8ull << 20)  /* full: the oldest is dropped */

struct pw_waiting {
	struct pw_waiting *next;
	uint64_t seq; /* of arrival, tables and unknown objects counted together */
	uint64_t toi;
	struct pw_host_key from;
	uint32_t len;
	uint8_t bytes[];
};

struct pw_room {
	struct pw_waiting *tables, **tables_end;
	struct pw_waiting *unknown, **unknown_end;
	uint64_t table_bytes, file_bytes, unknown_bytes;
	uint64_t taken_bytes; /* of unknown objects: the caller has them, and may put them back */
	uint64_t seq;
};

void pw_room_init(struct pw_room *room);
void pw_room_finish(struct pw_room *room); /* accepts a zeroed one */
struct pw_waiting *pw_waiting_copy(const struct pw_rx_view *view, uint64_t toi); /* or NULL */
uint64_t pw_waiting_bytes(const struct pw_waiting *w); /* the memory that it takes */
void pw_waiting_free_list(struct pw_waiting *w);

bool pw_room_add_table(struct pw_room *room, const struct pw_rx_view *view); /* false: dropped */
uint64_t pw_room_unknown_bytes(const struct pw_room *room); /* those that were taken included */
/* Returns how many packets were dropped: the oldest, or this one when memory is short. */
unsigned int pw_room_add_unknown(
	struct pw_room *room, const struct pw_rx_view *view, uint64_t toi, bool bounded);
/* A packet that was taken still has no table. Drops no other; returns 1 if memory is short. */
unsigned int pw_room_put_back(struct pw_room *room, const struct pw_rx_view *view, uint64_t toi);
size_t pw_room_n_unknown(const struct pw_room *room);
struct pw_waiting *pw_room_take_tables(struct pw_room *room);
/* Takes those that arrived before `seq`. The caller may put some of them back. All the others count as well, until
 * it has placed the last one and sets taken_bytes to 0. */
struct pw_waiting *pw_room_take_unknown(struct pw_room *room, uint64_t seq);

#endif
