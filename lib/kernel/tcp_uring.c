/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stream ways through an io_uring, from the file's mapping: uring_send (IORING_OP_SEND) and
 * uring_send_zc (IORING_OP_SEND_ZC).
 *
 *   one chain:   SEND chunk 0 -> SEND chunk 1 -> ... -> SEND chunk 7      one io_uring_enter()
 *
 * The chunks of a stream must not overtake each other, so those of a call are linked (IOSQE_IO_LINK):
 * each starts when the one before it has been sent whole (MSG_WAITALL). A short or failed send cancels
 * the sends behind it, and the next chain starts where it stopped. The next chain is built when the last
 * one is done: nothing can be linked to what was submitted before.
 *
 * uring_send_zc registers the mapping with the ring, so that its pages are pinned once and not in every
 * call. The kernel registers only what it may pin for writing: files on hugetlbfs mapped read-write, and
 * no read-only mapping of the page cache. Then each call pins its own pages, and the log has a warning.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "kernel/ring.h"
#include "kernel/tcp.h"
#include "kernel/ways.h"

#define DEPTH            8 /* what an SQPOLL thread that serves several rings takes at once */
#define CHUNK_MAX        (1u << 30) /* a completion has 31 bits for the length */
#define CLOSE_MAX_NS     PW_NS_PER_S
#define SEND_FLAGS       (MSG_NOSIGNAL | MSG_WAITALL)
#define BUFFER_MAX_BYTES (1ull << 30) /* io_sqe_buffer_register(): SZ_1G */
#define N_BUFFERS_MAX    (1u << 14)   /* IORING_MAX_REG_BUFFERS */
#define CQ_ENTRIES_ZC    256 /* notifications come late; an overflow is slow, but loses none */

struct tcp_uring {
	struct pw_tcp tcp;
	struct pw_ring ring;
	struct pw_extent *pieces; /* of the file, one for each buffer to register; or NULL */
	bool registered;
	uint32_t asked[DEPTH];            /* bytes of each link of the chain */
	uint32_t depth;                   /* links in a chain, at most */
	uint32_t chain;                   /* number of the chain, modulo 2^32 */
	uint32_t n_flying;                /* links whose completion is due */
	uint32_t empty_chain, empty_link; /* this link and those behind it sent nothing */
	bool cut;                         /* a link was short or failed: none behind it may send */
	int code;                         /* what stopped the chain, a positive errno value, or 0 */
	uint64_t expect;   /* offset of the first byte that send() has not returned yet */
	uint64_t moved;    /* bytes sent that send() has not returned yet */
	uint64_t n_notifs; /* SEND_ZC: notifications due */
};

static void prepare(struct tcp_uring *u, struct io_uring_sqe *sqe, const uint8_t *va, uint32_t len)
{
	const int fd = u->tcp.s.fd;

	if (!u->tcp.s.way->zerocopy)
		io_uring_prep_send(sqe, fd, va, len, SEND_FLAGS);
	else if (u->registered)
		io_uring_prep_send_zc_fixed(
			sqe, fd, va, len, SEND_FLAGS, u->ring.usage, u->tcp.extent);
	else
		io_uring_prep_send_zc(sqe, fd, va, len, SEND_FLAGS, u->ring.usage);
}

/* A completion names chain and link, because a notification may come after its chain has ended. */
static uint64_t name_link(uint32_t chain, uint32_t link)
{
	return (uint64_t)chain << 32 | link;
}

/* This link and those behind it have sent nothing, or must not have. */
static void cut_chain(struct tcp_uring *u, uint32_t link)
{
	if (!u->cut || link < u->empty_link)
		u->empty_link = link;
	u->empty_chain = u->chain;
	u->cut = true;
}

/* Notes a link's own completion. When the kernel refuses a chain as a whole, completions may come in any
 * order: the link at fault has the reason, the others are cancelled. */
static int note_send(struct tcp_uring *u, const struct io_uring_cqe *cqe, struct pw_err *err)
{
	uint32_t link = (uint32_t)cqe->user_data;
	int res = cqe->res;

	if (res > 0 && u->cut && link >= u->empty_link)
		return pw_err_set(err, EIO,
			"cannot send to %s: the kernel sent chunks of a chain behind one that was "
			"cut short, so the stream is corrupt; use another way",
			u->tcp.s.peer);
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
	u->tcp.s.c.packets++;
	u->tcp.s.c.payload_bytes += (uint64_t)res;
	u->moved += (uint64_t)res;
	return 0;
}

