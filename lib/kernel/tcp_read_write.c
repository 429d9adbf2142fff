/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The textbook's loop: pread() into one buffer, send() from it. The kernel copies twice, from the
 * page cache and into the socket.
 *
 *   file  --pread-->  buf | ........ unsent ........ |  --send-->
 *                          ^ unsent     unsent_len
 *
 * What a short send() leaves is sent before more is read.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "kernel/tcpsock.h"
#include "kernel/ways.h"

struct read_write {
	struct pw_tcp tcp;
	uint8_t *buf; /* chunk_bytes, page-aligned */
	uint64_t buf_bytes;
	const uint8_t *unsent; /* in buf */
	uint64_t unsent_offset, unsent_len;
};

static int64_t fill(struct read_write *p, uint64_t offset, uint64_t len, struct pw_err *err)
{
	ssize_t n = pread(p->tcp.win->fd, p->buf, pw_min_u64(len, p->buf_bytes), (off_t)offset);

	if (n < 0 && errno == EINTR)
		return -EAGAIN;
	if (n < 0)
		return pw_err_sys(
			err, errno, "read the file at byte %llu", (unsigned long long)offset);
	if (n == 0)
		return pw_tcp_ended(&p->tcp, offset, err);
	p->unsent = p->buf;
	p->unsent_offset = offset;
	p->unsent_len = (uint64_t)n;
	return n;
}

static int64_t read_write_send(void *path, uint64_t offset, uint64_t len, struct pw_err *err)
{
	struct read_write *p = path;
	int64_t ret;
	ssize_t n;

	if (p->unsent_len == 0 || p->unsent_offset != offset) {
		ret = fill(p, offset, len, err);
		if (ret < 0)
			return ret;
	}
	n = send(p->tcp.fd, p->unsent, pw_min_u64(len, p->unsent_len), MSG_NOSIGNAL);
	ret = pw_tcp_outcome(&p->tcp, n, errno, err);
	if (ret > 0) {
		p->unsent += ret;
		p->unsent_offset += (uint64_t)ret;
		p->unsent_len -= (uint64_t)ret;
	}
	return ret;
}

static void read_write_close(void *path)
{
	struct read_write *p = path;

	if (!p)
		return;
	if (p->buf)
		munmap(p->buf, p->buf_bytes);
	pw_tcp_close(&p->tcp);
	free(p);
}

static int read_write_open(void **path, const struct pw_way_config *cfg, struct pw_err *err)
{
	struct read_write *p = calloc(1, sizeof(*p));
	int ret;

	*path = NULL;
	if (!p)
		return pw_err_sys(err, ENOMEM, "open a TCP socket");
	ret = pw_tcp_open(&p->tcp, cfg, err);
	if (ret < 0)
		goto close_path;
	p->buf_bytes = cfg->chunk_bytes;
	p->buf = mmap(NULL, p->buf_bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (p->buf == MAP_FAILED) {
		p->buf = NULL;
		ret = pw_err_sys(err, errno, "allocate a buffer of %u bytes", cfg->chunk_bytes);
		goto close_path;
	}
	*path = p;
	return 0;

close_path:
	read_write_close(p);
	return ret;
}

static const struct pw_stream_ops ops = {
	.send = read_write_send,
	.drain = pw_tcp_no_drain,
	.counters = pw_tcp_counters,
};

const struct pw_way pw_way_read_write = {
	.name = "read_write",
	.summary = "pread() into a buffer, send() from it",
	.kind = PW_WAY_STREAM,
	.open = read_write_open,
	.close = read_write_close,
	.stream = &ops,
};
