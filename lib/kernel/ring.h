/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/kernel: opens and closes the io_uring of a way, TCP or UDP. */
#ifndef PW_KERNEL_RING_H
#define PW_KERNEL_RING_H

#include "base/log.h"
#include "host/uring.h"

struct pw_ring {
	struct io_uring uring;
	bool is_open;
	/* Zero-copy sends: IORING_SEND_ZC_REPORT_USAGE where the kernel has it, which makes the
	 * notifications report copies; else 0. */
	unsigned int usage;
};

int pw_ring_open(struct pw_ring *r, const struct pw_uring_want *want, bool zerocopy,
	const struct pw_log *log, struct pw_err *err);
void pw_ring_close(struct pw_ring *r); /* accepts a zeroed one */

#endif
