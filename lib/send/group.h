/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A group: the files of one file table, whose windows are open together, and the source that hands their
 * symbols out to the lanes.
 *
 *   file slots --> work chunks --> next(lane): a range in the file's window, in a slot of the ring, or in the
 *                                              slots of a band
 *
 * Files are sent in the order of the list. The session fills a group while the lanes are parked.
 */
#ifndef PW_SEND_GROUP_H
#define PW_SEND_GROUP_H

#include "file/stream.h"
#include "send/bands.h"
#include "send/slot.h"
#include "send/work.h"

struct pw_send_group {
	const struct pw_send_config *cfg;
	struct pw_send_slot *slots[PW_SEND_GROUP];
	size_t n;
	struct pw_work work;
	bool repairs;   /* the gaps are what receivers ask of this sender: no stripe's share */
	uint64_t bytes; /* of the files, in this pass */
	struct pw_stream *ring;      /* NULL until a file is streamed */
	struct pw_send_bands *bands; /* of the ring; NULL: files are sent without parity */
	uint64_t first_band;         /* number of the work's band 0 */
	uint32_t *
		piece_slots; /* of each piece: the ring's slot; the reader writes it before n_ready */
	atomic_bool
		is_starved; /* the reader waits for a slot of the ring: the lanes' paths keep all */
	struct pw_send_source source;
};

void pw_send_group_init(struct pw_send_group *g, const struct pw_send_config *cfg);
/* Lists the symbols of the slots for this pass, from 0. *reads: the reader must bring some into memory. */
int pw_send_group_plan(
	struct pw_send_group *g, uint64_t pass, uint32_t n_lanes, bool *reads, struct pw_err *err);
/* The file that is being sent when sent_bytes of the group have been handed over, and how many of them are
 * its own. NULL: the group has no symbols. */
void pw_send_group_position(const struct pw_send_group *g, uint64_t sent_bytes,
	const struct pw_send_slot **slot, uint64_t *file_bytes);
/* Gives back the ring slots and leaves the bands that the lane has sent, as far as the driver has released them. True when the
 * lane holds none any more. */
bool pw_send_group_give_back(struct pw_send_group *g, struct pw_send_lane *lane);
/* Removes the file slots and the work. */
void pw_send_group_clear(struct pw_send_group *g);
void pw_send_group_finish(struct pw_send_group *g); /* the ring and the slots are closed */

#endif
