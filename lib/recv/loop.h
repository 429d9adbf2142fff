/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receive loop: polls a path, one thread a queue, and hands what comes to the receiver until there
 * is nothing more to wait for. Used by `pagewire recv`, libpagewire and the bench.
 *
 *   queue 0   the caller's thread: polls, and looks around now and then (status, timeouts, tick)
 *   queue i   a thread of its own: polls until it is told to stop
 */
#ifndef PW_RECV_LOOP_H
#define PW_RECV_LOOP_H

#include "recv/recv.h"

enum pw_recv_end {
	PW_RECV_END_NONE, /* not yet */
	PW_RECV_END_DONE,
	PW_RECV_END_TIMEOUT,
	PW_RECV_END_INTERRUPTED,
	PW_RECV_END_PEER_GONE,
	PW_RECV_END_CLOSED, /* every sender closed its session */
	PW_RECV_END_FATAL,  /* the receiver's: pw_recv_finish() says why */
	PW_RECV_END_PATH,   /* the path's: err says why */
};

const char *pw_recv_end_name(enum pw_recv_end end); /* "done", "timeout", ... */

struct pw_recv_loop_config {
	struct pw_recv *recv; /* with n_queues lanes */
	const struct pw_rx_ops *ops;
	void *path;
	const char *path_text; /* for messages: "--port vhost:/run/s" */
	bool sleeps;           /* burst() waits for packets; else it polls */
	uint32_t n_queues;     /* 1.. */
	uint64_t timeout_ns;   /* silence that ends it; 0 = wait forever */
	uint64_t link_grace_ns;
	bool waits_for_more; /* a closed session is not the end: others may bring the rest */
	bool (*stopped)(void);
	/* A few times a second at least; may be NULL. */
	void (*tick)(void *ctx, const struct pw_recv_status *st, uint64_t now_ns);
	void *ctx;
};

/* Of file bytes, by the clock of base/clock.h; 0: none came. */
struct pw_recv_times {
	uint64_t first_ns;
	uint64_t last_ns;
	uint64_t done_ns; /* every file had ended; 0: the end came otherwise */
};

struct pw_recv_loop; /* opaque */

int pw_recv_loop_start(
	struct pw_recv_loop **l, const struct pw_recv_loop_config *cfg, struct pw_err *err);
/* Receives until the end, or until the clock says until_ns: then PW_RECV_END_NONE, and it can be called
 * again. Not after an end. */
enum pw_recv_end pw_recv_loop_run(struct pw_recv_loop *l, uint64_t until_ns, struct pw_err *err);
void pw_recv_loop_times(const struct pw_recv_loop *l, struct pw_recv_times *t);
/* Ends the threads; what a gone peer left in the queues is taken first. Accepts NULL. */
void pw_recv_loop_stop(struct pw_recv_loop *l, struct pw_recv_times *t);

#endif
