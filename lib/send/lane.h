/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lane: one queue of a path, and all that is needed to feed it. The loop of the sender:
 *
 *   take a range from the source -> wait for the rate -> burst -> account -> ...
 *
 * A session has one lane for each queue. All are the same but for look(): lane 0 belongs to the
 * session's thread, which looks at the clock, the link and the stop flag there; the other lanes look at
 * what that thread has found.
 *
 * One thread at a time: the lane's own while it sends, the session's while it is parked.
 */
#ifndef PW_SEND_LANE_H
#define PW_SEND_LANE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/quickclock.h"
#include "path/path.h"
#include "send/pace.h"

/* Symbols [from, to) of an object; they lie in its window. */
struct pw_send_range {
	struct pw_tx_object *obj;
	uint64_t from, to;
};

struct pw_send_lane;

/* What a lane sends. */
struct pw_send_source {
	/* 1: the next range for this lane. 0: there is none left. -errno with err. The range before has
	 * been handed over to the path. */
	int (*next)(void *ctx, struct pw_send_lane *lane, struct pw_send_range *range,
		struct pw_err *err);
	void *ctx;
};

/* What the session's thread tells all lanes. */
struct pw_lane_shared {
	const char *path_text;    /* PORT, for messages */
	uint32_t n_lanes;         /* there may be more of them than CPUs */
	atomic_bool stop;         /* give up the work */
	_Atomic uint64_t down_ns; /* since when the link is down; 0: it is up */
};

struct pw_send_lane {
	_Alignas(64) const struct pw_tx_ops *ops;
	void *path;
	uint32_t index;
	uint16_t src_port; /* by which a receiver's RSS tells the lanes apart */
	struct pw_lane_shared *shared;

	/* Called a few thousand times a second, and while the path takes nothing: stalled_ns tells for
	 * how long, 0: it does. Returns 0, -ECANCELED to give up, or -errno with err. */
	int (*look)(struct pw_send_lane *lane, uint64_t now_ns, uint64_t stalled_ns,
		struct pw_err *err);
	/* Packets of the session's own, between two bursts; NULL: none. */
	int (*between)(struct pw_send_lane *lane, uint64_t now_ns, struct pw_err *err);
	void *owner; /* of look() and between() */

	struct pw_pace pace;
	struct pw_quickclock clock; /* the pacer's */
	uint64_t next_look_ns;      /* with a rate */
	uint32_t n_bursts;          /* without one: since the last look */

	size_t work_item; /* where its last chunk lay */
	uint32_t *held;   /* slots of the ring that it has sent, in order */
	uint32_t n_held;

	_Atomic uint64_t bytes; /* of files, handed over; the other threads read it */
	uint64_t busy_cycles, stall_cycles, pace_cycles, read_cycles;
};

/* Sends all that the source has for this lane. 0, -ECANCELED, or -errno with err. */
int pw_lane_send(
	struct pw_send_lane *lane, const struct pw_send_source *source, struct pw_err *err);

/* One small packet that is copied whole: header template and payload. Waits while the path is full. */
int pw_lane_control(struct pw_send_lane *lane, const struct pw_frame_tmpl *t, const void *payload,
	size_t len, struct pw_err *err);

/* Lets the time pass, looking and taking back what the path has sent. Ends early with look()'s error. */
int pw_lane_pause(struct pw_send_lane *lane, uint64_t ns, struct pw_err *err);

/* Until the pacer lets the next packet go: then those before it have had their time. */
int pw_lane_await_rate(struct pw_send_lane *lane, struct pw_err *err);

/* Sleeps; the clock is not looked at. */
void pw_lane_nap(uint64_t ns);

#endif
