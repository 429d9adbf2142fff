/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of `pagewire recv` share: options (cmd_recv.c), the path that packets come by
 * (cmd_recv_path.c and, with DPDK, cmd_recv_pmd.c), the result (cli/report_recv.c, cli/report_hints.c).
 * The receiver is lib/recv.
 */
#ifndef PW_APP_CMD_RECV_H
#define PW_APP_CMD_RECV_H

#include "app/cli/cli.h"
#include "app/cli/opt.h"
#include "path/path.h"
#include "recv/gaps.h"
#include "recv/loop.h"
#include "recv/recv.h"
#include "wire/frame.h"

struct pw_recv_options {
	const char *port, *listen, *out, *interface, *source, *gaps, *core, *file_prefix;
	int write;   /* enum pw_outdir_write */
	int durable; /* 0: yes, 1: no */
	uint64_t write_memory;
	uint64_t expect, timeout_ns, tsi, max_size, max_files, rcvbuf, mtu, memory, queue_size,
		queues, wait_ns, link_grace_ns;
	int iova;
	bool discard, force, resume, require_digest, no_huge, telemetry, shared_mem, progress, json;
};

struct pw_recv_run;
struct pw_telemetry;

struct pw_recv_path {
	const struct pw_rx_ops *ops;
	void *path;
	void (*close)(struct pw_recv_path *path);
	/* Publishes the status for telemetry, a few times a second; may be NULL. */
	void (*tick)(struct pw_recv_run *run, const struct pw_recv_status *st, uint64_t now_ns);
	struct pw_telemetry *telemetry;
	bool sleeps; /* burst() waits for packets; else it polls */
	const char *name;
};

struct pw_recv_run {
	const struct pw_recv_options *opt;
	const struct pw_operands *ops;
	const struct pw_context *ctx;
	struct pw_addr listen, source; /* family 0: none given */
	struct pw_recv_path path;
	struct pw_recv *recv;
	struct pw_recv_loop *loop; /* while it runs */
	struct pw_progress progress;
	uint32_t n_queues; /* queues of the path, each with a thread */
	enum pw_recv_end end;
	/* When file bytes came. The file table does not count: the sender may wait after it. */
	struct pw_recv_times t;
};

/* Opens the path that the options name, and logs it. */
int pw_recv_path_open(struct pw_recv_run *run, struct pw_err *err);

/* Whether s reads as a PORT, and a path through one; -ENOTSUP in a build without DPDK. */
int pw_recv_pmd_check(const char *s, struct pw_err *err);
/* Memory that is touched from here on lies on the port's NUMA node, also that of new threads. */
void pw_recv_pmd_prefer(const char *s);
int pw_recv_pmd_open(struct pw_recv_run *run, struct pw_err *err);
/* With --telemetry; the path is open. */
int pw_recv_telemetry_start(struct pw_recv_run *run, struct pw_err *err);

/* Prints the result, as text or JSON. After pw_recv_finish(). */
void pw_recv_report(const struct pw_recv_run *run, int exit_code);
/* Prints what went wrong on the way, each cause once, with the fix. */
void pw_recv_hints(const struct pw_recv_run *run);

#endif
