/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/kernel: headers and file as one buffer that is registered with an io_uring. Then no call
 * pins pages (IORING_RECVSEND_FIXED_BUF). All iovecs of a SENDMSG_ZC must lie in the same registered buffer.
 *
 *   buffer 0   | headers | the file's own pages |      1 GiB at most
 */
#ifndef PW_KERNEL_FIXED_H
#define PW_KERNEL_FIXED_H

#include <stdbool.h>

#include "kernel/beside.h"
#include "kernel/ring.h"
#include "kernel/way.h"

struct pw_fixed {
	struct pw_beside b;
	struct pw_extent whole; /* the file, in this mapping */
	bool is_on;             /* else each call pins its own pages */
};

/* Registers cfg->win's file with the ring, if the kernel can send from there; else it logs why not. An error
 * is one of another kind. room_bytes: for headers. */
int pw_fixed_open(struct pw_fixed *f, struct pw_ring *r, const struct pw_way_config *cfg,
	uint64_t room_bytes, const char *what, struct pw_err *err);
void pw_fixed_close(struct pw_fixed *f); /* after the ring; accepts a zeroed one */

#endif
