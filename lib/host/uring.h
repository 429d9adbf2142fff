/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens an io_uring that supports a given operation, or reports why that is not possible. */
#ifndef PW_HOST_URING_H
#define PW_HOST_URING_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Linux 6.2; younger than liburing 2.3 */
#ifndef IORING_SEND_ZC_REPORT_USAGE
#define IORING_SEND_ZC_REPORT_USAGE (1U << 3)
#endif
#ifndef IORING_NOTIF_USAGE_ZC_COPIED
#define IORING_NOTIF_USAGE_ZC_COPIED (1U << 31)
#endif

struct pw_uring_want {
	unsigned int sq_entries;
	unsigned int cq_entries; /* >= sq_entries */
	bool sqpoll;
	bool handed_over;    /* another thread than the submitter reads completions */
	enum io_uring_op op; /* that the kernel has to know, */
	const char *op_name; /* "IORING_OP_SEND_ZC", */
	const char *since;   /* "6.0" */
};

/* -ENOSYS, -EPERM, -EOPNOTSUPP: this host lacks it. After success release it with io_uring_queue_exit(). */
int pw_uring_open(struct io_uring *ring, const struct pw_uring_want *want, struct pw_err *err);

/* Submits what is prepared, then sleeps until n completions wait, timeout_ns or a signal
 * (-EINTR). 0, or -errno when the ring is broken. */
int pw_uring_wait(struct io_uring *ring, unsigned int n, uint64_t timeout_ns);

/* Whether SEND_ZC's notifications report if the kernel copied (IORING_SEND_ZC_REPORT_USAGE). Only on
 * a ring with nothing in flight. */
bool pw_uring_reports_copies(struct io_uring *ring);

/* Whether SENDMSG_ZC sends from a registered buffer (Linux 6.15). Only on a ring with nothing in flight. */
bool pw_uring_sends_fixed(struct io_uring *ring);

#endif
