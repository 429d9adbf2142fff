/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lane of the sender: one queue of a path, and what the thread needs that sends through it. Its loop:
 *
 *   take a range from the source -> wait for the rate -> burst -> account -> ...
 *
 * A session has one lane for each queue. They differ only in look(): lane 0 belongs to the session's
 * thread, whose look() checks the clock, the link and the stop flag; the look() of the other lanes checks
 * what that thread has found.
 *
 * One thread at a time uses a lane: the lane's own while it sends, the session's while it is parked.
 */
#ifndef PW_SEND_LANE_H
#define PW_SEND_LANE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/quickclock.h"
#include "path/path.h"
#include "send/late.h"
#include "send/pace.h"

/* Symbols [from, to) of an object, or frames[from] to frames[to - 1]; they lie in its window. With a run: symbols
 * [row, row + run) of each of the blocks [first_block, end_block). */
struct pw_send_range {
	struct pw_tx_object *obj;
	uint64_t from, to;
	uint32_t first_block, end_block, row, run;
	const struct pw_blocks
		*parity_of; /* obj is the parity of a file that is cut so; else NULL */
	const struct pw_tx_frame *frames; /* NULL: symbols */
	uint32_t mean_len;                /* of the frames */
};

struct pw_send_lane;

/* Where a lane gets its symbols or frames from. */
struct pw_send_source {
	/* 1: *range is the lane's next range. 0: there is none left. -errno with err. The path has taken
	 * the previous range. */
	int (*next)(void *ctx, struct pw_send_lane *lane, struct pw_send_range *range,
		struct pw_err *err);
	void *ctx;
};

/* What the session's thread shares with all lanes. */
struct pw_lane_shared {
	const struct pw_log *log;
	uint32_t n_lanes;         /* there may be more of them than CPUs */
	atomic_bool stop;         /* give up the work */
	_Atomic uint64_t down_ns; /* since when the link is down; 0: it is up */
	_Atomic uint64_t
		lane_bps; /* of each lane, where the rate changes while it is held; 0: it does not */
};

struct pw_send_lane {
	_Alignas(64) const struct pw_tx_ops *ops;
	void *path;
	uint32_t index;
	const char *path_text; /* PORT, for messages */
	uint32_t queue;        /* of it */
	uint16_t src_port;     /* differs, so that a receiver's RSS separates the lanes */
	struct pw_lane_shared *shared;

	/* Called a few thousand times a second, and while the path takes nothing: stalled_ns is
	 * for how long, 0: the path takes packets. Returns 0, -ECANCELED to give up, or -errno with err. */
	int (*look)(struct pw_send_lane *lane, uint64_t now_ns, uint64_t stalled_ns,
		struct pw_err *err);
	/* Sends the session's own packets between two bursts; NULL: there are none. */
	int (*between)(struct pw_send_lane *lane, uint64_t now_ns, struct pw_err *err);
	void *owner; /* of look() and between() */

	struct pw_pace pace;
	uint64_t bps;         /* that the pacer was told last; 0: nothing */
	struct pw_late *late; /* frames go when they are due, and this counts; NULL: by the rate */
	struct pw_quickclock clock; /* the pacer's */
	uint64_t next_look_ns;      /* with a rate */
	uint32_t n_bursts;          /* without one: since the last look */

	size_t work_item; /* where its last chunk lay */
	uint32_t *held;   /* slots of the ring that it has sent, in order */
	uint32_t n_held;
	uint64_t bands_passed, bands_left; /* of send/bands.h: numbers below it */

	_Atomic uint64_t bytes; /* of files, handed over; the other threads read it */
	uint64_t parity_packets;
	uint64_t busy_cycles, stall_cycles, pace_cycles, read_cycles;
};

/* Sends all that the source has for this lane. 0, -ECANCELED, or -errno with err. */
int pw_lane_send(
	struct pw_send_lane *lane, const struct pw_send_source *source, struct pw_err *err);

/* One small packet that is copied whole: header template and payload. Waits while the path is full. */
int pw_lane_control(struct pw_send_lane *lane, const struct pw_frame_tmpl *t, const void *payload,
	size_t len, struct pw_err *err);

/* Waits, and meanwhile calls look() and takes back what the path has sent. Ends early with look()'s error. */
int pw_lane_pause(struct pw_send_lane *lane, uint64_t ns, struct pw_err *err);

/* Waits until the pacer permits the next packet: then the time of the earlier ones has passed. */
int pw_lane_await_rate(struct pw_send_lane *lane, struct pw_err *err);

/* Sleeps, and does not read the clock. */
void pw_lane_nap(uint64_t ns);

#endif
