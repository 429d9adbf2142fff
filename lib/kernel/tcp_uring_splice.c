/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stream way uring_splice: the file's pages through a pipe into the socket, by an io_uring.
 *
 *   one chain:   SPLICE file -> pipe  ->  SPLICE pipe -> socket  ->  SPLICE file -> pipe ...
 *
 * The operations of a chain are linked: each starts when the one before it has moved all its bytes. A short
 * or failed one cancels those behind it. What is then in the pipe is sent first, by a chain of one.
 *
 * The kernel gives each SPLICE to a worker thread, because it may sleep.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/bytes.h"
#include "kernel/tcp_chain.h"
#include "kernel/ways.h"

#define PAIRS      4u        /* in a chain: 4 MiB */
#define PIPE_BYTES (1 << 20) /* the default fs.pipe-max-size: needs no privilege */

struct uring_splice {
	struct pw_tcp_chain c;
	int pipe[2]; /* 0, 0: there is no pipe */
	uint64_t pipe_bytes;
	uint64_t piped;    /* bytes in the pipe */
	bool code_of_file; /* c.code stopped a SPLICE from the file */
	bool ended;        /* a SPLICE from the file moved nothing */
};

static int open_pipe(void *path, struct pw_err *err)
{
	struct uring_splice *u = path;
	int size;

	if (pipe2(u->pipe, O_CLOEXEC) < 0)
		return pw_err_sys(err, errno, "cannot open a pipe");
	/* Refused above a user's quota of pipe pages: then the pipe stays at 64 KiB or less. */
	(void)fcntl(u->pipe[1], F_SETPIPE_SZ, PIPE_BYTES);
	size = fcntl(u->pipe[1], F_GETPIPE_SZ);
	u->pipe_bytes = size > 0 ? (uint64_t)size : PIPE_BUF;
	return 0;
}

enum { FROM_FILE, TO_SOCKET };

static struct io_uring_sqe *add(
	struct uring_splice *u, uint64_t kind, uint64_t offset, uint64_t len)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->c.ring.uring);

	assert(sqe); /* the ring has one for each operation of a chain */
	if (kind == FROM_FILE)
		io_uring_prep_splice(sqe, u->c.tcp.win->fd, (int64_t)offset, u->pipe[1], -1,
			(unsigned int)len, 0);
	else
		io_uring_prep_splice(sqe, u->pipe[0], -1, u->c.tcp.s.fd, -1, (unsigned int)len, 0);
	sqe->flags |= IOSQE_IO_LINK;
	io_uring_sqe_set_data64(sqe, kind);
	u->c.n_flying++;
	return sqe;
}

static void make_chain(void *path, uint64_t offset, uint64_t len)
{
	struct uring_splice *u = path;
	const uint64_t end = offset + len;
	struct io_uring_sqe *last = NULL;
	uint64_t part;
	uint32_t i;

	assert(u->piped == 0 || offset == u->c.expect); /* the pipe has the next bytes */
	if (u->piped) {                                 /* these are the bytes from offset on */
		last = add(u, TO_SOCKET, 0, u->piped);
	} else {
		for (i = 0; i < PAIRS && offset < end; i++, offset += part) {
			part = pw_min_u64(end - offset, u->pipe_bytes);
			add(u, FROM_FILE, offset, part);
			last = add(u, TO_SOCKET, 0, part);
		}
	}
	if (last)
		last->flags &= (uint8_t)~IOSQE_IO_LINK;
}

static void note(struct uring_splice *u, const struct io_uring_cqe *cqe)
{
	const bool file = cqe->user_data == FROM_FILE;
	const int res = cqe->res;

	u->c.n_flying--;
	if (res < 0 && res != -ECANCELED) {
		u->c.code = -res;
		u->code_of_file = file;
	}
	if (res == 0 && file)
		u->ended = true;
	if (res <= 0)
		return;
	if (file) {
		u->piped += (uint64_t)res;
		return;
	}
	u->piped -= (uint64_t)res;
	u->c.moved += (uint64_t)res;
	u->c.tcp.s.c.packets++;
	u->c.tcp.s.c.payload_bytes += (uint64_t)res;
}

static int reap(void *path, struct pw_err *err)
{
	struct uring_splice *u = path;
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;

	(void)err;
	io_uring_for_each_cqe(&u->c.ring.uring, head, cqe)
	{
		n++;
		note(u, cqe);
	}
	io_uring_cq_advance(&u->c.ring.uring, n);
	return 0;
}

/* Reports what stopped the last chain, if anything did. */
static int chain_error(void *path, uint64_t offset, struct pw_err *err)
{
	struct uring_splice *u = path;
	const int code = u->c.code;

	u->c.code = 0;
	if (code)
		return u->code_of_file ? pw_tcp_file_error(&u->c.tcp, "splice", code, err)
				       : pw_tcp_error(&u->c.tcp, code, err);
	return u->ended ? pw_tcp_ended(&u->c.tcp, offset, err) : 0;
}

static const struct pw_tcp_chain_ops chain_ops = {
	.error = chain_error, .make = make_chain, .reap = reap};

static int64_t uring_splice_send(void *path, uint64_t offset, uint64_t len, struct pw_err *err)
{
	return pw_tcp_chain_send(path, &chain_ops, offset, len, err);
}

static int uring_splice_socket(void *path, struct pw_err *err)
{
	struct uring_splice *u = path;
	const struct pw_uring_want want = {
		.sq_entries = 2 * PAIRS,
		.cq_entries = 4 * PAIRS,
		.sqpoll = u->c.tcp.s.cfg.sqpoll,
		.op = IORING_OP_SPLICE,
		.op_name = "IORING_OP_SPLICE",
		.since = "5.11",
	};
	int ret;

	/* Before it connects: where io_uring is refused, the receiver sees no connection. */
	ret = pw_ring_open(&u->c.ring, &want, false, u->c.tcp.s.cfg.log, err);
	return ret < 0 ? ret : pw_tcp_socket(path, err);
}

static void uring_splice_finish(void *path)
{
	struct uring_splice *u = path;

	pw_tcp_chain_finish(path, &chain_ops);
	if (u->pipe_bytes) {
		close(u->pipe[0]);
		close(u->pipe[1]);
	}
}

const struct pw_way pw_way_uring_splice = {
	.name = "uring_splice",
	.summary = "io_uring: chains of 4 SPLICEs into a pipe of 1 MiB and 4 into the socket",
	.kind = PW_WAY_STREAM,
	.needs_page_cache = true,
	.path_bytes = sizeof(struct uring_splice),
	.socket = uring_splice_socket,
	.init = open_pipe,
	.finish = uring_splice_finish,
	.stream = &(const struct pw_stream_ops){.send = uring_splice_send,
		.drain = pw_tcp_no_drain,
		.counters = pw_sock_counters},
};
