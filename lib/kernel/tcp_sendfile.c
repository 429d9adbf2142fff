/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sendfile(): page cache pages are linked into the socket's queue; the CPU touches no byte. Large
 * calls are the point of it, so it does not stop at chunk_bytes: CALL_BYTES is what Apache's server
 * asks for. A signal ends a call early.
 */
#include <errno.h>
#include <sys/sendfile.h>

#include "base/bytes.h"
#include "kernel/tcpsock.h"
#include "kernel/ways.h"

#define CALL_BYTES (16u << 20)

static int64_t sendfile_send(void *path, uint64_t offset, uint64_t len, struct pw_err *err)
{
	struct pw_tcp *t = path;
	uint64_t ask = pw_min_u64(len, pw_max_u64(t->chunk_bytes, CALL_BYTES));
	off_t at = (off_t)offset;
	ssize_t n = sendfile(t->fd, t->win->fd, &at, ask);

	if (n == 0)
		return pw_tcp_ended(t, offset, err);
	if (n < 0)
		return pw_tcp_file_error(t, "sendfile", errno, err);
	return pw_tcp_outcome(t, n, 0, err);
}

static int sendfile_open(void **path, const struct pw_way_config *cfg, struct pw_err *err)
{
	int ret = pw_tcp_open_path(path, cfg, err);

	if (ret == 0)
		pw_tcp_hold_sigpipe(*path);
	return ret;
}

static const struct pw_stream_ops ops = {
	.send = sendfile_send,
	.drain = pw_tcp_no_drain,
	.counters = pw_tcp_counters,
};

const struct pw_way pw_way_sendfile = {
	.name = "sendfile",
	.summary = "sendfile(), up to 16 MiB in a call",
	.kind = PW_WAY_STREAM,
	.needs_page_cache = true,
	.open = sendfile_open,
	.close = pw_tcp_close_path,
	.stream = &ops,
};
