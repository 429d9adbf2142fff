/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receiver's state, and the functions that its files call of each other.
 *
 * One lock protects all of it, with two exceptions: what a lane does with its part (claim, copy, count), and
 * what the file worker and the finisher do with files on the disk. pw_part_shut() takes a part away from
 * the lanes; it may be freed after pw_recv_quiesce().
 */
#ifndef PW_RECV_RECV_PRIVATE_H
#define PW_RECV_RECV_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "recv/gaps.h"
#include "recv/limits.h"
#include "recv/object.h"
#include "recv/objtab.h"
#include "recv/parity.h"
#include "recv/recv.h"
#include "recv/room.h"
#include "recv/session_private.h"
#include "recv/trust.h"

struct pw_recv_decoder;
struct pw_recv_lane;

struct pw_recv {
	atomic_bool stopped;     /* fatal, or finish was called: packets are dropped */
	atomic_bool repairs;     /* a sender has sent its passes: the loss is theirs */
	_Atomic uint64_t n_shut; /* parts that were taken away from the lanes so far */
	uint32_t n_lanes;
	struct pw_recv_lane *lanes; /* n_lanes, then PW_LANES_OWN: PW_LANE_WORKER, ... */

	pthread_mutex_t lock; /* protects all below */
	struct pw_recv_config cfg;
	const struct pw_log *log;
	struct pw_session *sessions[PW_RECV_MAX_SESSIONS];
	struct pw_recv_ignored ignored[PW_RECV_MAX_IGNORED];
	size_t n_sessions, n_ignored;
	struct pw_probe probe;
	struct pw_objtab objs;
	struct pw_object *memory; /* with cfg.memory: the one object */
	struct pw_room room;
	struct pw_recv_counters c; /* what no lane counts */
	struct pw_recv_status st;
	int64_t bytes_adjust;      /* bytes_have less the bytes that lanes placed */
	uint64_t expected_closed;  /* symbols_expected of parts that are not open any more */
	struct pw_part *open_head; /* parts with an open file */
	size_t n_open;
	uint64_t use_clock, part_bytes, max_part_bytes;
	uint64_t budget_bytes; /* free space for files of which no symbol has come */
	unsigned int n_messages;
	uint64_t table_bytes_left; /* for tables that are not whole yet, of all sessions */

	/* The file worker. */
	pthread_t worker;
	pthread_cond_t work, idle;
	struct pw_object *open_first, *open_last; /* to be opened, because packets wait for them */
	size_t prepare_at;                        /* objects before this were prepared */
	unsigned int n_prepared;                  /* open, no symbol yet */
	uint64_t prepared_bytes;
	bool worker_busy, stop_threads;
	bool closing; /* it closes a part's file: the finisher must not start on that part */
	struct pw_part *opening; /* it places the packets that waited for this part */
	uint64_t n_learned;      /* tables that it has read */
	bool has_tables;         /* it is reading tables */
	struct pw_trust trust;   /* with cfg.trust */
	uint64_t leaf_bytes;     /* of all objects */
	unsigned int n_threads;  /* started */

	/* The finisher. */
	pthread_t finisher;
	pthread_cond_t finish_work;
	struct pw_object *finish_first, *finish_last;
	struct pw_part *retired; /* to be freed once no lane has them */
	bool finisher_busy;
	void *batch; /* struct batch of finish.c */

	/* The decoder. */
	pthread_t decoder_thread;
	struct pw_recv_decoder *decoder;
	struct pw_parity_store parity; /* has a lock of its own */

	struct pw_outdir *out; /* NULL with discard */
	struct pw_gaps old;    /* the manifest that was there */
	uint64_t n_unnamed;    /* when finished: files that were never named, at least */
	bool old_missing;      /* when finished: files of the old manifest are still missing */
	char *out_dir, *gaps_path;
	bool gaps_written, finished;
	int finish_ret;
	struct pw_err fatal; /* code 0: none */
	struct { /* on: no sender's packets come any more (bytes.c); the sums of theirs */
		bool on;
		struct pw_recv_counters c;
		uint64_t expected, seen;
	} held;
};

/* life.c; with the lock held */
void pw_recv_set_state(struct pw_recv *r, struct pw_object *o, enum pw_recv_file_state s);
/* Removes the packets that wait for the file from the object and the queue. *n: how many. */
struct pw_waiting *pw_recv_take_waiting(struct pw_recv *r, struct pw_object *o, size_t *n);
size_t pw_recv_drop_waiting(struct pw_recv *r, struct pw_object *o); /* returns how many */
void pw_recv_unprepare(struct pw_recv *r, struct pw_object *o);      /* its first symbol came */
void pw_recv_refuse(struct pw_recv *r, struct pw_object *o, const char *why, bool copy);
void pw_recv_set_fatal(struct pw_recv *r, const struct pw_err *err); /* the first one stands */
/* Refuses this file, or ends the transfer if the error is not about this file alone. */
void pw_recv_fail(struct pw_recv *r, struct pw_object *o, const struct pw_err *err);
/* Warns about packets; a bounded number of times: a hostile sender must not fill the log. */
void pw_recv_warn(struct pw_recv *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void pw_recv_ignore(struct pw_recv *r, struct pw_host_key from, uint64_t tsi);
void pw_recv_heed(struct pw_recv *r, const struct pw_session *s); /* no longer ignored */
/* NULL: no table of it came. With cfg.memory every sender is the one session. */
struct pw_session *pw_recv_session(struct pw_recv *r, struct pw_host_key from, uint64_t tsi);

/* lane.c */
/* Takes the part away from the lanes; with the lock. They may use it until pw_recv_quiesce() returns. */
void pw_part_shut(struct pw_recv *r, struct pw_part *p);
/* Waits until every lane has left the burst that it was in. Without the lock. */
void pw_recv_quiesce(struct pw_recv *r);
/* Places packets that waited, on the file worker's lane. Without the lock; frees the packets. */
void pw_recv_replay(struct pw_recv *r, struct pw_waiting *first);

/* tables.c: a packet of TOI 0, on the file worker. Without the lock. */
void pw_recv_table_packet(struct pw_recv *r, const struct pw_waiting *w);

/* ready.c */
int pw_recv_worker_start(struct pw_recv *r, struct pw_err *err);
void pw_recv_want_open(struct pw_recv *r, struct pw_object *o);   /* with the lock */
void pw_recv_entry_check(struct pw_recv *r, struct pw_object *o); /* may refuse it */
/* Closes the file of a part that is in the list; its bitmap stays. On the file worker, with the lock,
 * which it releases meanwhile. */
void pw_recv_close_part(struct pw_recv *r, struct pw_part *p);
void pw_recv_free_part(struct pw_recv *r, struct pw_object *o); /* with the lock, after quiesce */
void pw_recv_list_add(struct pw_recv *r, struct pw_part *p);
void pw_recv_list_remove(struct pw_recv *r, struct pw_part *p);

/* finish.c; with the lock */
int pw_recv_finisher_start(struct pw_recv *r, struct pw_err *err);
void pw_recv_complete(struct pw_recv *r, struct pw_object *o); /* all symbols have come */
void pw_recv_submit(struct pw_recv *r, struct pw_object *o, enum pw_finish_kind kind);
void pw_recv_submit_due(struct pw_recv *r); /* files that still wait for a digest, without it */

/* memory.c: parts of pw_recv_create() and pw_recv_finish(), the latter with the lock. */
int pw_recv_memory_open(struct pw_recv *r, struct pw_err *err);
void pw_recv_memory_end(struct pw_recv *r);

#endif
