/* SPDX-License-Identifier: BSD-3-Clause */
#include "kernel/tcp_uring.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/clock.h"

#define CHUNK_MAX    (1u << 30) /* a completion tells its length in 31 bits */
#define CLOSE_MAX_NS PW_NS_PER_S

int pw_tcp_uring_open(struct pw_tcp_uring *u, const struct pw_way_config *cfg,
	const struct pw_uring_want *want, struct pw_err *err)
{
	int ret = pw_uring_open(&u->ring, want, err);

	u->tcp.fd = -1;
	if (ret < 0)
		return ret;
	u->ring_open = true;
	u->depth = PW_TCP_URING_DEPTH;
	return pw_tcp_open(&u->tcp, cfg, err);
}

/* A completion tells chain and link: notifications outlive their chain. */
static uint64_t name_link(uint32_t chain, uint32_t link)
{
	return (uint64_t)chain << 32 | link;
}

/* This link and those behind it have moved nothing, or must not have. */
static void cut_chain(struct pw_tcp_uring *u, uint32_t link)
{
	if (!u->cut || link < u->empty_link)
		u->empty_link = link;
	u->empty_chain = u->chain;
	u->cut = true;
}

/* A link's own completion. Those of a chain that the kernel refuses as a whole may come in any
 * order: the culprit has its reason, the others are cancelled. */
static int note_send(struct pw_tcp_uring *u, const struct io_uring_cqe *cqe, struct pw_err *err)
{
	uint32_t link = (uint32_t)cqe->user_data;
	int res = cqe->res;

	if (res > 0 && u->cut && link >= u->empty_link)
		return pw_err_set(err, EIO,
			"send to %s: the kernel sent chunks of a chain behind one that was cut "
			"short; this stream is spoilt",
			u->tcp.peer);
	if (res <= 0)
		cut_chain(u, link);
	else if ((uint32_t)res < u->asked[link])
		cut_chain(u, link + 1);
	if (res < 0 && res != -ECANCELED)
		u->code = -res;
	u->n_flying--;
	if (res <= 0)
		return 0;
	u->n_notifs += (cqe->flags & IORING_CQE_F_MORE) != 0;
	u->tcp.c.packets++;
	u->tcp.c.payload_bytes += (uint64_t)res;
	u->moved += (uint64_t)res;
	return 0;
}

static void note_notification(struct pw_tcp_uring *u, const struct io_uring_cqe *cqe)
{
	uint32_t link = (uint32_t)cqe->user_data;

	/* One that failed or was cancelled has a notification all the same, announced by
	 * IORING_CQE_F_MORE or not, that says "copied" of nothing. */
	if (cqe->user_data == name_link(u->empty_chain, link) && link >= u->empty_link)
		return;
	u->n_notifs--;
	u->tcp.c.zc_done++;
	if ((uint32_t)cqe->res & IORING_NOTIF_USAGE_ZC_COPIED)
		u->tcp.c.zc_copied++;
}

static int reap(struct pw_tcp_uring *u, struct pw_err *err)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;
	int ret = 0;

	io_uring_for_each_cqe(&u->ring, head, cqe)
	{
		n++;
		if (cqe->flags & IORING_CQE_F_NOTIF)
			note_notification(u, cqe);
		else if (ret == 0)
			ret = note_send(u, cqe, err);
	}
	io_uring_cq_advance(&u->ring, n);
	return ret;
}

static void make_chain(struct pw_tcp_uring *u, uint64_t offset, uint64_t len)
{
	struct io_uring_sqe *sqe = NULL;
	uint64_t end = offset + len, piece;
	const uint8_t *va;
	uint32_t i;

	u->chain++;
	for (i = 0; i < u->depth && offset < end; i++) {
		piece = pw_min_u64(end - offset, pw_min_u64(u->tcp.chunk_bytes, CHUNK_MAX));
		piece = pw_tcp_span(&u->tcp, offset, piece, &va);
		sqe = io_uring_get_sqe(&u->ring);
		assert(sqe); /* the ring has DEPTH of them, and all are back */
		u->prep(u, sqe, va, (uint32_t)piece);
		sqe->flags |= IOSQE_IO_LINK;
		io_uring_sqe_set_data64(sqe, name_link(u->chain, i));
		u->asked[i] = (uint32_t)piece;
		offset += piece;
	}
	if (sqe)
		sqe->flags &= (uint8_t)~IOSQE_IO_LINK;
	u->n_flying = i;
	u->cut = false;
}

