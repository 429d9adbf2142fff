/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receive loop: polls a path with one thread for each queue, and hands the packets to the receiver until
 * there is nothing more to wait for. Used by `pagewire recv`, libpagewire and the bench.
 *
 *   queue 0   the caller's thread: polls, and from time to time checks status, timeouts and the link
 *   queue i   a thread of its own: polls until it is stopped
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
	PW_RECV_END_FATAL,  /* error of the receiver: pw_recv_finish() returns it */
	PW_RECV_END_PATH,   /* error of the path: in err */
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
	bool waits_for_more; /* a closed session is not the end: other sessions may bring the rest */
	bool (*stopped)(void);
	/* A few times a second at least; may be NULL. */
	void (*tick)(void *ctx, const struct pw_recv_status *st, uint64_t now_ns);
	void *ctx;
};

/* When file bytes came, by pw_clock_ns(); 0: none came. */
struct pw_recv_times {
	uint64_t first_ns;
	uint64_t last_ns;
	uint64_t done_ns; /* when every file had ended; 0: the run ended otherwise */
	/* Of all queues' threads, by pw_cycles(): in polls that brought packets, placing them included, and in
	 * the others. 0: the path sleeps. */
	uint64_t busy_cycles, idle_cycles;
};

struct pw_recv_loop; /* opaque */

int pw_recv_loop_start(
	struct pw_recv_loop **l, const struct pw_recv_loop_config *cfg, struct pw_err *err);
/* Receives until the end, or until pw_clock_ns() is until_ns: then it returns PW_RECV_END_NONE and may be
 * called again. Not to be called after an end. */
enum pw_recv_end pw_recv_loop_run(struct pw_recv_loop *l, uint64_t until_ns, struct pw_err *err);
void pw_recv_loop_times(const struct pw_recv_loop *l, struct pw_recv_times *t);
/* Ends the threads. If the peer is gone, they first take what it left in the queues. Accepts NULL. */
void pw_recv_loop_stop(struct pw_recv_loop *l, struct pw_recv_times *t);

#endif
