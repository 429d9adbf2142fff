/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receives a stream by TCP_ZEROCOPY_RECEIVE: the kernel maps the pages that the bytes lie in into an area of this
 * process, and the rest is copied.
 *
 *   stream   | whole pages ...          | rest     | whole pages ... |
 *              mapped into the area       recv() into the buffer
 *
 * The kernel maps a page only when all of its 4096 bytes are the stream's, when it is no part of a larger one, and
 * when no file and no process owns it (can_map_frag() in net/ipv4/tcp.c). So it depends on the sender and on the
 * link what is mapped; the counters say how much was. A user works on the mapped bytes where they are. Here they are
 * copied to the buffer after the measurement, to be compared.
 */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "kernel/rxsock.h"
#include "kernel/rxways.h"
#include "kernel/tcprx.h"

#define WINDOW     (512u << 10) /* bytes asked for in one call, as the kernel's own example does */
#define AREA_BYTES (4ull << 30) /* addresses, not memory */

/* Mapped bytes, and where they belong. */
struct run {
	uint8_t *to;
	uint64_t from; /* in the area */
	uint32_t len;
};

struct rx {
	struct pw_tcprx t;
	struct pw_rx_stream_counters c;
	uint8_t *area;
	uint64_t used;      /* of the area */
	const uint8_t *end; /* of the buffer's part that the last call filled */
	bool fresh;         /* the next bytes begin a pass */
	struct run *runs;
	size_t n_runs, room;
};

static int zc_accept(void *path, struct pw_err *err)
{
	struct rx *rx = path;
	int ret = pw_tcprx_accept(path, err);

	if (ret < 0)
		return ret;
	rx->area = mmap(NULL, AREA_BYTES, PROT_READ, MAP_SHARED, rx->t.conn, 0);
	if (rx->area != MAP_FAILED)
		return 0;
	rx->area = NULL;
	if (errno == ENODEV)
		return pw_err_set(err, EOPNOTSUPP,
			"cannot map a TCP socket: this kernel lacks TCP_ZEROCOPY_RECEIVE; it needs "
			"Linux 4.18");
	return pw_err_sys(err, errno, "cannot map a TCP socket");
}

/* Bytes of a new pass have come: its pages replace the old ones. */
static void begin_pass(struct rx *rx)
{
	if (rx->fresh)
		rx->used = rx->n_runs = 0;
	rx->fresh = false;
}

static int note(struct rx *rx, uint8_t *to, uint32_t len, struct pw_err *err)
{
	if (rx->n_runs == rx->room) {
		const size_t room = rx->room ? 2 * rx->room : 1024;
		struct run *runs = reallocarray(rx->runs, room, sizeof(*runs));

		if (!runs)
			return pw_err_sys(err, ENOMEM, "cannot receive the stream");
		rx->runs = runs;
		rx->room = room;
	}
	rx->runs[rx->n_runs++] = (struct run){.to = to, .from = rx->used, .len = len};
	rx->used += len;
	rx->c.mapped_bytes += len;
	return 0;
}

/* Maps what is there, without sleeping. Returns the bytes mapped; *rest: how many to copy behind them. */
static int64_t map(struct rx *rx, uint8_t *to, size_t len, uint32_t *rest, struct pw_err *err)
{
	const uint64_t used = rx->fresh ? 0 : rx->used;
	struct tcp_zerocopy_receive zc = {
		.address = (uintptr_t)rx->area + used,
		.length = (uint32_t)pw_min_u64(pw_min_u64(len, WINDOW), AREA_BYTES - used),
	};
	socklen_t size = sizeof(zc);

	*rest = 0;
	if (zc.length == 0) { /* the area is full: copy */
		*rest = (uint32_t)pw_min_u64(len, WINDOW);
		return 0;
	}
	if (getsockopt(rx->t.conn, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &zc, &size) < 0) {
		if (errno == EIO) /* the stream has ended, and so does recv() */
			return 0;
		return pw_err_sys(err, errno, "cannot receive the stream by TCP_ZEROCOPY_RECEIVE");
	}
	*rest = (uint32_t)pw_min_u64(zc.recv_skip_hint, len - zc.length);
	if (zc.length == 0)
		return 0;
	begin_pass(rx);
	return note(rx, to, zc.length, err) < 0 ? -err->code : (int64_t)zc.length;
}

/* Sleeps until bytes are there, and maps again. */
static int64_t wait_and_map(
	struct rx *rx, uint8_t *to, size_t len, uint32_t *rest, struct pw_err *err)
{
	const int ready = pw_rxsock_wait(rx->t.conn, PW_SEND_SLEEP_NS);

	if (ready == 0)
		return -EAGAIN;
	if (ready < 0)
		return pw_err_sys(err, -ready, "cannot wait for the stream");
	return map(rx, to, len, rest, err);
}

/* to: behind the bytes of the last call, or the start of the buffer again. */
static int64_t zc_recv(void *path, void *to, size_t len, struct pw_err *err)
{
	struct rx *rx = path;
	int64_t mapped, copied = 0;
	uint32_t rest;

	rx->fresh = to != rx->end;
	mapped = map(rx, to, len, &rest, err);
	if (mapped == 0 && rest == 0)
		mapped = wait_and_map(rx, to, len, &rest, err);
	if (mapped < 0)
		return mapped;
	/* Nothing at all: recv() tells whether the stream has ended. */
	if (rest || mapped == 0)
		copied = pw_tcprx_recv(path, (uint8_t *)to + mapped, rest ? rest : len, err);
	if (mapped == 0 && copied <= 0)
		return copied;
	copied = copied > 0 ? copied : 0;
	begin_pass(rx);
	rx->c.copied_bytes += (uint64_t)copied;
	rx->end = (const uint8_t *)to + mapped + copied;
	return mapped + copied;
}

static void zc_settle(void *path)
{
	const struct rx *rx = path;
	size_t i;

	for (i = 0; i < rx->n_runs; i++)
		memcpy(rx->runs[i].to, rx->area + rx->runs[i].from, rx->runs[i].len);
}

static const struct pw_rx_stream_counters *zc_counters(void *path)
{
	return &((struct rx *)path)->c;
}

static void zc_close(void *path)
{
	struct rx *rx = path;

	if (rx->area)
		munmap(rx->area, AREA_BYTES);
	free(rx->runs);
	pw_tcprx_close(path);
}

static const struct pw_rx_stream_ops ops = {
	.accept = zc_accept, .recv = zc_recv, .settle = zc_settle, .counters = zc_counters};

const struct pw_rx_way pw_rx_way_tcp_zerocopy = {
	.name = "tcp_zerocopy",
	.summary = "TCP_ZEROCOPY_RECEIVE maps whole pages, recv() copies the rest",
	.kind = PW_WAY_STREAM,
	.sleeps = true,
	.path_bytes = sizeof(struct rx),
	.open = pw_tcprx_open,
	.close = zc_close,
	.stream = &ops,
};
