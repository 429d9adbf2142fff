/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/kernel: reads the completions of MSG_ZEROCOPY. The kernel numbers the calls with that
 * flag that sent data. The socket's error queue reports ranges of numbers whose pages the kernel has
 * released, and whether it copied them after all.
 *
 *   send 0 | send 1 | send 2 | send 3       error queue: { 0..2 } { 3, copied }
 */
#ifndef PW_KERNEL_ZCQUEUE_H
#define PW_KERNEL_ZCQUEUE_H

#include <stdint.h>

#include "kernel/sock.h"

/* pw_way's init: sets SO_ZEROCOPY. -EOPNOTSUPP where the kernel or the socket does not have it. */
int pw_zcqueue_enable(void *path, struct pw_err *err);
/* Adds what the queue has to the counters zc_done and zc_copied; returns the number of completions. */
uint64_t pw_zcqueue_reap(struct pw_sock *s);
/* The same, and calls done(s, ...) for each range of numbers, both included. */
typedef void pw_zcqueue_fn(void *path, uint32_t first, uint32_t last);
uint64_t pw_zcqueue_each(struct pw_sock *s, pw_zcqueue_fn *done);
/* Sleeps until the queue has something, timeout_ns, or a signal. */
void pw_zcqueue_wait(int fd, uint64_t timeout_ns);

#endif
