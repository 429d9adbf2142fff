/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Replays a capture over a path: the scanner's frames through a lane of the sender, by due time or by rate.
 *
 *   capture -> feed -> scan -> pw_lane_send() -> path
 *
 *   scan.c   which frames, in which form      due.c      when
 *   share.c  which lane a frame goes through
 *   ring.c   bytes of any length              inplace.c  bytes in one window
 *   survey.c counts the frames, and sends none
 *
 * Each lane has a feed and a scanner of its own, which reads all record headers, and of each frame those by which it
 * knows its flow. The lanes share the window or the ring, and the moment at which they start.
 */
#ifndef PW_REPLAY_REPLAY_H
#define PW_REPLAY_REPLAY_H

#include "base/log.h"
#include "base/units.h"
#include "path/path.h"
#include "replay/ring.h"
#include "replay/scan.h"
#include "send/late.h"
#include "send/pace.h"

#define PW_REPLAY_PORTS_MAX 2

enum pw_replay_timing { PW_TIMING_CAPTURE, PW_TIMING_RATE, PW_TIMING_TOP };

struct pw_replay_status {
	uint64_t frames, bytes;         /* handed over */
	uint64_t position;              /* byte of the capture in this pass, where lane 0 is */
	uint64_t pass;                  /* 1.. */
	uint64_t start_ns;              /* by pw_clock_ns() */
	int64_t time_ns;                /* after the pass's first frame, by the capture's times */
	const struct pw_replay *replay; /* for pw_replay_late() */
};

struct pw_replay_config {
	const struct pw_tx_ops *ops;
	void *const *
		paths; /* n_ports * n_queues, port by port, a lane for each; the caller keeps the array */
	uint32_t n_ports;                            /* 2: the clients' frames go to the first */
	uint32_t n_queues;                           /* of each */
	const char *port_texts[PW_REPLAY_PORTS_MAX]; /* PORT, for messages */
	const struct pw_sides *sides;                /* with two ports */
	const char *file;                            /* for messages; read, where a ring is used */
	struct pw_window *win; /* the whole capture, not yet attached; NULL: through a ring */
	struct pw_replay_ring_config ring; /* file, ops, paths and loops are filled in */
	struct pw_scan_settings set;
	enum pw_replay_timing timing;
	double speed;        /* CAPTURE */
	struct pw_rate rate; /* RATE */
	struct pw_scan_max max;
	uint64_t link_grace_ns;
	bool (*stopped)(void);
	void (*tick)(void *ctx, const struct pw_replay_status *st); /* may be NULL */
	void *tick_ctx;
	const struct pw_log *log;
};

struct pw_replay_result {
	struct pw_scan_counts scan; /* of all lanes */
	struct pw_scan_found found;
	struct pw_due due;   /* what timestamps were found */
	struct pw_late late; /* with due times */
	struct pw_replay_ring_counts ring;
	uint64_t n_beyond_table; /* frames of flows whose first frame found no room in the table */
	uint64_t
		data_ns; /* from the start, with the wait for the first frame, to the last frame that was handed over */
	uint64_t busy_cycles;
	bool interrupted;
};

struct pw_replay; /* opaque; one thread */

int pw_replay_create(struct pw_replay **r, const struct pw_replay_config *cfg, struct pw_err *err);
/* 0, with result->interrupted when stopped() ended it; -errno: the frames before were sent. *result is filled
 * in any case. */
int pw_replay_run(struct pw_replay *r, struct pw_replay_result *result, struct pw_err *err);
/* How late frames were so far; from tick(). *late has no frame where there are no due times. */
void pw_replay_late(const struct pw_replay *r, struct pw_late *late);
/* The paths are stopped. The packets that still read the window are in its n_out. Accepts NULL. */
void pw_replay_destroy(struct pw_replay *r);

#endif
