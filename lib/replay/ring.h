/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A feed of any length through bounded memory: a thread reads the capture into slots ahead of the lane.
 *
 *   slot i     |  room  | data ........................ record |      the record ends in the next slot
 *   slot i+1            ... the record's beginning | data .... |      which gets a copy of its beginning
 *
 * So every record is whole in one slot. The copy, one record in a slot, is counted; of several lanes the first one that
 * comes to the slot makes it. A slot is read into again when all lanes have sent what they found in it; slots that are
 * freed later do not hold up the others.
 *
 * A lane's thread makes the calls of its feed.
 */
#ifndef PW_REPLAY_RING_H
#define PW_REPLAY_RING_H

#include "replay/feed.h"

#define PW_RING_SLOT_BYTES (1u << 20)
#define PW_RING_ROOM_BYTES (320u << 10) /* more than the longest frame with its headers */

struct pw_replay_ring; /* opaque */

struct pw_replay_ring_config {
	const char *path;   /* "-": standard input */
	uint64_t bytes;     /* of memory, at most */
	uint64_t out_bytes; /* of frames that the port may keep until it is handed more */
	uint64_t loops;     /* passes to read; 0: until the ring is destroyed */
	struct pw_stage_mem mem;
	const struct pw_tx_ops *ops;
	void *const *paths; /* of the lanes */
	uint32_t n_lanes;
	bool (*stopped)(void); /* asked by the reading thread as well; may be NULL */
};

struct pw_replay_ring_counts {
	uint64_t bytes;      /* read */
	uint64_t seam_bytes; /* copied from slot to slot */
	uint8_t copies;      /* of each byte by the CPU on its way into the ring */
};

/* -ENOMEM: bytes is too little, or there is not so much memory. */
int pw_replay_ring_create(
	struct pw_replay_ring **ring, const struct pw_replay_ring_config *cfg, struct pw_err *err);
/* For lane->index. The lane looks for a stop and asks for completed packets while the feed waits for data. capture: the
 * scanner's. */
struct pw_replay_feed pw_replay_ring_feed(
	struct pw_replay_ring *ring, struct pw_send_lane *lane, const struct pw_capture *capture);
/* While the lanes are parked. */
void pw_replay_ring_counts(const struct pw_replay_ring *ring, struct pw_replay_ring_counts *c);
/* Memory of a ring of so many bytes, as the heap counts it. */
uint64_t pw_replay_ring_memory(uint64_t bytes);
/* Ends the thread and frees the memory: no packet is in flight. Accepts NULL. */
void pw_replay_ring_destroy(struct pw_replay_ring *ring);

#endif
