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
#include "kernel/tcp_chain.h"
#include "kernel/ways.h"

#define DEPTH            8 /* what an SQPOLL thread that serves several rings takes at once */
#define CHUNK_MAX        (1u << 30) /* a completion has 31 bits for the length */
#define SEND_FLAGS       (MSG_NOSIGNAL | MSG_WAITALL)
#define BUFFER_MAX_BYTES (1ull << 30) /* io_sqe_buffer_register(): SZ_1G */
#define N_BUFFERS_MAX    (1u << 14)   /* IORING_MAX_REG_BUFFERS */
#define CQ_ENTRIES_ZC    256 /* notifications come late; an overflow is slow, but loses none */

struct tcp_uring {
	struct pw_tcp_chain c;
	struct pw_extent *pieces; /* of the file, one for each buffer to register; or NULL */
	bool registered;
	uint32_t asked[DEPTH];            /* bytes of each link of the chain */
	uint32_t depth;                   /* links in a chain, at most */
	uint32_t chain;                   /* number of the chain, modulo 2^32 */
	uint32_t empty_chain, empty_link; /* this link and those behind it sent nothing */
	bool cut;                         /* a link was short or failed: none behind it may send */
	uint64_t n_notifs;                /* SEND_ZC: notifications due */
};

static void prepare(struct tcp_uring *u, struct io_uring_sqe *sqe, const uint8_t *va, uint32_t len)
{
	const int fd = u->c.tcp.s.fd;

	if (!u->c.tcp.s.way->zerocopy)
		io_uring_prep_send(sqe, fd, va, len, SEND_FLAGS);
	else if (u->registered)
		io_uring_prep_send_zc_fixed(
			sqe, fd, va, len, SEND_FLAGS, u->c.ring.usage, u->c.tcp.extent);
	else
		io_uring_prep_send_zc(sqe, fd, va, len, SEND_FLAGS, u->c.ring.usage);
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
			u->c.tcp.s.peer);
	if (res <= 0)
		cut_chain(u, link);
	else if ((uint32_t)res < u->asked[link])
		cut_chain(u, link + 1);
	if (res < 0 && res != -ECANCELED)
		u->c.code = -res;
	u->c.n_flying--;
	if (res <= 0)
		return 0;
	u->n_notifs += (cqe->flags & IORING_CQE_F_MORE) != 0;
	u->c.tcp.s.c.packets++;
	u->c.tcp.s.c.payload_bytes += (uint64_t)res;
	u->c.moved += (uint64_t)res;
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
	u->c.tcp.s.c.zc_done++;
	if ((uint32_t)cqe->res & IORING_NOTIF_USAGE_ZC_COPIED)
		u->c.tcp.s.c.zc_copied++;
}

static int reap(void *path, struct pw_err *err)
{
	struct tcp_uring *u = path;
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;
	int ret = 0;

	io_uring_for_each_cqe(&u->c.ring.uring, head, cqe)
	{
		n++;
		if (cqe->flags & IORING_CQE_F_NOTIF)
			note_notification(u, cqe);
		else if (ret == 0)
			ret = note_send(u, cqe, err);
	}
	io_uring_cq_advance(&u->c.ring.uring, n);
	return ret;
}

static void make_chain(void *path, uint64_t offset, uint64_t len)
{
	struct tcp_uring *u = path;
	struct io_uring_sqe *sqe = NULL;
	uint64_t end = offset + len, piece;
	const uint8_t *va;
	uint32_t i;

	u->chain++;
	for (i = 0; i < u->depth && offset < end; i++) {
		piece = pw_min_u64(end - offset, pw_min_u64(u->c.tcp.chunk_bytes, CHUNK_MAX));
		piece = pw_tcp_span(&u->c.tcp, offset, piece, &va);
		sqe = io_uring_get_sqe(&u->c.ring.uring);
		assert(sqe); /* the ring has DEPTH entries, and all are free */
		prepare(u, sqe, va, (uint32_t)piece);
		sqe->flags |= IOSQE_IO_LINK;
		io_uring_sqe_set_data64(sqe, name_link(u->chain, i));
		u->asked[i] = (uint32_t)piece;
		offset += piece;
	}
	if (sqe)
		sqe->flags &= (uint8_t)~IOSQE_IO_LINK;
	u->c.n_flying = i;
	u->cut = false;
}

static int uring_drain(void *path, struct pw_err *err)
{
	struct tcp_uring *u = path;
	int ret = reap(u, err);

	if (ret < 0 || (u->c.n_flying == 0 && u->n_notifs == 0))
		return ret;
	ret = pw_tcp_chain_sleep(&u->c, 1, PW_SEND_SLEEP_NS, err);
	if (ret < 0 && ret != -EINTR)
		return ret;
	ret = reap(u, err);
	if (ret < 0)
		return ret;
	return u->c.n_flying || u->n_notifs ? -EAGAIN : 0;
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
		u->c.tcp.s.peer);
}

/* Handles what stopped the last chain, if anything did. */
static int chain_error(void *path, uint64_t offset, struct pw_err *err)
{
	struct tcp_uring *u = path;
	int code = u->c.code;

	(void)offset;
	u->c.code = 0;
	if (code == 0)
		return 0;
	if (code == ENOBUFS || code == ENOMEM)
		return no_buffers(u, code, err);
	return pw_tcp_error(&u->c.tcp, code, err);
}

static const struct pw_tcp_chain_ops chain_ops = {
	.error = chain_error, .make = make_chain, .reap = reap};

static int64_t uring_send(void *path, uint64_t offset, uint64_t len, struct pw_err *err)
{
	return pw_tcp_chain_send(path, &chain_ops, offset, len, err);
}

static int uring_socket(void *path, struct pw_err *err)
{
	struct tcp_uring *u = path;
	const bool zc = u->c.tcp.s.way->zerocopy;
	const struct pw_uring_want want = {
		.sq_entries = DEPTH,
		.cq_entries = zc ? CQ_ENTRIES_ZC : 2 * DEPTH,
		.sqpoll = u->c.tcp.s.cfg.sqpoll,
		.op = zc ? IORING_OP_SEND_ZC : IORING_OP_SEND,
		.op_name = zc ? "IORING_OP_SEND_ZC" : "IORING_OP_SEND",
		.since = zc ? "6.0" : "5.11",
	};
	int ret;

	u->depth = DEPTH;
	/* Before it connects: where io_uring is refused, the receiver sees no connection. */
	ret = pw_ring_open(&u->c.ring, &want, zc, u->c.tcp.s.cfg.log, err);
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
	const struct pw_window *w = u->c.tcp.win;
	uint64_t n = count_pieces(w);
	struct iovec *iov;
	int ret;

	if (n == 0 || n > N_BUFFERS_MAX) {
		if (n)
			pw_warn(u->c.tcp.s.cfg.log,
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
	ret = io_uring_register_buffers(&u->c.ring.uring, iov, (unsigned int)n);
	free(iov);
	if (ret == 0) {
		u->c.tcp.extents = u->pieces;
		u->registered = true;
		return 0;
	}
	if (!why_not(-ret))
		return pw_err_sys(err, -ret, "cannot register the file with io_uring");
	pw_warn(u->c.tcp.s.cfg.log, "each send pins its own pages: %s", why_not(-ret));
	return 0;
}

static void uring_finish(void *path)
{
	struct tcp_uring *u = path;

	pw_tcp_chain_finish(path, &chain_ops);
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
