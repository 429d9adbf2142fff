/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lanes of a session: one for each queue of the port. The session's thread drives lane 0; each further
 * lane has a thread.
 *
 *   session's thread   start -----------------> lane 0 sends ---> wait ---> tables, next group
 *   lane i's thread      parked --> sends its chunks ----------> parked
 *
 * While the lanes are parked the session's thread may use the paths of all of them. The first failure
 * stops all.
 */
#ifndef PW_SEND_LANES_H
#define PW_SEND_LANES_H

#include <pthread.h>

#include "send/lane.h"
#include "send/send.h"

struct pw_send_lanes {
	struct pw_send_lane *v;
	uint32_t n;
	struct pw_lane_shared shared;
	const struct pw_send_source *source; /* of the work under way */
	struct pw_lane_thread *threads;      /* of lanes 1.. */
	uint32_t n_threads;                  /* that have started */
	atomic_uint n_busy;
	atomic_bool failed; /* err is set */
	pthread_mutex_t lock;
	pthread_cond_t go;
	uint64_t generation; /* of starts; under lock, as all below */
	bool quit;
	struct pw_err err;
};

/* look and between are lane 0's, see send/lane.h. Starts the threads. */
int pw_send_lanes_create(struct pw_send_lanes *l, const struct pw_send_config *cfg,
	int (*look)(struct pw_send_lane *, uint64_t, uint64_t, struct pw_err *),
	int (*between)(struct pw_send_lane *, uint64_t, struct pw_err *), void *owner,
	struct pw_err *err);
void pw_send_lanes_destroy(struct pw_send_lanes *l); /* accepts a zeroed one */

/* Sends all that the source has, by all lanes; returns when all are parked. */
int pw_send_lanes_run(
	struct pw_send_lanes *l, const struct pw_send_source *source, struct pw_err *err);

/* Reports a failure; any thread. The first error is kept, and the lanes stop. */
void pw_send_lanes_fail(struct pw_send_lanes *l, const struct pw_err *err);
/* Why the lanes were stopped: -errno with err, or 0. */
int pw_send_lanes_failed(struct pw_send_lanes *l, struct pw_err *err);

/* Sums over the lanes. May be called at any time. */
uint64_t pw_send_lanes_bytes(const struct pw_send_lanes *l);
uint64_t pw_send_lanes_packets(const struct pw_send_lanes *l);
uint64_t pw_send_lanes_wire_bytes(const struct pw_send_lanes *l); /* of Ethernet frames */
uint32_t pw_send_lanes_outstanding(const struct pw_send_lanes *l);

/* Of all lanes together, from now on. Any time. */
void pw_send_lanes_set_bps(struct pw_send_lanes *l, double bps);

/* Call it while the lanes are parked. */
void pw_send_lanes_pace_start(struct pw_send_lanes *l, uint64_t now_ns);
void pw_send_lanes_reap(struct pw_send_lanes *l);
/* Sums up the lanes' cycles and their pacers' statistics. */
void pw_send_lanes_account(const struct pw_send_lanes *l, struct pw_send_result *res);

#endif
