/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stream ways that link page cache pages into the socket's queue, so that the CPU touches no byte:
 *
 *   sendfile   sendfile(), up to 16 MiB in a call
 *   splice     file --splice()--> pipe --splice()--> socket
 *   ktls_sendfile   sendfile() into a socket whose kernel encrypts: it reads the pages, and writes ciphertext
 *
 * Large calls are what these ways are for, so they do not stop at chunk_bytes. A signal ends a call early.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/bytes.h"
#include "kernel/ktls.h"
#include "kernel/tcp.h"
#include "kernel/ways.h"

#define SENDFILE_BYTES (16u << 20) /* what Apache's server requests in a call */
#define PIPE_BYTES     (1 << 20)   /* the default fs.pipe-max-size: needs no privilege */

static int64_t sendfile_send(void *path, uint64_t offset, uint64_t len, struct pw_err *err)
{
	struct pw_tcp *t = path;
	uint64_t ask = pw_min_u64(len, pw_max_u64(t->chunk_bytes, SENDFILE_BYTES));
	off_t at = (off_t)offset;
	ssize_t n = sendfile(t->s.fd, t->win->fd, &at, ask);

	if (n == 0)
		return pw_tcp_ended(t, offset, err);
	if (n < 0)
		return pw_tcp_file_error(t, "sendfile", errno, err);
	return pw_tcp_outcome(t, n, 0, err);
}

static int sendfile_init(void *path, struct pw_err *err)
{
	(void)err;
	pw_tcp_hold_sigpipe(path);
	return 0;
}

static int ktls_init(void *path, struct pw_err *err)
{
	const struct pw_tcp *t = path;
	int ret = pw_ktls_start(t->s.fd, PW_KTLS_SENDS, err);

	return ret < 0 ? ret : sendfile_init(path, err);
}

static const struct pw_stream_ops sendfile_ops = {
	.send = sendfile_send,
	.drain = pw_tcp_no_drain,
	.counters = pw_sock_counters,
};

const struct pw_way pw_way_sendfile = {
	.name = "sendfile",
	.summary = "sendfile(), up to 16 MiB in a call",
	.kind = PW_WAY_STREAM,
	.needs_page_cache = true,
	.path_bytes = sizeof(struct pw_tcp),
	.socket = pw_tcp_socket,
	.init = sendfile_init,
	.finish = pw_tcp_release_sigpipe,
	.stream = &sendfile_ops,
};

const struct pw_way pw_way_ktls_sendfile = {
	.name = "ktls_sendfile",
	.summary = "sendfile() into TLS records that the kernel encrypts (AES-128-GCM)",
	.kind = PW_WAY_STREAM,
	.needs_page_cache = true,
	.tls = true,
	.path_bytes = sizeof(struct pw_tcp),
	.socket = pw_tcp_socket,
	.init = ktls_init,
	.finish = pw_tcp_release_sigpipe,
	.stream = &sendfile_ops,
};

/* The pipe holds bytes piped_offset.. of the file. It is filled only when it is empty: then the filling
 * call never sleeps for room, and what a short call leaves is sent next. */
struct splice {
	struct pw_tcp tcp;
	int pipe[2];
	uint64_t pipe_bytes; /* 0: there is no pipe */
	uint64_t piped_offset, piped_len;
};

static int open_pipe(struct splice *p, struct pw_err *err)
{
	int size;

	if (pipe2(p->pipe, O_CLOEXEC) < 0)
		return pw_err_sys(err, errno, "cannot open a pipe");
	/* Refused above a user's quota of pipe pages: then the pipe stays at 64 KiB or less. */
	(void)fcntl(p->pipe[1], F_SETPIPE_SZ, PIPE_BYTES);
	size = fcntl(p->pipe[1], F_GETPIPE_SZ);
	if (size <= 0)
		size = PIPE_BUF;
	if (size < PIPE_BYTES)
		pw_warn(p->tcp.s.cfg.log,
			"the pipe holds %d bytes, not %d; raise fs.pipe-user-pages-soft", size,
			PIPE_BYTES);
	p->pipe_bytes = (uint64_t)size;
	return 0;
}

static void close_pipe(struct splice *p)
{
	if (p->pipe_bytes) {
		close(p->pipe[0]);
		close(p->pipe[1]);
	}
	p->pipe[0] = p->pipe[1] = -1;
	p->pipe_bytes = p->piped_len = 0;
}

static int fill(struct splice *p, uint64_t offset, uint64_t len, struct pw_err *err)
{
	off_t at = (off_t)offset;
	ssize_t n;
	int ret;

	/* The pipe holds bytes that are not wanted: replace it to drop them. */
	if (p->piped_len) {
		close_pipe(p);
		ret = open_pipe(p, err);
		if (ret < 0)
			return ret;
	}
	n = splice(p->tcp.win->fd, &at, p->pipe[1], NULL, pw_min_u64(len, p->pipe_bytes), 0);
	if (n < 0)
		return pw_tcp_file_error(&p->tcp, "splice", errno, err);
	if (n == 0)
		return pw_tcp_ended(&p->tcp, offset, err);
	p->piped_offset = offset;
	p->piped_len = (uint64_t)n;
	return 0;
}

static int64_t splice_send(void *path, uint64_t offset, uint64_t len, struct pw_err *err)
{
	struct splice *p = path;
	unsigned int more;
	int64_t ret;
	ssize_t n;

	if (p->piped_len == 0 || p->piped_offset != offset) {
		ret = fill(p, offset, len, err);
		if (ret < 0)
			return ret;
	}
	/* As MSG_MORE: the last segment waits for the pipe's next bytes, so that it is full. */
	more = len > p->piped_len ? SPLICE_F_MORE : 0;
	n = splice(p->pipe[0], NULL, p->tcp.s.fd, NULL, pw_min_u64(len, p->piped_len), more);
	ret = pw_tcp_outcome(&p->tcp, n, errno, err);
	if (ret > 0) {
		p->piped_offset += (uint64_t)ret;
		p->piped_len -= (uint64_t)ret;
	}
	return ret;
}

static int splice_init(void *path, struct pw_err *err)
{
	struct splice *p = path;
	int ret = open_pipe(p, err);

	if (ret == 0)
		pw_tcp_hold_sigpipe(&p->tcp);
	return ret;
}

static void splice_finish(void *path)
{
	close_pipe(path);
	pw_tcp_release_sigpipe(path);
}

const struct pw_way pw_way_splice = {
	.name = "splice",
	.summary = "splice() into a pipe of 1 MiB, splice() into the socket",
	.kind = PW_WAY_STREAM,
	.needs_page_cache = true,
	.path_bytes = sizeof(struct splice),
	.socket = pw_tcp_socket,
	.init = splice_init,
	.finish = splice_finish,
	.stream = &(const struct pw_stream_ops){.send = splice_send,
		.drain = pw_tcp_no_drain,
		.counters = pw_sock_counters},
};
