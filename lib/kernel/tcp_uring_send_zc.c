/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IORING_OP_SEND_ZC from the file's mapping, registered with the ring so that its pages are pinned
 * once and not in every call.
 *
 *   runs     | run 0: 2.5 GiB                   | run 1           |
 *   buffers  | 0: 1 GiB | 1: 1 GiB | 2: 0.5 GiB | 3               |    a chunk lies in one of them
 *
 * The kernel registers only what it may pin for writing: files on hugetlbfs mapped read-write, and
 * no read-only mapping of the page cache. Then each call pins its own pages, and the log says so.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/bytes.h"
#include "kernel/tcp_uring.h"
#include "kernel/ways.h"

#define BUFFER_MAX_BYTES (1ull << 30) /* io_sqe_buffer_register(): SZ_1G */
#define N_BUFFERS_MAX    (1u << 14)   /* IORING_MAX_REG_BUFFERS */
#define CQ_ENTRIES       256 /* notifications come late; an overflow costs, but loses none */

struct send_zc {
	struct pw_tcp_uring u;
	struct pw_extent *pieces; /* one a buffer, or NULL */
	unsigned int usage;       /* IORING_SEND_ZC_REPORT_USAGE where the kernel knows it */
};

static void prep_pinned(
	struct pw_tcp_uring *u, struct io_uring_sqe *sqe, const uint8_t *va, uint32_t len)
{
	const struct send_zc *z = (const struct send_zc *)u;

	io_uring_prep_send_zc(sqe, u->tcp.fd, va, len, MSG_NOSIGNAL | MSG_WAITALL, z->usage);
}

static void prep_registered(
	struct pw_tcp_uring *u, struct io_uring_sqe *sqe, const uint8_t *va, uint32_t len)
{
	const struct send_zc *z = (const struct send_zc *)u;

	io_uring_prep_send_zc_fixed(
		sqe, u->tcp.fd, va, len, MSG_NOSIGNAL | MSG_WAITALL, z->usage, u->tcp.run);
}

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
		const struct pw_extent *r = &w->extents[i];

		for (off = 0; off < r->len_bytes; off += len, n++) {
			len = pw_min_u64(r->len_bytes - off, BUFFER_MAX_BYTES);
			pieces[n] = (struct pw_extent){
				.va = r->va + off,
				.iova = PW_IOVA_NONE,
				.offset = r->offset + off,
				.len_bytes = len,
			};
			iov[n] = (struct iovec){
				.iov_base = (void *)(uintptr_t)pieces[n].va, .iov_len = len};
		}
	}
}

/* What the log says about why nothing is registered; NULL when that is a failure. */
static const char *why_not(int code)
{
	if (code == EFAULT || code == EOPNOTSUPP)
		return "the kernel registers no read-only mapping of the page cache";
	if (code == ENOMEM)
		return "the memlock limit is too small for the file; raise it (ulimit -l)";
	return NULL;
}

static int register_file(struct send_zc *z, struct pw_err *err)
{
	const struct pw_window *w = z->u.tcp.win;
	uint64_t n = count_pieces(w);
	struct iovec *iov;
	int ret;

	if (n == 0 || n > N_BUFFERS_MAX) {
		if (n)
			pw_warn(z->u.tcp.log,
				"each send pins its own pages: the file is in %llu "
				"pieces",
				(unsigned long long)n);
		return 0;
	}
	iov = calloc(n, sizeof(*iov));
	z->pieces = calloc(n, sizeof(*z->pieces));
	if (!iov || !z->pieces) {
		free(iov);
		return pw_err_sys(err, ENOMEM, "register the file with io_uring");
	}
	cut_pieces(w, z->pieces, iov);
	ret = io_uring_register_buffers(&z->u.ring, iov, (unsigned int)n);
	free(iov);
	if (ret == 0) {
		z->u.tcp.extents = z->pieces;
		z->u.prep = prep_registered;
		return 0;
	}
	if (!why_not(-ret))
		return pw_err_sys(err, -ret, "register the file with io_uring");
	pw_warn(z->u.tcp.log, "each send pins its own pages: %s", why_not(-ret));
	return 0;
}

static void send_zc_close(void *path)
{
	struct send_zc *z = path;

	if (!z)
		return;
	pw_tcp_uring_close(&z->u);
	free(z->pieces);
	free(z);
}

static int send_zc_open(void **path, const struct pw_way_config *cfg, struct pw_err *err)
{
	const struct pw_uring_want want = {
		.sq_entries = PW_TCP_URING_DEPTH,
		.cq_entries = CQ_ENTRIES,
		.sqpoll = cfg->sqpoll,
		.op = IORING_OP_SEND_ZC,
		.op_name = "IORING_OP_SEND_ZC",
		.since = "6.0",
	};
	struct send_zc *z = calloc(1, sizeof(*z));
	int ret;

	*path = NULL;
	if (!z)
		return pw_err_sys(err, ENOMEM, "open an io_uring");
	z->u.prep = prep_pinned;
	ret = pw_tcp_uring_open(&z->u, cfg, &want, err);
	if (ret == 0)
		ret = register_file(z, err);
	if (ret < 0) {
		send_zc_close(z);
		return ret;
	}
	if (pw_uring_reports_copies(&z->u.ring))
		z->usage = IORING_SEND_ZC_REPORT_USAGE;
	else
		pw_warn(cfg->log, "whether SEND_ZC copied is not known; Linux 6.2 tells");
	*path = z;
	return 0;
}

static const struct pw_stream_ops ops = {
	.send = pw_tcp_uring_send,
	.drain = pw_tcp_uring_drain,
	.counters = pw_tcp_counters,
};

const struct pw_way pw_way_uring_send_zc = {
	.name = "uring_send_zc",
	.summary = "io_uring: chains of 8 SEND_ZCs from the file's mapping, registered where it "
		   "can be",
	.kind = PW_WAY_STREAM,
	.open = send_zc_open,
	.close = send_zc_close,
	.stream = &ops,
};
