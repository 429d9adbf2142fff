/* SPDX-License-Identifier: BSD-3-Clause */
/* A TCP server that takes one connection and reads the file, pass after pass, into the buffer. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "bench/sink.h"
#include "kernel/ktls.h"

#define READ_MAX (1u << 20) /* bytes asked for in one call: what a fast receiver does */
#define POLL_MS  100

static int listen_on(const struct pw_addr *a, struct pw_err *err)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(a->port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(a->port)};
	bool is_v4 = a->family == 4;
	int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		return pw_err_sys(err, errno, "cannot open a TCP socket");
	memcpy(&v4.sin_addr, a->bytes, 4);
	memcpy(&v6.sin6_addr, a->bytes, 16);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
		    is_v4 ? sizeof(v4) : sizeof(v6)) == 0 &&
		listen(fd, 1) == 0)
		return fd;
	pw_err_sys(err, errno, "cannot listen for the stream on port %u", a->port);
	close(fd);
	return -err->code;
}

static int wait_readable(int fd, uint64_t until_ns)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	while (pw_clock_ns() < until_ns)
		if (poll(&p, 1, POLL_MS) > 0)
			return 0;
	return -ETIMEDOUT;
}

/* Blocking reads of what is there; the clock is read per call. */
static int read_all(int fd, struct pw_sink_buffer *b, uint64_t until_ns, struct pw_sink_end *end)
{
	const struct timeval tick = {.tv_usec = POLL_MS * 1000};
	uint64_t at = 0;
	uint8_t nothing[1];

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof(tick));
	for (;;) {
		uint64_t room = b->len_bytes - at;
		ssize_t n = b->len_bytes ? recv(fd, b->bytes + at, pw_min_u64(room, READ_MAX), 0)
					 : recv(fd, nothing, sizeof(nothing), 0);

		if (n == 0)
			return 0;
		if (n < 0 && (errno == EAGAIN || errno == EINTR) && pw_clock_ns() < until_ns)
			continue;
		if (n < 0)
			return pw_err_sys(&end->err, errno, "cannot receive the stream");
		end->last_ns = pw_clock_ns();
		end->first_ns = end->first_ns ? end->first_ns : end->last_ns;
		end->bytes += (uint64_t)n;
		at = b->len_bytes ? (at + (uint64_t)n) % b->len_bytes : 0;
	}
}

int pw_sink_stream(
	const struct pw_cell *cell, struct pw_sink_buffer *b, int ready, struct pw_sink_end *end)
{
	const uint64_t until = pw_clock_ns() + cell->deadline_ns;
	int fd = listen_on(&cell->wire->flow.dst, &end->err), conn, r = 0;

	if (fd < 0)
		return fd;
	if (write(ready, "", 1) != 1)
		r = pw_err_sys(
			&end->err, errno, "cannot signal the bench that the stream can come");
	else if (wait_readable(fd, until))
		r = pw_err_set(
			&end->err, ETIMEDOUT, "cannot accept the stream: no process connected");
	conn = r ? -1 : accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (conn >= 0) {
		if (cell->way->kernel->tls)
			r = pw_ktls_start(conn, PW_KTLS_RECEIVES, &end->err);
		if (r == 0)
			r = read_all(conn, b, until, end);
		close(conn);
	}
	close(fd);
	return r;
}