static int sleep_on_ring(
	struct pw_tcp_uring *u, uint32_t n, uint64_t timeout_ns, struct pw_err *err)
{
	int ret = pw_uring_wait(&u->ring, n, timeout_ns);

	if (ret == 0 || ret == -EINTR)
		return ret;
	return pw_err_sys(err, -ret, "send to %s: wait for io_uring", u->tcp.peer);
}

/* Until the chain is done, deadline or a signal. */
static int wait_chain(struct pw_tcp_uring *u, uint64_t deadline_ns, struct pw_err *err)
{
	uint64_t now = pw_clock_ns();
	int waited = 0, ret;

	for (; u->n_flying && now < deadline_ns && waited == 0; now = pw_clock_ns()) {
		waited = sleep_on_ring(u, u->n_flying, deadline_ns - now, err);
		if (waited < 0 && waited != -EINTR)
			return waited;
		ret = reap(u, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* Pages in flight, and those of a whole chain before it starts, use up the memlock limit. What
 * flies comes back; a shorter chain needs less. */
static int no_buffers(struct pw_tcp_uring *u, int code, struct pw_err *err)
{
	if (u->n_notifs) {
		pw_tcp_uring_drain(u, NULL);
		return -EAGAIN;
	}
	if (u->depth > 1) {
		u->depth /= 2;
		return -EAGAIN;
	}
	return pw_err_set(err, code,
		"send to %s: no room for one zero-copy call; raise the memlock limit (ulimit -l), "
		"or send fewer bytes in a call",
		u->tcp.peer);
}

/* What stopped the last chain, if anything did. */
static int chain_error(struct pw_tcp_uring *u, struct pw_err *err)
{
	int code = u->code;

	u->code = 0;
	if (code == 0)
		return 0;
	if (code == ENOBUFS || code == ENOMEM)
		return no_buffers(u, code, err);
	return pw_tcp_error(&u->tcp, code, err);
}

int64_t pw_tcp_uring_send(void *path, uint64_t offset, uint64_t len, struct pw_err *err)
{
	struct pw_tcp_uring *u = path;
	uint64_t n;
	int ret;

	if (u->moved == 0 && u->n_flying == 0) {
		ret = chain_error(u, err);
		if (ret < 0)
			return ret;
		make_chain(u, offset, len);
		u->expect = offset;
	}
	assert(offset == u->expect); /* bytes in flight cannot be taken back */
	if (u->moved == 0) {
		ret = wait_chain(u, pw_clock_ns() + PW_SEND_SLEEP_NS, err);
		if (ret < 0)
			return ret;
	}
	if (u->moved == 0)
		return -EAGAIN;
	n = pw_min_u64(u->moved, len);
	u->moved -= n;
	u->expect += n;
	return (int64_t)n;
}

int pw_tcp_uring_drain(void *path, struct pw_err *err)
{
	struct pw_tcp_uring *u = path;
	int ret = reap(u, err);

	if (ret < 0 || (u->n_flying == 0 && u->n_notifs == 0))
		return ret;
	ret = sleep_on_ring(u, 1, PW_SEND_SLEEP_NS, err);
	if (ret < 0 && ret != -EINTR)
		return ret;
	ret = reap(u, err);
	if (ret < 0)
		return ret;
	return u->n_flying || u->n_notifs ? -EAGAIN : 0;
}

void pw_tcp_uring_close(struct pw_tcp_uring *u)
{
	uint64_t end = pw_clock_ns() + CLOSE_MAX_NS;

	/* A send that waits for room fails when the socket is shut down; what is queued still goes
	 * out. Else the kernel would read the file's pages after the caller has unmapped them. */
	if (u->ring_open && u->n_flying)
		shutdown(u->tcp.fd, SHUT_RDWR);
	while (u->ring_open && u->n_flying && pw_clock_ns() < end) {
		if (wait_chain(u, end, NULL) < 0)
			break;
	}
	if (u->ring_open)
		io_uring_queue_exit(&u->ring);
	u->ring_open = false;
	pw_tcp_close(&u->tcp);
}
