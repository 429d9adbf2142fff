/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * send(MSG_ZEROCOPY) from the file's mapping: the kernel pins the pages and links them into the
 * socket's queue. Where the device, or loopback, cannot take them so it copies later, and says so.
 *
 * Completions are read every REAP_EVERY calls: the kernel merges neighbours in the queue, so one
 * read fetches most of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "kernel/tcpsock.h"
#include "kernel/ways.h"
#include "kernel/zcqueue.h"

#define REAP_EVERY 16

struct zerocopy {
	struct pw_tcp tcp;
	unsigned int since_reap;
};

static uint64_t outstanding(const struct zerocopy *z)
{
	return z->tcp.c.packets - z->tcp.c.zc_done;
}

/* Completions not yet read use up net.core.optmem_max, pages in flight RLIMIT_MEMLOCK; both come
 * back with the completions. */
static int no_buffers(struct zerocopy *z, struct pw_err *err)
{
	if (outstanding(z) == 0)
		return pw_err_set(err, ENOBUFS,
			"send to %s: no room for one zero-copy call; raise net.core.optmem_max or "
			"the memlock limit, or send fewer bytes in a call",
			z->tcp.peer);
	if (pw_zcqueue_reap(z->tcp.fd, &z->tcp.c) == 0)
		pw_zcqueue_wait(z->tcp.fd, PW_SEND_SLEEP_NS);
	return -EAGAIN;
}

static int64_t zerocopy_send(void *path, uint64_t offset, uint64_t len, struct pw_err *err)
{
	struct zerocopy *z = path;
	struct pw_tcp *t = &z->tcp;
	const uint8_t *va;
	uint64_t piece = pw_tcp_span(t, offset, pw_min_u64(len, t->chunk_bytes), &va);
	ssize_t n = send(t->fd, va, piece, MSG_NOSIGNAL | MSG_ZEROCOPY);

	if (n < 0 && errno == ENOBUFS)
		return no_buffers(z, err);
	if (n > 0 && ++z->since_reap >= REAP_EVERY) {
		z->since_reap = 0;
		pw_zcqueue_reap(t->fd, &t->c);
	}
	return pw_tcp_outcome(t, n, errno, err);
}

static int zerocopy_drain(void *path, struct pw_err *err)
{
	struct zerocopy *z = path;
	int code = 0;
	socklen_t len = sizeof(code);

	pw_zcqueue_reap(z->tcp.fd, &z->tcp.c);
	if (outstanding(z) == 0)
		return 0;
	pw_zcqueue_wait(z->tcp.fd, PW_SEND_SLEEP_NS);
	if (pw_zcqueue_reap(z->tcp.fd, &z->tcp.c) && outstanding(z) == 0)
		return 0;
	/* A connection's error wakes poll() for ever, until it is read. */
	if (getsockopt(z->tcp.fd, SOL_SOCKET, SO_ERROR, &code, &len) == 0 && code)
		return pw_tcp_error(&z->tcp, code, err);
	return -EAGAIN;
}

static void zerocopy_close(void *path)
{
	struct zerocopy *z = path;

	if (!z)
		return;
	pw_tcp_close(&z->tcp);
	free(z);
}

static int zerocopy_open(void **path, const struct pw_way_config *cfg, struct pw_err *err)
{
	struct zerocopy *z = calloc(1, sizeof(*z));
	int ret;

	*path = NULL;
	if (!z)
		return pw_err_sys(err, ENOMEM, "open a TCP socket");
	ret = pw_tcp_open(&z->tcp, cfg, err);
	if (ret == 0)
		ret = pw_zcqueue_enable(z->tcp.fd, err);
	if (ret < 0) {
		zerocopy_close(z);
		return ret;
	}
	*path = z;
	return 0;
}

static const struct pw_stream_ops ops = {
	.send = zerocopy_send,
	.drain = zerocopy_drain,
	.counters = pw_tcp_counters,
};

const struct pw_way pw_way_msg_zerocopy = {
	.name = "msg_zerocopy",
	.summary = "send(MSG_ZEROCOPY) from the file's mapping, completions from the error queue",
	.kind = PW_WAY_STREAM,
	.open = zerocopy_open,
	.close = zerocopy_close,
	.stream = &ops,
};
