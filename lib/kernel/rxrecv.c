/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receivers recv and udp_gro: one call for one message, into one buffer, which stays in the cache.
 *
 *   recv      recvfrom() | datagram |                      UDP_GRO is off
 *   udp_gro   recvmsg()  | seg | seg | seg | short |       the segment size is in the control message
 *
 * The calls block, as their users' programs do: SO_RCVTIMEO bounds the sleep.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/clock.h"
#include "kernel/rxsock.h"
#include "kernel/rxways.h"

struct rx {
	struct pw_rxsock s;
	uint64_t timeout_ns; /* of the socket */
	uint8_t *buf;        /* PW_RXSOCK_BYTES */
	struct pw_rxtrain train;
	struct sockaddr_storage from;
};

static int is_over(int code)
{
	return code == EAGAIN || code == EINTR ? 0 : -code;
}

static int set_timeout(struct rx *rx, uint64_t timeout_ns)
{
	/* 0 would be for ever */
	const uint64_t us = timeout_ns < 1000 ? 1 : timeout_ns / 1000;
	const struct timeval tv = {
		.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};

	if (timeout_ns == rx->timeout_ns)
		return 0;
	if (setsockopt(rx->s.fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0)
		return -errno;
	rx->timeout_ns = timeout_ns;
	return 0;
}

static int receive_one(struct rx *rx, int flags)
{
	socklen_t len = sizeof(rx->from);
	ssize_t n = recvfrom(
		rx->s.fd, rx->buf, PW_RXSOCK_BYTES, flags, (struct sockaddr *)&rx->from, &len);

	if (n < 0)
		return is_over(errno);
	pw_rxsock_note(&rx->s, &rx->train, rx->buf, (uint32_t)n, 0, 0, &rx->from);
	return 1;
}

static int receive_train(struct rx *rx, int flags)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} ctrl;
	struct iovec iov = {rx->buf, PW_RXSOCK_BYTES};
	struct msghdr m = {.msg_name = &rx->from,
		.msg_namelen = sizeof(rx->from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &ctrl,
		.msg_controllen = sizeof(ctrl)};
	ssize_t n = recvmsg(rx->s.fd, &m, flags);

	if (n < 0)
		return is_over(errno);
	pw_rxsock_note(&rx->s, &rx->train, rx->buf, (uint32_t)n, pw_rxsock_segment(&m), m.msg_flags,
		&rx->from);
	return 1;
}

static int hand_out(struct rx *rx, struct pw_rx_view *views, uint16_t n)
{
	unsigned int none = 0;

	return pw_rxtrain_views(&rx->s.c, &rx->train, 1, &none, views, n);
}

static int burst(struct rx *rx, struct pw_rx_view *views, uint16_t n, uint64_t timeout_ns,
	int (*receive)(struct rx *rx, int flags))
{
	int ret = hand_out(rx, views, n);

	if (ret)
		return ret;
	if (timeout_ns)
		ret = set_timeout(rx, timeout_ns);
	if (ret == 0)
		ret = receive(rx, timeout_ns ? 0 : MSG_DONTWAIT);
	return ret <= 0 ? ret : hand_out(rx, views, n);
}

static int recv_burst(void *path, struct pw_rx_view *views, uint16_t n, uint64_t timeout_ns)
{
	return burst(path, views, n, timeout_ns, receive_one);
}

static int gro_burst(void *path, struct pw_rx_view *views, uint16_t n, uint64_t timeout_ns)
{
	return burst(path, views, n, timeout_ns, receive_train);
}

/* pw_udpsock_open() makes a socket that does not block. */
static int open_rx(void *path, const struct pw_rx_way_config *cfg, bool gro, struct pw_err *err)
{
	const struct pw_udprx_config udp = {.listen = cfg->listen, .interface = cfg->interface};
	struct rx *rx = path;
	int off = 0, ret;

	rx->s.fd = -1;
	rx->buf = malloc(PW_RXSOCK_BYTES);
	if (!rx->buf)
		return pw_err_sys(err, ENOMEM, "cannot allocate the buffer of a UDP socket");
	ret = pw_rxsock_open(&rx->s, &udp, gro, cfg->log, err);
	if (ret == 0 && ioctl(rx->s.fd, FIONBIO, &off) < 0)
		ret = pw_err_sys(err, errno, "cannot make a UDP socket block");
	return ret;
}

static int recv_open(void *path, const struct pw_rx_way_config *cfg, struct pw_err *err)
{
	return open_rx(path, cfg, false, err);
}

static int gro_open(void *path, const struct pw_rx_way_config *cfg, struct pw_err *err)
{
	return open_rx(path, cfg, true, err);
}

static void close_rx(void *path)
{
	struct rx *rx = path;

	pw_rxsock_close(&rx->s);
	free(rx->buf);
}

static const struct pw_rx_ops recv_ops = {
	.name = "recv",
	.burst = recv_burst,
	.release = pw_rxsock_release,
	.alive = pw_rxsock_alive,
	.counters = pw_rxsock_counters,
};

static const struct pw_rx_ops gro_ops = {
	.name = "udp_gro",
	.burst = gro_burst,
	.release = pw_rxsock_release,
	.alive = pw_rxsock_alive,
	.counters = pw_rxsock_counters,
};

const struct pw_rx_way pw_rx_way_recv = {
	.name = "recv",
	.summary = "blocking recvfrom() for each datagram",
	.kind = PW_WAY_DATAGRAM,
	.sleeps = true,
	.path_bytes = sizeof(struct rx),
	.open = recv_open,
	.close = close_rx,
	.packets = &recv_ops,
};

const struct pw_rx_way pw_rx_way_udp_gro = {
	.name = "udp_gro",
	.summary = "blocking recvmsg() for each train of datagrams (UDP_GRO)",
	.kind = PW_WAY_DATAGRAM,
	.sleeps = true,
	.path_bytes = sizeof(struct rx),
	.open = gro_open,
	.close = close_rx,
	.packets = &gro_ops,
};
