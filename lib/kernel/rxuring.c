/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receivers uring_recv and uring_recv_gro: one multishot recvmsg of an io_uring, which stays armed, and a
 * ring of provided buffers. The kernel takes a buffer for each message and posts a completion.
 *
 *   buffer ring | b0 | b1 | ... |  -->  completions  -->  views  --release-->  back to the buffer ring
 *   buffer      | struct io_uring_recvmsg_out | name | control | payload |
 *
 * One io_uring_enter() waits for the first message, and finds the completions of all that came with it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "host/uring.h"
#include "kernel/rxsock.h"
#include "kernel/rxways.h"

#define GROUP     0 /* of buffers */
#define BUFS      1024u
#define BUFS_GRO  64u
#define ROOM      256u /* for what stands in front of the payload */
#define CONTROL   CMSG_SPACE(sizeof(int))
#define N_TO_TAKE 64u /* completions in a burst */

struct rx {
	struct pw_rxsock s;
	struct io_uring ring;
	bool is_open, armed;
	struct io_uring_buf_ring *bufring;
	uint8_t *area; /* n_bufs * buf_bytes */
	uint32_t n_bufs, buf_bytes;
	struct msghdr msg; /* the lengths of name and control data */
	struct pw_rxtrain trains[N_TO_TAKE];
	uint16_t held[N_TO_TAKE]; /* the buffers that the trains lie in */
	unsigned int n_trains, cur;
};

static void give_back(struct rx *rx, uint16_t id, int offset)
{
	io_uring_buf_ring_add(rx->bufring, rx->area + (size_t)id * rx->buf_bytes, rx->buf_bytes, id,
		io_uring_buf_ring_mask(rx->n_bufs), offset);
}

/* All views of the trains have been released. */
static void recycle(struct rx *rx)
{
	unsigned int i;

	for (i = 0; i < rx->n_trains; i++)
		give_back(rx, rx->held[i], (int)i);
	if (rx->n_trains)
		io_uring_buf_ring_advance(rx->bufring, (int)rx->n_trains);
	rx->n_trains = rx->cur = 0;
}

static int arm(struct rx *rx)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&rx->ring);

	if (!sqe)
		return -EBUSY;
	io_uring_prep_recvmsg_multishot(sqe, rx->s.fd, &rx->msg, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	rx->armed = true;
	return 0;
}

/* GRO's segment size in the control data of a message. */
static uint32_t segment(struct rx *rx, struct io_uring_recvmsg_out *out)
{
	struct msghdr m = {.msg_control = (uint8_t *)(out + 1) + rx->msg.msg_namelen,
		.msg_controllen = out->controllen < rx->msg.msg_controllen
					  ? out->controllen
					  : rx->msg.msg_controllen};

	return pw_rxsock_segment(&m);
}

/* A buffer that the kernel has filled with res bytes. */
static void note(struct rx *rx, uint16_t id, int res)
{
	uint8_t *buf = rx->area + (size_t)id * rx->buf_bytes;
	struct io_uring_recvmsg_out *out = io_uring_recvmsg_validate(buf, res, &rx->msg);
	struct sockaddr_storage from = {0};

	rx->held[rx->n_trains] = id;
	if (!out) {
		rx->trains[rx->n_trains++] = (struct pw_rxtrain){0};
		return;
	}
	memcpy(&from, io_uring_recvmsg_name(out),
		out->namelen < rx->msg.msg_namelen ? out->namelen : rx->msg.msg_namelen);
	pw_rxsock_note(&rx->s, &rx->trains[rx->n_trains++], io_uring_recvmsg_payload(out, &rx->msg),
		io_uring_recvmsg_payload_length(out, res, &rx->msg), segment(rx, out),
		(int)out->flags, &from);
}

/* Reads the completions that are there. Returns how many, or -errno. */
static int take(struct rx *rx)
{
	struct io_uring_cqe *cqes[N_TO_TAKE];
	unsigned int i, n = io_uring_peek_batch_cqe(&rx->ring, cqes, N_TO_TAKE);
	int error = 0;

	for (i = 0; i < n; i++) {
		const struct io_uring_cqe *c = cqes[i];

		if (!(c->flags & IORING_CQE_F_MORE))
			rx->armed = false;
		if (c->flags & IORING_CQE_F_BUFFER)
			note(rx, (uint16_t)(c->flags >> IORING_CQE_BUFFER_SHIFT), c->res);
		else if (c->res < 0 && c->res != -ENOBUFS && c->res != -EINTR)
			error = c->res;
	}
	io_uring_cq_advance(&rx->ring, n);
	return error ? error : (int)n;
}

static int hand_out(struct rx *rx, struct pw_rx_view *views, uint16_t n)
{
	return pw_rxtrain_views(&rx->s.c, rx->trains, rx->n_trains, &rx->cur, views, n);
}

/* Submits the receive again where it has ended, and waits for a completion. */
static int enter(struct rx *rx, uint64_t timeout_ns)
{
	int ret = rx->armed ? 0 : arm(rx);

	if (ret == 0)
		ret = pw_uring_wait(&rx->ring, timeout_ns ? 1 : 0, timeout_ns);
	return ret == -EINTR ? 0 : ret;
}

