/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's UDP receiver. One recvmmsg(2) fills up to N_MSGS buffers, each with one datagram or with a
 * train of them that the kernel has merged (GRO):
 *
 *   buffer 0 | seg | seg | seg | short |     segment size in the UDP_GRO control message
 *   buffer 1 | datagram |
 *
 * Views are handed out train by train, and the next recvmmsg() is called when all have been handed out.
 * So the views of a burst stay valid until the next burst.
 */
#include "kernel/udprx.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "kernel/rxsock.h"
#include "kernel/rxways.h"

#define N_MSGS 64
/* A little more than a train: buffers that begin 64 KiB apart share few lines of the CPU's caches. */
#define STRIDE (PW_RXSOCK_BYTES + 1600)

struct pw_udprx {
	struct pw_rxsock s;
	uint8_t *bufs; /* N_MSGS * STRIDE */
	struct pw_rxtrain trains[N_MSGS];
	unsigned int n_trains, cur; /* trains[cur] is the next to hand out */
	struct mmsghdr msgs[N_MSGS];
	struct iovec iov[N_MSGS];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} ctrl[N_MSGS];
	struct sockaddr_storage names[N_MSGS];
};

static void note_train(struct pw_udprx *rx, unsigned int i)
{
	struct msghdr *m = &rx->msgs[i].msg_hdr;

	pw_rxsock_note(&rx->s, &rx->trains[i], rx->iov[i].iov_base, rx->msgs[i].msg_len,
		pw_rxsock_segment(m), m->msg_flags, &rx->names[i]);
}

/* Returns the number of messages received, 0 when none waits, or -errno. */
static int receive(struct pw_udprx *rx)
{
	int i, n;

	for (i = 0; i < N_MSGS; i++) {
		rx->msgs[i].msg_hdr.msg_controllen = sizeof(rx->ctrl[i]);
		rx->msgs[i].msg_hdr.msg_namelen = sizeof(rx->names[i]);
		rx->msgs[i].msg_hdr.msg_flags = 0;
	}
	n = recvmmsg(rx->s.fd, rx->msgs, N_MSGS, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (i = 0; i < n; i++)
		note_train(rx, (unsigned int)i);
	rx->n_trains = (unsigned int)n;
	rx->cur = 0;
	return n;
}

static int hand_out(struct pw_udprx *rx, struct pw_rx_view *views, uint16_t n)
{
	return pw_rxtrain_views(&rx->s.c, rx->trains, rx->n_trains, &rx->cur, views, n);
}

static int udprx_burst(void *path, struct pw_rx_view *views, uint16_t n, uint64_t timeout_ns)
{
	struct pw_udprx *rx = path;
	int ret = hand_out(rx, views, n);

	if (ret)
		return ret;
	ret = receive(rx);
	if (ret == 0 && timeout_ns) {
		ret = pw_rxsock_wait(rx->s.fd, timeout_ns);
		if (ret > 0)
			ret = receive(rx);
	}
	return ret < 0 ? ret : hand_out(rx, views, n);
}

/* release: receive() reuses the buffers only after all their views are handed out and released. */
const struct pw_rx_ops pw_udprx_ops = {
	.name = "udp",
	.burst = udprx_burst,
	.release = pw_rxsock_release,
	.alive = pw_rxsock_alive,
	.counters = pw_rxsock_counters,
};

static void link_messages(struct pw_udprx *rx)
{
	size_t i;

	for (i = 0; i < N_MSGS; i++) {
		rx->iov[i].iov_base = rx->bufs + i * STRIDE;
		rx->iov[i].iov_len = PW_RXSOCK_BYTES;
		rx->msgs[i].msg_hdr.msg_iov = &rx->iov[i];
		rx->msgs[i].msg_hdr.msg_iovlen = 1;
		rx->msgs[i].msg_hdr.msg_control = &rx->ctrl[i];
		rx->msgs[i].msg_hdr.msg_name = &rx->names[i];
	}
}

/* Whether it succeeds or not, finish() releases what it has made. */
static int init(struct pw_udprx *rx, const struct pw_udprx_config *cfg, const struct pw_log *log,
	struct pw_err *err)
{
	rx->s.fd = -1;
	rx->bufs = mmap(NULL, (size_t)N_MSGS * STRIDE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (rx->bufs == MAP_FAILED) {
		rx->bufs = NULL;
		return pw_err_sys(err, errno, "cannot allocate the buffers of a UDP socket");
	}
	link_messages(rx);
	return pw_rxsock_open(&rx->s, cfg, !cfg->no_gro, log, err);
}

static void finish(void *path)
{
	struct pw_udprx *rx = path;

	if (rx->bufs)
		munmap(rx->bufs, (size_t)N_MSGS * STRIDE);
	pw_rxsock_close(&rx->s);
}

int pw_udprx_open(struct pw_udprx **out_rx, const struct pw_udprx_config *cfg,
	const struct pw_log *log, struct pw_err *err)
{
	struct pw_udprx *rx = calloc(1, sizeof(*rx));
	int ret;

	*out_rx = NULL;
	if (!rx)
		return pw_err_sys(err, ENOMEM, "cannot open a UDP socket");
	ret = init(rx, cfg, log, err);
	if (ret < 0)
		pw_udprx_close(rx);
	else
		*out_rx = rx;
	return ret;
}

void pw_udprx_close(struct pw_udprx *rx)
{
	if (rx)
		finish(rx);
	free(rx);
}

static int open_way(void *path, const struct pw_rx_way_config *cfg, bool no_gro, struct pw_err *err)
{
	const struct pw_udprx_config udp = {
		.listen = cfg->listen, .interface = cfg->interface, .no_gro = no_gro};

	return init(path, &udp, cfg->log, err);
}

static int open_gro(void *path, const struct pw_rx_way_config *cfg, struct pw_err *err)
{
	return open_way(path, cfg, false, err);
}

static int open_plain(void *path, const struct pw_rx_way_config *cfg, struct pw_err *err)
{
	return open_way(path, cfg, true, err);
}

const struct pw_rx_way pw_rx_way_udp = {
	.name = "udp",
	.summary = "recvmmsg() of 64 messages with UDP_GRO: the socket of pagewire recv",
	.kind = PW_WAY_DATAGRAM,
	.sleeps = true,
	.path_bytes = sizeof(struct pw_udprx),
	.open = open_gro,
	.close = finish,
	.packets = &pw_udprx_ops,
};

const struct pw_rx_way pw_rx_way_recvmmsg = {
	.name = "recvmmsg",
	.summary = "recvmmsg() of 64 datagrams, without UDP_GRO",
	.kind = PW_WAY_DATAGRAM,
	.sleeps = true,
	.path_bytes = sizeof(struct pw_udprx),
	.open = open_plain,
	.close = finish,
	.packets = &pw_udprx_ops,
};
