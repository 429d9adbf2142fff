/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two splice() calls: page cache pages into a pipe, from there into the socket's queue; the CPU
 * touches no byte.
 *
 *   file  --splice-->  pipe | piped_offset, piped_len |  --splice-->  socket
 *
 * Whoever takes splice() for large files enlarges the pipe and moves what it holds, so this does,
 * and does not stop at chunk_bytes. The pipe is filled only when it is empty: the call that fills
 * it never sleeps for room, and bytes of a short call are next in line.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "kernel/tcpsock.h"
#include "kernel/ways.h"

#define PIPE_BYTES (1 << 20) /* fs.pipe-max-size as it is everywhere: no privilege needed */

struct splice {
	struct pw_tcp tcp;
	int pipe[2];
	uint64_t pipe_bytes;
	uint64_t piped_offset, piped_len;
};

static int open_pipe(struct splice *p, struct pw_err *err)
{
	int size;

	if (pipe2(p->pipe, O_CLOEXEC) < 0) {
		p->pipe[0] = p->pipe[1] = -1;
		return pw_err_sys(err, errno, "open a pipe");
	}
	/* Refused above a user's quota of pipe pages: then it is a smaller one, 64 KiB or less. */
	(void)fcntl(p->pipe[1], F_SETPIPE_SZ, PIPE_BYTES);
	size = fcntl(p->pipe[1], F_GETPIPE_SZ);
	if (size <= 0)
		return pw_err_sys(err, errno, "ask for a pipe's size");
	if (size < PIPE_BYTES)
		pw_warn(p->tcp.log,
			"the pipe takes %d bytes, not %d; raise fs.pipe-user-pages-soft", size,
			PIPE_BYTES);
	p->pipe_bytes = (uint64_t)size;
	p->piped_len = 0;
	return 0;
}

static void close_pipe(struct splice *p)
{
	if (p->pipe[0] >= 0) {
		close(p->pipe[0]);
		close(p->pipe[1]);
	}
	p->pipe[0] = p->pipe[1] = -1;
}

static int fill(struct splice *p, uint64_t offset, uint64_t len, struct pw_err *err)
{
	off_t at = (off_t)offset;
	ssize_t n;
	int ret;

	/* Asked for other bytes than those that wait: a new pipe is the way to lose them. */
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
	/* As MSG_MORE: the segment at the pipe's end is filled up from the next pipeful. */
	more = len > p->piped_len ? SPLICE_F_MORE : 0;
	n = splice(p->pipe[0], NULL, p->tcp.fd, NULL, pw_min_u64(len, p->piped_len), more);
	ret = pw_tcp_outcome(&p->tcp, n, errno, err);
	if (ret > 0) {
		p->piped_offset += (uint64_t)ret;
		p->piped_len -= (uint64_t)ret;
	}
	return ret;
}

static void splice_close(void *path)
{
	struct splice *p = path;

	if (!p)
		return;
	close_pipe(p);
	pw_tcp_close(&p->tcp);
	free(p);
}

static int splice_open(void **path, const struct pw_way_config *cfg, struct pw_err *err)
{
	struct splice *p = calloc(1, sizeof(*p));
	int ret;

	*path = NULL;
	if (!p)
		return pw_err_sys(err, ENOMEM, "open a TCP socket");
	p->pipe[0] = p->pipe[1] = -1;
	ret = pw_tcp_open(&p->tcp, cfg, err);
	if (ret == 0)
		ret = open_pipe(p, err);
	if (ret < 0) {
		splice_close(p);
		return ret;
	}
	pw_tcp_hold_sigpipe(&p->tcp);
	*path = p;
	return 0;
}

static const struct pw_stream_ops ops = {
	.send = splice_send,
	.drain = pw_tcp_no_drain,
	.counters = pw_tcp_counters,
};

const struct pw_way pw_way_splice = {
	.name = "splice",
	.summary = "splice() into a pipe of 1 MiB, splice() into the socket",
	.kind = PW_WAY_STREAM,
	.needs_page_cache = true,
	.open = splice_open,
	.close = splice_close,
	.stream = &ops,
};
