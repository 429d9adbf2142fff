/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to recv*.c: the receiver's state and the steps between them. */
#ifndef PW_XFER_RECVINT_H
#define PW_XFER_RECVINT_H

#include <pthread.h>

#include "page/ahead.h"
#include "xfer/fdtrx.h"
#include "xfer/finish.h"
#include "xfer/gaps.h"
#include "xfer/object.h"
#include "xfer/objtab.h"
#include "xfer/output.h"
#include "xfer/recv.h"

#define PW_RECV_MAX_FILES  1000000u     /* where the config does not say */
#define PW_RECV_MAX_NAMES  (256u << 20) /* bytes of all names together */
#define PW_RECV_MAX_MAPPED 1024u        /* of the kernel's 65530 mappings a process */
#define PW_RECV_MAX_PARTS  (1ull << 30) /* bytes of all bitmaps; less on a small host */
#define PW_RECV_MAX_RANGES (1u << 20)   /* in one gap manifest */

/* A thread that brings packets. Its own, but for the objects. */
struct pw_recv_lane {
	_Alignas(64) struct pw_object *last; /* took its last symbols, or NULL */
	struct pw_alc_memo memo;
	struct pw_blocks blocks; /* of `last` */
	bool shares;             /* `last` takes symbols of several lanes at once */
	uint64_t new_bytes;      /* of this burst */
};

/* With several lanes; see recvlane.c. */
struct pw_recv_lanes {
	pthread_mutex_t lock;   /* over the receiver, and every part */
	unsigned int n_holding; /* lanes that hold a part */
	uint32_t n;
	struct pw_recv_counters seen; /* as last asked for */
	struct pw_recv_lane v[];
};

struct pw_recv {
	/* per packet; with several lanes of the one that has the lock */
	struct pw_object *last;  /* takes symbols now, or NULL */
	struct pw_alc_memo memo; /* how packets of `last` start */
	bool locked;             /* tsi is known */
	bool discard;
	bool stopped; /* fatal, or finish was called: packets are dropped */
	uint64_t tsi;
	struct pw_recv_counters c;
	struct pw_recv_status st; /* running sums; done and fatal are set when asked */

	struct pw_recv_lanes *lanes; /* NULL: one */
	struct pw_recv_config cfg;   /* its strings are ours */
	const struct pw_log *log;
	struct pw_objtab objs;
	struct pw_part *lru_head, *lru_tail;
	size_t n_mapped;
	uint64_t part_bytes, max_part_bytes;

	struct pw_fdtrx fdt;
	uint64_t n_session_files; /* pw:Files, 0 = unknown */
	bool fdt_complete;
	bool said_mapped; /* --write direct was not possible, and the log says so */
	bool said_limit;  /* a limit was reached, and the log says so */

	struct pw_output out;
	atomic_uint n_direct;
	struct pw_finish *finish; /* NULL with discard */
	struct pw_ahead *ahead;   /* NULL: not on hugetlbfs */
	struct pw_gaps old;       /* the manifest that was there */
	bool old_removed;         /* from the disk: a part that it tells of was replaced */
	char *gaps_path;          /* NULL: none is written */
	const char *reserved;     /* gaps_path's name inside out_dir, or NULL */
	bool gaps_written;
	bool finished;
	int finish_ret;
	struct pw_err fatal; /* code 0: none */
};

static inline void pw_recv_lock(const struct pw_recv *r)
{
	if (r->lanes)
		pthread_mutex_lock(&r->lanes->lock);
}

static inline void pw_recv_unlock(const struct pw_recv *r)
{
	if (r->lanes)
		pthread_mutex_unlock(&r->lanes->lock);
}

int pw_recv_lanes_create(struct pw_recv *r, uint32_t n, struct pw_err *err);
/* No more packets are taken, and no lane holds a part. */
void pw_recv_lanes_stop(struct pw_recv *r);
void pw_recv_lanes_destroy(struct pw_recv *r);

/* recv.c: returns how many it took, which is fewer when the transfer has ended. */
size_t pw_recv_take(struct pw_recv *r, const struct pw_rx_view *views, size_t n);

void pw_recv_set_state(struct pw_recv *r, struct pw_object *o, enum pw_recv_file_state s);
void pw_recv_set_have(struct pw_recv *r, struct pw_object *o, uint64_t have_bytes);
void pw_recv_refuse(struct pw_recv *r, struct pw_object *o, const char *why, bool copy);
/* The first one stands. */
void pw_recv_set_fatal(struct pw_recv *r, const struct pw_err *err);
/* Refuses this file or ends the transfer, by what the error is about. */
void pw_recv_fail(struct pw_recv *r, struct pw_object *o, const struct pw_err *err);

/* recvfdt.c: takes in what an instance names. false: a limit was reached. */
bool pw_recv_learn(struct pw_recv *r, const struct pw_fdt *fdt);

/* recvmap.c: makes o ready to take symbols (part, bitmap, mapping); false when it cannot be. */
bool pw_recv_ready(struct pw_recv *r, struct pw_object *o);
/* Makes the first file from index on ready that can be, when none is under way: to allocate and map
 * it takes long, and there is time between the table and the first symbol. */
void pw_recv_prepare(struct pw_recv *r, size_t index);
/* Removes parts that were prepared and got nothing. */
void pw_recv_drop_unused(struct pw_recv *r);
/* All symbols are there (or the file is known to be): to the finisher, or ended with discard. */
void pw_recv_submit(struct pw_recv *r, struct pw_object *o, enum pw_finish_kind kind);
/* Files that wait for a digest go without. */
void pw_recv_submit_due(struct pw_recv *r);
void pw_recv_collect(struct pw_recv *r);
/* A mapped file was truncated under us: fatal. */
void pw_recv_check_lost(struct pw_recv *r);
/* The file under way cannot be written: fatal. */
void pw_recv_check_direct(struct pw_recv *r);
/* Unmaps every part; bitmaps stay. */
void pw_recv_unmap_all(struct pw_recv *r);

/* recvgaps.c: writes the manifest, or removes a stale one. */
int pw_recv_save_gaps(struct pw_recv *r, struct pw_err *err);
/* true when, after --resume, files of the old manifest are still missing. */
bool pw_recv_old_missing(const struct pw_recv *r);

#endif
