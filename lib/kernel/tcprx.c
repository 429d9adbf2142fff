/* SPDX-License-Identifier: BSD-3-Clause */
/* Receives a stream: a TCP server that takes one connection and reads it with recv(). */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "kernel/ktls.h"
#include "kernel/rxways.h"
#include "kernel/sockaddr.h"
#include "kernel/tcprx.h"

#define READ_MAX (1u << 20) /* bytes asked for in one call, as a fast receiver does */

int pw_tcprx_open(void *path, const struct pw_rx_way_config *cfg, struct pw_err *err)
{
	struct pw_tcprx *rx = path;
	struct sockaddr_storage ss;
	unsigned int scope;
	socklen_t len;
	int on = 1, r;

	rx->server = rx->conn = -1;
	rx->tls = cfg->tls;
	r = pw_sockaddr_scope("receive", cfg->interface, &cfg->listen, &scope, err);
	if (r)
		return r;
	len = pw_sockaddr_make(&cfg->listen, scope, &ss);
	rx->server = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (rx->server < 0)
		return pw_err_sys(err, errno, "cannot open a TCP socket");
	setsockopt(rx->server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(rx->server, (struct sockaddr *)&ss, len) || listen(rx->server, 1))
		return pw_err_sys(
			err, errno, "cannot listen for the stream on port %u", cfg->listen.port);
	return 0;
}

void pw_tcprx_close(void *path)
{
	struct pw_tcprx *rx = path;

	if (rx->conn >= 0)
		close(rx->conn);
	if (rx->server >= 0)
		close(rx->server);
}

int pw_tcprx_accept(void *path, struct pw_err *err)
{
	const struct timeval tick = {.tv_usec = PW_SEND_SLEEP_NS / 1000};
	struct pw_tcprx *rx = path;
	struct pollfd p = {.fd = rx->server, .events = POLLIN};

	if (poll(&p, 1, PW_SEND_SLEEP_NS / 1000000) <= 0)
		return -EAGAIN;
	rx->conn = accept4(rx->server, NULL, NULL, SOCK_CLOEXEC);
	if (rx->conn < 0)
		return pw_err_sys(err, errno, "cannot accept the stream");
	setsockopt(rx->conn, SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof(tick));
	return rx->tls ? pw_ktls_start(rx->conn, PW_KTLS_RECEIVES, err) : 0;
}

int64_t pw_tcprx_recv(void *path, void *to, size_t len, struct pw_err *err)
{
	const struct pw_tcprx *rx = path;
	ssize_t n = recv(rx->conn, to, pw_min_u64(len, READ_MAX), 0);

	if (n >= 0)
		return n;
	if (errno == EAGAIN || errno == EINTR)
		return -EAGAIN;
	return pw_err_sys(err, errno, "cannot receive the stream");
}

static const struct pw_rx_stream_ops tcprx_ops = {.accept = pw_tcprx_accept, .recv = pw_tcprx_recv};

const struct pw_rx_way pw_rx_way_tcp = {
	.name = "tcp",
	.summary = "recv() of what is there, 1 MiB at most, into the buffer",
	.kind = PW_WAY_STREAM,
	.sleeps = true,
	.path_bytes = sizeof(struct pw_tcprx),
	.open = pw_tcprx_open,
	.close = pw_tcprx_close,
	.stream = &tcprx_ops,
};
