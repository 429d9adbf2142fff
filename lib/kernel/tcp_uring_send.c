/* SPDX-License-Identifier: BSD-3-Clause */
/* IORING_OP_SEND from the file's mapping: the kernel copies once, into the socket. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "kernel/tcp_uring.h"
#include "kernel/ways.h"

static void prep_send(
	struct pw_tcp_uring *u, struct io_uring_sqe *sqe, const uint8_t *va, uint32_t len)
{
	io_uring_prep_send(sqe, u->tcp.fd, va, len, MSG_NOSIGNAL | MSG_WAITALL);
}

static void uring_send_close(void *path)
{
	if (!path)
		return;
	pw_tcp_uring_close(path);
	free(path);
}

static int uring_send_open(void **path, const struct pw_way_config *cfg, struct pw_err *err)
{
	const struct pw_uring_want want = {
		.sq_entries = PW_TCP_URING_DEPTH,
		.cq_entries = 2 * PW_TCP_URING_DEPTH,
		.sqpoll = cfg->sqpoll,
		.op = IORING_OP_SEND,
		.op_name = "IORING_OP_SEND",
		.since = "5.11",
	};
	struct pw_tcp_uring *u = calloc(1, sizeof(*u));
	int ret;

	*path = NULL;
	if (!u)
		return pw_err_sys(err, ENOMEM, "open an io_uring");
	u->prep = prep_send;
	ret = pw_tcp_uring_open(u, cfg, &want, err);
	if (ret < 0) {
		uring_send_close(u);
		return ret;
	}
	*path = u;
	return 0;
}

static const struct pw_stream_ops ops = {
	.send = pw_tcp_uring_send,
	.drain = pw_tcp_uring_drain,
	.counters = pw_tcp_counters,
};

const struct pw_way pw_way_uring_send = {
	.name = "uring_send",
	.summary = "io_uring: chains of 8 SENDs from the file's mapping",
	.kind = PW_WAY_STREAM,
	.open = uring_send_open,
	.close = uring_send_close,
	.stream = &ops,
};
