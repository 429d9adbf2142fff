/* SPDX-License-Identifier: BSD-3-Clause */
/* Sends a stream by chains of linked io_uring operations. */
#include "kernel/tcp_chain.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/clock.h"

#define CLOSE_MAX_NS PW_NS_PER_S

int pw_tcp_chain_sleep(struct pw_tcp_chain *c, uint32_t n, uint64_t timeout_ns, struct pw_err *err)
{
	int ret = pw_uring_wait(&c->ring.uring, n, timeout_ns);

	if (ret == 0 || ret == -EINTR)
		return ret;
	return pw_err_sys(err, -ret, "cannot send to %s: waiting for io_uring", c->tcp.s.peer);
}

/* Waits until the chain is done, the deadline, or a signal. */
static int wait_chain(struct pw_tcp_chain *c, const struct pw_tcp_chain_ops *ops,
	uint64_t deadline_ns, struct pw_err *err)
{
	uint64_t now = pw_clock_ns();
	int waited = 0, ret;

	for (; c->n_flying && now < deadline_ns && waited == 0; now = pw_clock_ns()) {
		waited = pw_tcp_chain_sleep(c, c->n_flying, deadline_ns - now, err);
		if (waited < 0 && waited != -EINTR)
			return waited;
		ret = ops->reap(c, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int64_t pw_tcp_chain_send(void *path, const struct pw_tcp_chain_ops *ops, uint64_t offset,
	uint64_t len, struct pw_err *err)
{
	struct pw_tcp_chain *c = path;
	uint64_t n;
	int ret;

	if (c->moved == 0 && c->n_flying == 0) {
		ret = ops->error(path, offset, err);
		if (ret < 0)
			return ret;
		ops->make(path, offset, len);
		c->expect = offset;
	}
	assert(offset == c->expect); /* bytes in flight cannot be taken back */
	if (c->moved == 0) {
		ret = wait_chain(c, ops, pw_clock_ns() + PW_SEND_SLEEP_NS, err);
		if (ret < 0)
			return ret;
	}
	if (c->moved == 0)
		return -EAGAIN;
	n = pw_min_u64(c->moved, len);
	c->moved -= n;
	c->expect += n;
	return (int64_t)n;
}

void pw_tcp_chain_finish(void *path, const struct pw_tcp_chain_ops *ops)
{
	const uint64_t end = pw_clock_ns() + CLOSE_MAX_NS;
	struct pw_tcp_chain *c = path;

	/* An operation that waits for room fails when the socket is shut down; what is queued is still sent.
	 * Otherwise the kernel would read the file's pages after the caller has unmapped them. */
	if (c->n_flying)
		shutdown(c->tcp.s.fd, SHUT_RDWR);
	while (c->n_flying && pw_clock_ns() < end) {
		if (wait_chain(c, ops, end, NULL) < 0)
			break;
	}
	pw_ring_close(&c->ring);
}
