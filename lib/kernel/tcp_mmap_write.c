/* SPDX-License-Identifier: BSD-3-Clause */
/* send() straight from the file's mapping: the kernel copies once, into the socket. */
#include <errno.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "kernel/tcpsock.h"
#include "kernel/ways.h"

static int64_t mmap_write_send(void *path, uint64_t offset, uint64_t len, struct pw_err *err)
{
	struct pw_tcp *t = path;
	const uint8_t *va;
	uint64_t piece = pw_tcp_span(t, offset, pw_min_u64(len, t->chunk_bytes), &va);
	ssize_t n = send(t->fd, va, piece, MSG_NOSIGNAL);

	return pw_tcp_outcome(t, n, errno, err);
}

static const struct pw_stream_ops ops = {
	.send = mmap_write_send,
	.drain = pw_tcp_no_drain,
	.counters = pw_tcp_counters,
};

const struct pw_way pw_way_mmap_write = {
	.name = "mmap_write",
	.summary = "send() from the file's mapping",
	.kind = PW_WAY_STREAM,
	.open = pw_tcp_open_path,
	.close = pw_tcp_close_path,
	.stream = &ops,
};
