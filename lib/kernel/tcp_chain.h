/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/kernel: what the stream ways through an io_uring share. The operations of a call are linked
 * into a chain; the next chain is built when the last one is done. A way's own struct begins with a struct
 * pw_tcp_chain.
 *
 *   send(offset)   make a chain from offset on -> wait for its completions -> the bytes that it has sent
 */
#ifndef PW_KERNEL_TCP_CHAIN_H
#define PW_KERNEL_TCP_CHAIN_H

#include "kernel/ring.h"
#include "kernel/tcp.h"

struct pw_tcp_chain {
	struct pw_tcp tcp;
	struct pw_ring ring;
	uint32_t n_flying; /* operations whose completion is due */
	int code;          /* what stopped the chain, a positive errno value, or 0 */
	uint64_t expect;   /* offset of the first byte that send() has not returned yet */
	uint64_t moved;    /* bytes sent that send() has not returned yet */
};

struct pw_tcp_chain_ops {
	/* Handles what stopped the last chain, if anything did. -EAGAIN: call again; -errno with err. */
	int (*error)(void *path, uint64_t offset, struct pw_err *err);
	/* Prepares the next chain: len bytes from offset on, or fewer. */
	void (*make)(void *path, uint64_t offset, uint64_t len);
	/* Takes the completions that are there. */
	int (*reap)(void *path, struct pw_err *err);
};

/* pw_stream_ops' send */
int64_t pw_tcp_chain_send(void *path, const struct pw_tcp_chain_ops *ops, uint64_t offset,
	uint64_t len, struct pw_err *err);
/* Sleeps until n completions are there: 0, -EINTR, or -errno with err. */
int pw_tcp_chain_sleep(struct pw_tcp_chain *c, uint32_t n, uint64_t timeout_ns, struct pw_err *err);
/* Part of pw_way's finish: ends what is in flight, a second at most, and closes the ring. */
void pw_tcp_chain_finish(void *path, const struct pw_tcp_chain_ops *ops);

#endif
