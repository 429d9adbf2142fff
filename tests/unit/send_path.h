/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the sender's session share: paths in memory that keep packets for a while, and files. */
#ifndef PW_TESTS_SEND_PATH_H
#define PW_TESTS_SEND_PATH_H

#include <pthread.h>
#include <stdatomic.h>

#include "recv_util.h"
#include "send/send.h"

#define KEEPS  300 /* packets; less than the ring, more than a slot */
#define SYMBOL 1440u

/* What the path has taken: a window's bytes may only change once its packets are let go. */
struct kept {
	struct pw_window *win;
	const uint8_t *data, *want;
	uint32_t len;
};

/* What the path must be sent of a file with parity, and how often each symbol was, parity behind the source. */
struct expected {
	struct pw_blocks source;
	const uint8_t *parity;
	atomic_uchar *n_sent;
};

struct path {
	struct pw_tx_counters c;
	struct kept ring[KEEPS];
	unsigned int first, n;
	struct source *sources;
	struct expected *expected; /* of each source; NULL: files have no parity */
	char log[4096];
	char fdts[1 << 20];
	uint64_t holds_ns; /* it lets go so long after the first time that it is asked */
	uint64_t asked_ns;
	uint64_t n_attached;
	bool is_full; /* it takes no tables */
	atomic_uint n_bursts;
	struct path *after;    /* it takes symbols once that one has taken some */
	unsigned int sleep_us; /* in its first burst */
	uint64_t leaves_after; /* payload bytes; 0: never. Then the peer is gone */
	bool keeps_first;      /* it keeps its first packet to the end, and no other */
};

#define MAX_LANES 3

extern struct path paths[MAX_LANES];
extern atomic_bool said; /* something was logged */
extern char dir[64];
extern uint64_t asked; /* how often stop_soon() was */
extern int pipe_fds[2];

/* A session on paths[0]; the files are streamed. */
struct pw_send_config config(struct pw_files *files);
int run(const struct pw_send_config *cfg, struct pw_send_result *res, struct pw_err *err);
void add_file(struct pw_files *f, struct source *s, const char *name);
unsigned int n_instances(const char *fdts); /* of file tables */
bool stop_soon(void);

/* Mapped when the name starts with 'm', else streamed. */
int open_mapped_or_streamed(void *ctx, struct pw_window *w, const char *name, struct pw_err *err);
/* 50000 bytes that come through pipe_fds. */
int open_pipe(void *ctx, struct pw_window *w, const char *name, struct pw_err *err);
/* 50000 bytes that cannot be read. */
int open_bad(void *ctx, struct pw_window *w, const char *name, struct pw_err *err);

#endif