static int uring_burst(void *path, struct pw_rx_view *views, uint16_t n, uint64_t timeout_ns)
{
	struct rx *rx = path;
	int ret = hand_out(rx, views, n);

	if (ret)
		return ret;
	recycle(rx);
	ret = take(rx);
	if (ret == 0) {
		ret = enter(rx, timeout_ns);
		if (ret == 0)
			ret = take(rx);
	}
	return ret < 0 ? ret : hand_out(rx, views, n);
}

/* Pages of its own: a ring of buffers begins at a page. */
static void *pages(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static size_t ring_bytes(const struct rx *rx)
{
	return rx->n_bufs * sizeof(struct io_uring_buf);
}

static int register_buffers(struct rx *rx, struct pw_err *err)
{
	struct io_uring_buf_reg reg = {.ring_entries = rx->n_bufs, .bgid = GROUP};
	uint32_t i;
	int ret;

	rx->bufring = pages(ring_bytes(rx));
	rx->area = pages((size_t)rx->n_bufs * rx->buf_bytes);
	if (!rx->bufring || !rx->area)
		return pw_err_sys(err, ENOMEM, "cannot allocate the buffers of an io_uring");
	reg.ring_addr = (uintptr_t)rx->bufring;
	ret = io_uring_register_buf_ring(&rx->ring, &reg, 0);
	if (ret == -EINVAL)
		return pw_err_set(err, EOPNOTSUPP,
			"cannot register buffers at an io_uring: this kernel has no rings of "
			"buffers; it needs "
			"Linux 5.19");
	if (ret < 0)
		return pw_err_sys(err, -ret, "cannot register buffers at an io_uring");
	io_uring_buf_ring_init(rx->bufring);
	for (i = 0; i < rx->n_bufs; i++)
		give_back(rx, (uint16_t)i, (int)i);
	io_uring_buf_ring_advance(rx->bufring, (int)rx->n_bufs);
	return 0;
}

/* A kernel before 6.0 refuses the multishot receive at once. */
static int start(struct rx *rx, struct pw_err *err)
{
	int ret = enter(rx, 0);

	if (ret == 0)
		ret = take(rx);
	if (ret == -EINVAL)
		return pw_err_set(err, EOPNOTSUPP,
			"cannot receive by an io_uring: this kernel has no multishot recvmsg; it "
			"needs Linux 6.0");
	return ret < 0 ? pw_err_sys(err, -ret, "cannot receive by an io_uring") : 0;
}

static int open_rx(void *path, const struct pw_rx_way_config *cfg, bool gro, struct pw_err *err)
{
	const struct pw_udprx_config udp = {.listen = cfg->listen, .interface = cfg->interface};
	struct rx *rx = path;
	const struct pw_uring_want want = {
		.sq_entries = 8,
		.cq_entries = 2 * BUFS,
		.op = IORING_OP_RECVMSG,
		.op_name = "IORING_OP_RECVMSG",
		.since = "5.3",
	};
	int ret;

	rx->s.fd = -1;
	rx->n_bufs = gro ? BUFS_GRO : BUFS;
	rx->buf_bytes = ROOM + (gro ? PW_RXSOCK_BYTES : (cfg->mtu + 63) / 64 * 64);
	rx->msg.msg_namelen = sizeof(struct sockaddr_storage);
	rx->msg.msg_controllen = gro ? CONTROL : 0;
	ret = pw_rxsock_open(&rx->s, &udp, gro, cfg->log, err);
	if (ret == 0)
		ret = pw_uring_open(&rx->ring, &want, err);
	if (ret < 0)
		return ret;
	rx->is_open = true;
	ret = register_buffers(rx, err);
	return ret < 0 ? ret : start(rx, err);
}

static int plain_open(void *path, const struct pw_rx_way_config *cfg, struct pw_err *err)
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

	if (rx->is_open)
		io_uring_queue_exit(&rx->ring); /* ends the receive and its buffers */
	pw_rxsock_close(&rx->s);
	if (rx->bufring)
		munmap(rx->bufring, ring_bytes(rx));
	if (rx->area)
		munmap(rx->area, (size_t)rx->n_bufs * rx->buf_bytes);
}

static const struct pw_rx_ops ops = {
	.name = "uring_recv",
	.burst = uring_burst,
	.release = pw_rxsock_release,
	.alive = pw_rxsock_alive,
	.counters = pw_rxsock_counters,
};

const struct pw_rx_way pw_rx_way_uring_recv = {
	.name = "uring_recv",
	.summary = "io_uring: one multishot recvmsg, 1024 provided buffers",
	.kind = PW_WAY_DATAGRAM,
	.sleeps = true,
	.path_bytes = sizeof(struct rx),
	.open = plain_open,
	.close = close_rx,
	.packets = &ops,
};

const struct pw_rx_way pw_rx_way_uring_recv_gro = {
	.name = "uring_recv_gro",
	.summary = "the same with UDP_GRO, 64 provided buffers of 64 KiB",
	.kind = PW_WAY_DATAGRAM,
	.sleeps = true,
	.path_bytes = sizeof(struct rx),
	.open = gro_open,
	.close = close_rx,
	.packets = &ops,
};
