/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `pagewire recv` in its parts: options (cmd_recv.c), the path that packets come by (recv_path.c
 * and, with DPDK, recv_pmd.c), the loop (recv_loop.c, recv_queues.c), the result (recv_report.c).
 */
#ifndef PW_APP_RECV_RUN_H
#define PW_APP_RECV_RUN_H

#include "app/cli.h"
#include "app/opt.h"
#include "path/path.h"
#include "wire/frame.h"
#include "xfer/gaps.h"
#include "xfer/recv.h"

struct pw_recv_options {
	const char *port, *listen, *out, *interface, *gaps, *core, *file_prefix;
	int write; /* enum pw_write */
	uint64_t write_memory;
	uint64_t expect, timeout_ns, tsi, max_size, max_files, rcvbuf, mtu, memory, queue_size,
		queues, wait_ns, link_grace_ns;
	int iova;
	bool discard, force, resume, no_huge, telemetry, shared_mem, progress, json;
};

#define PW_RECV_VIEWS       (2 * PW_BURST) /* packets in a poll */
#define PW_RECV_DRAIN_POLLS 65536          /* a peer that is gone can leave no more than a ring */

struct pw_recv_run;
struct pw_recv_queues;
struct pw_telemetry;

struct pw_recv_path {
	const struct pw_rx_ops *ops;
	void *path;
	void (*close)(struct pw_recv_path *path);
	/* Tells others how it goes, whenever the loop looks up; may be NULL. */
	void (*tick)(struct pw_recv_run *run, const struct pw_recv_status *st, uint64_t now_ns);
	struct pw_telemetry *telemetry;
	bool sleeps; /* burst() waits for packets; else it polls */
	const char *name;
};

enum pw_recv_end {
	PW_RECV_END_DONE,
	PW_RECV_END_TIMEOUT,
	PW_RECV_END_INTERRUPTED,
	PW_RECV_END_PEER_GONE,
	PW_RECV_END_CLOSED, /* the sender's session is */
	PW_RECV_END_FATAL,  /* the receiver's: pw_recv_finish() says why */
	PW_RECV_END_PATH,   /* the path's: err says why */
};

struct pw_recv_run {
	const struct pw_recv_options *opt;
	const struct pw_operands *ops;
	const struct pw_context *ctx;
	struct pw_addr listen; /* family 0: none given */
	struct pw_recv_path path;
	struct pw_recv *recv;
	uint32_t n_queues; /* queues of the path, each with a thread */
	enum pw_recv_end end;
	/* The first and the last packets that brought file bytes; 0: none did. The FDT comes
	 * earlier, and how long the sender waits behind it says nothing about speed. */
	uint64_t first_ns;
	uint64_t last_ns;
	uint64_t done_ns; /* every file had ended, digests compared; 0: the end came otherwise */
};

/* Opens the path that the options name, and logs it. */
int pw_recv_path_open(struct pw_recv_run *run, struct pw_err *err);

/* Whether s reads as a PORT, and a path through one; -ENOTSUP in a build without DPDK. */
int pw_recv_pmd_check(const char *s, struct pw_err *err);
/* Memory that is touched from here on lies on the port's NUMA node, of new threads, too. */
void pw_recv_pmd_prefer(const char *s);
int pw_recv_pmd_open(struct pw_recv_run *run, struct pw_err *err);
/* With --telemetry; the path is open. */
int pw_recv_telemetry_start(struct pw_recv_run *run, struct pw_err *err);

/* Receives until there is nothing more to wait for; sets end and the times. */
void pw_recv_loop(struct pw_recv_run *run, struct pw_err *err);

/* recv_queues.c, where n_queues > 1: the threads of the queues behind the first. */
int pw_recv_queues_start(
	struct pw_recv_queues **queues, struct pw_recv_run *run, struct pw_err *err);
/* The first queue, once: how many packets; -errno: a path is dead, this or another queue's. */
int pw_recv_queues_poll(struct pw_recv_queues *queues);
/* Sets the run's times by those of all queues. */
void pw_recv_queues_times(const struct pw_recv_queues *queues);
/* drain: after what is in the queues. Sets the times, too. */
void pw_recv_queues_stop(struct pw_recv_queues *queues, bool drain);

/* Prints the result, as text or JSON. After pw_recv_finish(). */
void pw_recv_report(const struct pw_recv_run *run, int exit_code);

#endif
