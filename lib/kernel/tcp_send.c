/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stream ways around send():
 *
 *   read_write     file --pread()--> buffer --send()--> socket     the kernel copies twice
 *   mmap_write     send() from the file's mapping                  it copies once
 *   msg_zerocopy   the same with MSG_ZEROCOPY                      it pins the pages, and links them
 *                                                                  into the socket's queue
 *
 * Where the device, or loopback, cannot send pinned pages, the kernel copies later and reports it.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "kernel/tcp.h"
#include "kernel/ways.h"
#include "kernel/zcqueue.h"

/* Calls between two reads of completions. The kernel merges completions in the queue, so one read
 * returns most of them. */
#define REAP_EVERY 16

struct read_write {
	struct pw_tcp tcp;
	uint8_t *buf; /* page-aligned */
	uint64_t buf_bytes;
	/* What a short send() left in buf. It is sent before more is read. */
	const uint8_t *unsent;
	uint64_t unsent_offset, unsent_len;
};

static int64_t fill(struct read_write *p, uint64_t offset, uint64_t len, struct pw_err *err)
{
	ssize_t n = pread(p->tcp.win->fd, p->buf, pw_min_u64(len, p->buf_bytes), (off_t)offset);

	if (n < 0 && errno == EINTR)
		return -EAGAIN;
	if (n < 0)
		return pw_err_sys(err, errno, "cannot read the file at byte %llu",
			(unsigned long long)offset);
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
	n = send(p->tcp.s.fd, p->unsent, pw_min_u64(len, p->unsent_len), MSG_NOSIGNAL);
	ret = pw_tcp_outcome(&p->tcp, n, errno, err);
	if (ret > 0) {
		p->unsent += ret;
		p->unsent_offset += (uint64_t)ret;
		p->unsent_len -= (uint64_t)ret;
	}
	return ret;
}

static int read_write_init(void *path, struct pw_err *err)
{
	struct read_write *p = path;

	p->buf_bytes = p->tcp.chunk_bytes;
	p->buf = mmap(NULL, p->buf_bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (p->buf != MAP_FAILED)
		return 0;
	p->buf = NULL;
	return pw_err_sys(err, errno, "cannot allocate a buffer of %llu bytes",
		(unsigned long long)p->buf_bytes);
}

static void read_write_finish(void *path)
{
	struct read_write *p = path;

	if (p->buf)
		munmap(p->buf, p->buf_bytes);
}

const struct pw_way pw_way_read_write = {
	.name = "read_write",
	.summary = "pread() into a buffer, send() from it",
	.kind = PW_WAY_STREAM,
	.path_bytes = sizeof(struct read_write),
	.socket = pw_tcp_socket,
	.init = read_write_init,
	.finish = read_write_finish,
	.stream = &(const struct pw_stream_ops){.send = read_write_send,
		.drain = pw_tcp_no_drain,
		.counters = pw_sock_counters},
};

static int64_t mmap_write_send(void *path, uint64_t offset, uint64_t len, struct pw_err *err)
{
	struct pw_tcp *t = path;
	const uint8_t *va;
	uint64_t piece = pw_tcp_span(t, offset, pw_min_u64(len, t->chunk_bytes), &va);
	ssize_t n = send(t->s.fd, va, piece, MSG_NOSIGNAL);

	return pw_tcp_outcome(t, n, errno, err);
}

const struct pw_way pw_way_mmap_write = {
	.name = "mmap_write",
	.summary = "send() from the file's mapping",
	.kind = PW_WAY_STREAM,
	.path_bytes = sizeof(struct pw_tcp),
	.socket = pw_tcp_socket,
	.stream = &(const struct pw_stream_ops){.send = mmap_write_send,
		.drain = pw_tcp_no_drain,
		.counters = pw_sock_counters},
};

static uint64_t outstanding(const struct pw_tcp *t)
{
	return t->s.c.packets - t->s.c.zc_done;
}

/* Completions that are not read yet use up net.core.optmem_max, pages in flight RLIMIT_MEMLOCK; both
 * become free with the completions. */
static int no_buffers(struct pw_tcp *t, struct pw_err *err)
{
	if (outstanding(t) == 0)
		return pw_err_set(err, ENOBUFS,
			"cannot send to %s: no memory for one zero-copy call; raise "
			"net.core.optmem_max or the memlock limit, or send fewer bytes in a call",
			t->s.peer);
	if (pw_zcqueue_reap(&t->s) == 0)
		pw_zcqueue_wait(t->s.fd, PW_SEND_SLEEP_NS);
	return -EAGAIN;
}

static int64_t zerocopy_send(void *path, uint64_t offset, uint64_t len, struct pw_err *err)
{
	struct pw_tcp *t = path;
	const uint8_t *va;
	uint64_t piece = pw_tcp_span(t, offset, pw_min_u64(len, t->chunk_bytes), &va);
	ssize_t n = send(t->s.fd, va, piece, MSG_NOSIGNAL | MSG_ZEROCOPY);
	int64_t ret;

	if (n < 0 && errno == ENOBUFS)
		return no_buffers(t, err);
	ret = pw_tcp_outcome(t, n, errno, err);
	if (ret > 0 && t->s.c.packets % REAP_EVERY == 0)
		pw_zcqueue_reap(&t->s);
	return ret;
}

static int zerocopy_drain(void *path, struct pw_err *err)
{
	struct pw_tcp *t = path;
	int code = 0;
	socklen_t len = sizeof(code);

	pw_zcqueue_reap(&t->s);
	if (outstanding(t) == 0)
		return 0;
	pw_zcqueue_wait(t->s.fd, PW_SEND_SLEEP_NS);
	if (pw_zcqueue_reap(&t->s) && outstanding(t) == 0)
		return 0;
	/* An error of the connection wakes poll() again and again until it is read. */
	if (getsockopt(t->s.fd, SOL_SOCKET, SO_ERROR, &code, &len) == 0 && code)
		return pw_tcp_error(t, code, err);
	return -EAGAIN;
}

const struct pw_way pw_way_msg_zerocopy = {
	.name = "msg_zerocopy",
	.summary = "send(MSG_ZEROCOPY) from the file's mapping, completions from the error queue",
	.kind = PW_WAY_STREAM,
	.zerocopy = true,
	.path_bytes = sizeof(struct pw_tcp),
	.socket = pw_tcp_socket,
	.init = pw_zcqueue_enable,
	.stream = &(const struct pw_stream_ops){.send = zerocopy_send,
		.drain = zerocopy_drain,
		.counters = pw_sock_counters},
};