static void note_notification(struct tcp_uring *u, const struct io_uring_cqe *cqe)
{
	uint32_t link = (uint32_t)cqe->user_data;

	/* A link that failed or was cancelled also has a notification, with IORING_CQE_F_MORE in its
	 * completion or without. It may report "copied", of no bytes: do not count it. */
	if (cqe->user_data == name_link(u->empty_chain, link) && link >= u->empty_link)
		return;
	u->n_notifs--;
	u->tcp.s.c.zc_done++;
	if ((uint32_t)cqe->res & IORING_NOTIF_USAGE_ZC_COPIED)
		u->tcp.s.c.zc_copied++;
}

static int reap(struct tcp_uring *u, struct pw_err *err)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;
	int ret = 0;

	io_uring_for_each_cqe(&u->ring.uring, head, cqe)
	{
		n++;
		if (cqe->flags & IORING_CQE_F_NOTIF)
			note_notification(u, cqe);
		else if (ret == 0)
			ret = note_send(u, cqe, err);
	}
	io_uring_cq_advance(&u->ring.uring, n);
	return ret;
}

static void make_chain(struct tcp_uring *u, uint64_t offset, uint64_t len)
{
	struct io_uring_sqe *sqe = NULL;
	uint64_t end = offset + len, piece;
	const uint8_t *va;
	uint32_t i;

	u->chain++;
	for (i = 0; i < u->depth && offset < end; i++) {
		piece = pw_min_u64(end - offset, pw_min_u64(u->tcp.chunk_bytes, CHUNK_MAX));
		piece = pw_tcp_span(&u->tcp, offset, piece, &va);
		sqe = io_uring_get_sqe(&u->ring.uring);
		assert(sqe); /* the ring has DEPTH entries, and all are free */
		prepare(u, sqe, va, (uint32_t)piece);
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

static int sleep_on_ring(struct tcp_uring *u, uint32_t n, uint64_t timeout_ns, struct pw_err *err)
{
	int ret = pw_uring_wait(&u->ring.uring, n, timeout_ns);

	if (ret == 0 || ret == -EINTR)
		return ret;
	return pw_err_sys(err, -ret, "cannot send to %s: waiting for io_uring", u->tcp.s.peer);
}

/* Waits until the chain is done, the deadline, or a signal. */
static int wait_chain(struct tcp_uring *u, uint64_t deadline_ns, struct pw_err *err)
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

static int uring_drain(void *path, struct pw_err *err)
{
	struct tcp_uring *u = path;
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

/* Pages in flight, and those of a whole chain before it starts, count against the memlock limit. Those
 * in flight become free; a shorter chain needs fewer. */
static int no_buffers(struct tcp_uring *u, int code, struct pw_err *err)
{
	if (u->n_notifs) {
		uring_drain(u, NULL);
		return -EAGAIN;
	}
	if (u->depth > 1) {
		u->depth /= 2;
		return -EAGAIN;
	}
	return pw_err_set(err, code,
		"cannot send to %s: no memory for one zero-copy call; raise the memlock limit "
		"(ulimit -l), or send fewer bytes in a call",
		u->tcp.s.peer);
}

/* Handles what stopped the last chain, if anything did. */
static int chain_error(struct tcp_uring *u, struct pw_err *err)
{
	int code = u->code;

	u->code = 0;
	if (code == 0)
		return 0;
	if (code == ENOBUFS || code == ENOMEM)
		return no_buffers(u, code, err);
	return pw_tcp_error(&u->tcp, code, err);
}

static int64_t uring_send(void *path, uint64_t offset, uint64_t len, struct pw_err *err)
{
	struct tcp_uring *u = path;
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

static int uring_socket(void *path, struct pw_err *err)
{
	struct tcp_uring *u = path;
	const bool zc = u->tcp.s.way->zerocopy;
	const struct pw_uring_want want = {
		.sq_entries = DEPTH,
		.cq_entries = zc ? CQ_ENTRIES_ZC : 2 * DEPTH,
		.sqpoll = u->tcp.s.cfg.sqpoll,
		.op = zc ? IORING_OP_SEND_ZC : IORING_OP_SEND,
		.op_name = zc ? "IORING_OP_SEND_ZC" : "IORING_OP_SEND",
		.since = zc ? "6.0" : "5.11",
	};
	int ret;

	u->depth = DEPTH;
	/* Before it connects: where io_uring is refused, the receiver sees no connection. */
	ret = pw_ring_open(&u->ring, &want, zc, u->tcp.s.cfg.log, err);
	return ret < 0 ? ret : pw_tcp_socket(path, err);
}

/* A chunk lies in one piece, and a piece is one registered buffer:
 *
 *   extents  | extent 0: 2.5 GiB                | extent 1        |
 *   pieces   | 0: 1 GiB | 1: 1 GiB | 2: 0.5 GiB | 3               |
 */
static uint64_t count_pieces(const struct pw_window *w)
{
	uint64_t n = 0;
	uint32_t i;

	for (i = 0; i < w->n_extents; i++)
		n += pw_div_ceil(w->extents[i].len_bytes, BUFFER_MAX_BYTES);
	return n;
}

static void cut_pieces(const struct pw_window *w, struct pw_extent *pieces, struct iovec *iov)
{
	uint64_t off, len;
	uint32_t i, n = 0;

	for (i = 0; i < w->n_extents; i++) {
		const struct pw_extent *e = &w->extents[i];

		for (off = 0; off < e->len_bytes; off += len, n++) {
			len = pw_min_u64(e->len_bytes - off, BUFFER_MAX_BYTES);
			pieces[n] = (struct pw_extent){
				.va = e->va + off,
				.iova = PW_IOVA_NONE,
				.offset = e->offset + off,
				.len_bytes = len,
			};
			iov[n] = (struct iovec){
				.iov_base = (void *)(uintptr_t)pieces[n].va, .iov_len = len};
		}
	}
}

/* Why nothing can be registered, for the log; NULL: code is a failure of another kind. */
static const char *why_not(int code)
{
	if (code == EFAULT || code == EOPNOTSUPP)
		return "the kernel registers no read-only mapping of the page cache";
	if (code == ENOMEM)
		return "the memlock limit is too small for the file; raise it (ulimit -l)";
	return NULL;
}

static int register_file(void *path, struct pw_err *err)
{
	struct tcp_uring *u = path;
	const struct pw_window *w = u->tcp.win;
	uint64_t n = count_pieces(w);
	struct iovec *iov;
	int ret;

	if (n == 0 || n > N_BUFFERS_MAX) {
		if (n)
			pw_warn(u->tcp.s.cfg.log,
				"each send pins its own pages: the file needs %llu buffers, and a "
				"ring "
				"has at most %u",
				(unsigned long long)n, N_BUFFERS_MAX);
		return 0;
	}
	iov = calloc(n, sizeof(*iov));
	u->pieces = calloc(n, sizeof(*u->pieces));
	if (!iov || !u->pieces) {
		free(iov);
		return pw_err_sys(err, ENOMEM, "cannot register the file with io_uring");
	}
	cut_pieces(w, u->pieces, iov);
	ret = io_uring_register_buffers(&u->ring.uring, iov, (unsigned int)n);
	free(iov);
	if (ret == 0) {
		u->tcp.extents = u->pieces;
		u->registered = true;
		return 0;
	}
	if (!why_not(-ret))
		return pw_err_sys(err, -ret, "cannot register the file with io_uring");
	pw_warn(u->tcp.s.cfg.log, "each send pins its own pages: %s", why_not(-ret));
	return 0;
}

static void uring_finish(void *path)
{
	uint64_t end = pw_clock_ns() + CLOSE_MAX_NS;
	struct tcp_uring *u = path;

	/* A send that waits for room fails when the socket is shut down; what is queued is still sent.
	 * Otherwise the kernel would read the file's pages after the caller has unmapped them. */
	if (u->n_flying)
		shutdown(u->tcp.s.fd, SHUT_RDWR);
	while (u->n_flying && pw_clock_ns() < end) {
		if (wait_chain(u, end, NULL) < 0)
			break;
	}
	pw_ring_close(&u->ring);
	free(u->pieces);
}

static const struct pw_stream_ops ops = {
	.send = uring_send,
	.drain = uring_drain,
	.counters = pw_sock_counters,
};

const struct pw_way pw_way_uring_send = {
	.name = "uring_send",
	.summary = "io_uring: chains of 8 SENDs from the file's mapping",
	.kind = PW_WAY_STREAM,
	.path_bytes = sizeof(struct tcp_uring),
	.socket = uring_socket,
	.finish = uring_finish,
	.stream = &ops,
};

const struct pw_way pw_way_uring_send_zc = {
	.name = "uring_send_zc",
	.summary = "io_uring: chains of 8 SEND_ZCs from the file's mapping, registered where it "
		   "can be",
	.kind = PW_WAY_STREAM,
	.zerocopy = true,
	.path_bytes = sizeof(struct tcp_uring),
	.socket = uring_socket,
	.init = register_file,
	.finish = uring_finish,
	.stream = &ops,
};
