/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/kernel: MSG_ZEROCOPY's completions. Each send() with that flag that moved data
 * gets a number; the socket's error queue tells ranges of numbers whose pages the kernel has let go
 * of, and whether it copied them after all.
 *
 *   send 0 | send 1 | send 2 | send 3       error queue: { 0..2 } { 3, copied }
 */
#ifndef PW_KERNEL_ZCQUEUE_H
#define PW_KERNEL_ZCQUEUE_H

#include <stdint.h>

#include "base/err.h"
#include "path/path.h"

/* Sets SO_ZEROCOPY. -EOPNOTSUPP where the kernel or the socket has none. */
int pw_zcqueue_enable(int fd, struct pw_err *err);
/* Reads what waits into c->zc_done and c->zc_copied; returns how many completions came. */
uint64_t pw_zcqueue_reap(int fd, struct pw_tx_counters *c);
/* The same, and hands on each range of numbers, the last one included. */
typedef void pw_zcqueue_fn(void *ctx, uint32_t first, uint32_t last);
uint64_t pw_zcqueue_each(int fd, struct pw_tx_counters *c, pw_zcqueue_fn *done, void *ctx);
/* Sleeps until something waits, timeout_ns or a signal. */
void pw_zcqueue_wait(int fd, uint64_t timeout_ns);

#endif
