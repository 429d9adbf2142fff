/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parts of `pagewire recv`: its options (cmd_recv.c), the path that packets come by
 * (cmd_recv_path.c and, with DPDK, cmd_recv_pmd.c), the result (cli/report_recv.c, report_hints.c).
 * What is told to a sender that repairs is in cmd_recv_repair.c, what a web server repairs in
 * cmd_recv_fetch.c. The receiver itself is lib/recv.
 */
#ifndef PW_APP_CMD_RECV_H
#define PW_APP_CMD_RECV_H

#include "app/cli/cli.h"
#include "app/cli/opt_shared.h"
#include "kernel/udprx.h"
#include "path/path.h"
#include "recv/gaps.h"
#include "recv/loop.h"
#include "recv/recv.h"
#include "repair/fetch.h"
#include "wire/frame.h"

struct pw_recv_options {
	struct pw_port_config port;
	struct pw_recv_config set;
	struct pw_udprx_config udp;      /* without a port */
	struct pw_recv_loop_config loop; /* timeout_ns and link_grace_ns; the run adds the rest */
	const char *listen, *source;     /* as given; the addresses are in udp */
	const char *trust;               /* public keys; NULL: every sender is taken */
	const char *repair;              /* PW_RECV_REPAIR_SENDER, a web server's URL, or NULL */
	struct pw_output_config output;
};

#define PW_RECV_REPAIR_SENDER "sender"

struct pw_recv_run;
struct pw_recv_repair;
struct pw_telemetry;

struct pw_recv_path {
	const struct pw_rx_ops *ops;
	void *path;
	void (*close)(struct pw_recv_path *path);
	/* Reports the status, a few times a second; may be NULL. */
	void (*tick)(struct pw_recv_run *run, const struct pw_recv_status *st, uint64_t now_ns);
	struct pw_telemetry *telemetry;
	bool sleeps; /* burst() waits for packets; else it polls */
	const char *name;
};

/* What a web server gave. */
struct pw_recv_fetched {
	bool tried;
	uint64_t bytes;    /* that were missing */
	uint64_t n_failed; /* requests for a file that failed */
	struct pw_fetch_counters c;
};

struct pw_recv_run {
	const struct pw_recv_options *opt;
	const struct pw_context *ctx;
	struct pw_recv_path path; /* zeroed: no packets, --repair alone */
	struct pw_recv *recv;
	struct pw_recv_loop *loop;     /* while it runs */
	struct pw_recv_repair *repair; /* NULL: not asked for */
	struct pw_progress progress;
	enum pw_recv_end end;
	struct pw_recv_fetched fetched;
	/* Since the first file byte: the sender's pause after the first file table is not a part of the
	 * transfer. */
	struct pw_recv_times t;
};

/* Opens the port, or the socket, and logs it. */
int pw_recv_path_open(struct pw_recv_run *run, struct pw_err *err);

/* Checks that s is a PORT; -ENOTSUP in a build without DPDK. */
int pw_recv_pmd_check(const char *s, struct pw_err *err);
/* New pages of this thread, and of threads that it starts, come from the port's NUMA node. */
void pw_recv_pmd_prefer(const char *s);
int pw_recv_pmd_open(struct pw_recv_run *run, struct pw_err *err);
/* With --telemetry; the path is open. */
int pw_recv_telemetry_start(struct pw_recv_run *run, struct pw_err *err);

/* With --repair: starts the client's thread; tells the sender what is due, a few times a second; tells it the
 * end, and waits until it knows. */
int pw_recv_repair_start(struct pw_recv_run *run, struct pw_err *err);
void pw_recv_repair_tick(struct pw_recv_run *run, const struct pw_recv_status *st, uint64_t now);
void pw_recv_repair_end(struct pw_recv_run *run);
/* With --repair URL: fetches what is missing when no more packets come. Failures are warned of; the files stay
 * incomplete. */
void pw_recv_fetch(struct pw_recv_run *run);

/* Prints the result, as text or JSON. After pw_recv_finish(). */
void pw_recv_report(const struct pw_recv_run *run, int exit_code);
/* Prints what went wrong on the way, each cause once, with the fix. */
void pw_recv_hints(const struct pw_recv_run *run);

#endif
