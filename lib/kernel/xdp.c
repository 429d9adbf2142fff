/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frame ways xdp_copy and xdp_zerocopy: AF_XDP, transmit only, without an XDP program. They copy
 * frames into chunks of a UMEM, and hand over the descriptors of a batch with one sendto(). With
 * XDP_COPY the kernel copies each frame into an skb. With XDP_ZEROCOPY the driver sends from the UMEM.
 *
 *   slot   | chunk | chunk | ...     one chunk for frames up to a page, several for longer frames
 *             TX ring: a descriptor for each chunk --> sendto() --> completion ring: free chunks
 *
 * A descriptor names one chunk of one UMEM, and the header must precede the payload. To leave the
 * payload in the file's pages would need three things at once: a UMEM that has headers and file in one
 * mapping; pages that may be pinned for writing (hugetlbfs or tmpfs, no file on a disk); a kernel (6.6)
 * and a driver that chain descriptors to one frame (XDP_USE_SG). In copy mode that avoids this way's
 * copy but not the kernel's; in zero-copy mode few drivers can do it. So these ways do what programs
 * with AF_XDP do today: they write their frames into the UMEM.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <xdp/libxdp.h>
#include <xdp/xsk.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "kernel/rawtx.h"
#include "kernel/ways.h"

/* In kernels newer than Debian 12's headers */
#ifndef XDP_USE_SG
#define XDP_USE_SG    (1 << 4)
#define XDP_PKT_CONTD (1 << 0)
#endif
#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9
#endif
#define BUSY_WAIT_NS  PW_NS_PER_S
#define KERNEL_BUDGET 32   /* descriptors that a call takes by default */
#define CHUNK_MIN     2048 /* the kernel's XDP_UMEM_MIN_CHUNK_SIZE */

struct xdp {
	struct pw_rawtx t;
	uint8_t *area;
	uint32_t chunk_bytes;
	uint32_t slot_chunks;
	uint32_t n_free;
	struct xsk_umem *umem;
	struct xsk_socket *xsk;
	struct xsk_ring_prod tx, fill; /* fill stays empty */
	struct xsk_ring_cons done;
	uint16_t free_slots[PW_RAWTX_SLOTS]; /* a stack: reuses first what the cache has */
	uint16_t left[PW_RAWTX_SLOTS];       /* chunks of a queued slot that are not sent yet */
};

static uint32_t slot_bytes(const struct xdp *x)
{
	return x->chunk_bytes * x->slot_chunks;
}

static uint8_t *top_slot(const struct xdp *x)
{
	return x->area + (size_t)x->free_slots[x->n_free - 1] * slot_bytes(x);
}

/* The TX ring has a descriptor for every chunk, so it is never full. */
static void queue(struct xdp *x, uint32_t len)
{
	const uint16_t slot = x->free_slots[--x->n_free];
	const uint32_t n = (uint32_t)pw_div_ceil(len, x->chunk_bytes);
	uint32_t at = 0, i;

	xsk_ring_prod__reserve(&x->tx, n, &at);
	for (i = 0; i < n; i++) {
		const uint32_t off = i * x->chunk_bytes;

		*xsk_ring_prod__tx_desc(&x->tx, at + i) = (struct xdp_desc){
			.addr = (uint64_t)slot * slot_bytes(x) + off,
			.len = (uint32_t)pw_min_u64(len - off, x->chunk_bytes),
			.options = i + 1 < n ? XDP_PKT_CONTD : 0,
		};
	}
	x->left[slot] = (uint16_t)n;
	xsk_ring_prod__submit(&x->tx, n);
}

static void collect(struct xdp *x)
{
	uint32_t at, i, n;

	while ((n = xsk_ring_cons__peek(&x->done, x->done.size, &at)) > 0) {
		for (i = 0; i < n; i++) {
			uint64_t addr = *xsk_ring_cons__comp_addr(&x->done, at + i);
			uint16_t slot = (uint16_t)(addr / slot_bytes(x));

			if (--x->left[slot] == 0)
				x->free_slots[x->n_free++] = slot;
		}
		xsk_ring_cons__release(&x->done, n);
	}
}

static uint16_t xdp_put(void *path, struct pw_symbols *walk, uint16_t n)
{
	struct xdp *x = path;
	uint16_t i;

	if (x->n_free < n)
		collect(x);
	n = (uint16_t)pw_min_u64(n, x->n_free);
	for (i = 0; i < n; i++)
		queue(x, pw_rawtx_fill(&x->t, walk, top_slot(x)));
	return n;
}

static bool xdp_put_copy(
	void *path, const struct pw_frame_tmpl *tmpl, const void *payload, size_t len)
{
	struct xdp *x = path;

	if (!x->n_free)
		return false;
	queue(x, pw_rawtx_fill_copy(tmpl, payload, len, top_slot(x)));
	return true;
}

/* Descriptors that the kernel has not taken yet */
static uint32_t n_queued(struct xdp *x)
{
	return x->tx.size - xsk_prod_nb_free(&x->tx, x->tx.size);
}

static void xdp_kick(void *path)
{
	struct xdp *x = path;
	uint32_t before, after = n_queued(x);

	/* A driver that polls its ring needs a call only when it asks for one; copy mode always. */
	if (x->t.s.way->zerocopy && !xsk_ring_prod__needs_wakeup(&x->tx))
		return;
	do {
		before = after;
		if (sendto(x->t.s.fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0)
			return;
		if (!pw_rawtx_survives(&x->t, errno))
			return;
		after = n_queued(x);
	} while (after > 0 && after < before); /* its budget for one call was spent */
}

static void xdp_reap(void *path)
{
	struct xdp *x = path;

	collect(x);
	if (!x->t.s.fault[0] && n_queued(x) > 0)
		xdp_kick(x);
	collect(x);
}

static bool xdp_wait(void *path)
{
	struct xdp *x = path;

	xdp_reap(x);
	if (x->n_free || x->t.s.fault[0])
		return x->n_free;
	pw_sock_wait_writable(&x->t.s);
	xdp_reap(x);
	if (!x->n_free) { /* the driver has all, and no event reports when it is done */
		pw_sock_nap();
		collect(x);
	}
	return x->n_free;
}

static bool xdp_all_sent(void *path)
{
	return ((struct xdp *)path)->n_free == PW_RAWTX_SLOTS;
}

static const struct pw_rawtx_slots slots = {
	.put = xdp_put,
	.put_copy = xdp_put_copy,
	.kick = xdp_kick,
	.reap = xdp_reap,
	.wait = xdp_wait,
	.all_sent = xdp_all_sent,
};

static uint16_t xdp_send(void *path, const struct pw_tx_burst *b)
{
	return pw_rawtx_send_slots(path, &slots, b);
}

static uint16_t xdp_send_copy(
	void *path, const struct pw_frame_tmpl *tmpl, const void *payload, size_t len)
{
	return pw_rawtx_send_copy(path, &slots, tmpl, payload, len);
}

static const struct pw_tx_ops ops = {
	.name = "xdp",
	.send = xdp_send,
	.send_copy = xdp_send_copy,
	.reap = xdp_reap,
	PW_RAWTX_OPS,
};

/* libxdp prints to stderr, for the whole process. This function replaces its print function while a path
 * is opened or closed. */
static int print_nothing(enum libxdp_print_level level, const char *fmt, va_list args)
{
	(void)level;
	(void)fmt;
	(void)args;
	return 0;
}

static int bind_error(const struct xdp *x, int code, struct pw_err *err)
{
	if (code == EBUSY)
		return pw_err_set(err, code,
			"cannot open %s on %s: its queue 0 already has an AF_XDP socket; stop the "
			"program that uses it",
			x->t.s.way->name, x->t.s.peer);
	if (code == EINVAL && x->slot_chunks > 1)
		return pw_err_set(err, EOPNOTSUPP,
			"cannot open %s on %s: frames longer than a page need a kernel of 6.6 or "
			"newer; "
			"send with a smaller --mtu",
			x->t.s.way->name, x->t.s.peer);
	if (x->t.s.way->zerocopy && (code == EOPNOTSUPP || code == EINVAL))
		return pw_err_set(err, EOPNOTSUPP,
			"cannot open %s on %s: its driver has no AF_XDP zero-copy%s; use xdp_copy",
			x->t.s.way->name, x->t.s.peer,
			x->slot_chunks > 1 ? " for frames longer than a page" : "");
	return pw_rawtx_refused(&x->t, "open an AF_XDP socket", code, err);
}

/* Rings have room for every chunk; their size is a power of two. */
static uint32_t ring_size(const struct xdp *x)
{
	uint32_t n = 1;

	while (n < PW_RAWTX_SLOTS * x->slot_chunks)
		n *= 2;
	return n;
}

static size_t area_bytes(const struct xdp *x)
{
	return (size_t)PW_RAWTX_SLOTS * slot_bytes(x);
}

static int make_area(struct xdp *x, struct pw_err *err)
{
	x->area = mmap(NULL, area_bytes(x), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (x->area != MAP_FAILED)
		return 0;
	x->area = NULL;
	return pw_err_sys(err, errno, "cannot open %s: cannot allocate a UMEM", x->t.s.way->name);
}

static int make_umem(struct xdp *x, struct pw_err *err)
{
	const struct xsk_umem_config cfg = {
		.fill_size = ring_size(x),
		.comp_size = ring_size(x),
		.frame_size = x->chunk_bytes,
	};
	int ret = xsk_umem__create(&x->umem, x->area, area_bytes(x), &x->fill, &x->done, &cfg);

	if (ret == -ENOBUFS)
		return pw_err_set(err, ENOBUFS,
			"cannot open %s: %zu KiB for a UMEM exceed the limit of locked memory; "
			"raise it "
			"(ulimit -l)",
			x->t.s.way->name, area_bytes(x) / 1024);
	return ret < 0 ? pw_rawtx_refused(&x->t, "open an AF_XDP socket", -ret, err) : 0;
}

static int make_socket(struct xdp *x, struct pw_err *err)
{
	const struct xsk_socket_config cfg = {
		.tx_size = ring_size(x),
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = (uint16_t)(XDP_USE_NEED_WAKEUP |
					 (x->t.s.way->zerocopy ? XDP_ZEROCOPY : XDP_COPY) |
					 (x->slot_chunks > 1 ? XDP_USE_SG : 0)),
	};
	const uint32_t budget = x->t.s.cfg.batch * x->slot_chunks;
	int ret = xsk_socket__create(&x->xsk, x->t.s.peer, 0, x->umem, NULL, &x->tx, &cfg);

	if (ret < 0)
		return bind_error(x, -ret, err);
	x->t.s.fd = xsk_socket__fd(x->xsk);
	/* One call for a batch, if the kernel allows it; else as many as needed. */
	if (budget > KERNEL_BUDGET)
		setsockopt(x->t.s.fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &budget, sizeof(budget));
	pw_rawtx_grow_sndbuf(&x->t, (uint64_t)PW_RAWTX_SLOTS * (slot_bytes(x) + 1024));
	return 0;
}

/* After a socket is closed, the kernel frees its queue a little later, in a work queue: try again. */
static int make_all(struct xdp *x, struct pw_err *err)
{
	const uint64_t end = pw_clock_ns() + BUSY_WAIT_NS;
	int ret = make_area(x, err);

	if (ret < 0)
		return ret;
	for (;;) {
		ret = make_umem(x, err);
		if (ret == 0)
			ret = make_socket(x, err);
		if (ret != -EBUSY || pw_clock_ns() >= end)
			return ret;
		xsk_umem__delete(x->umem);
		x->umem = NULL;
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
}

static int xdp_socket(void *path, struct pw_err *err)
{
	const uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);
	struct xdp *x = path;
	libxdp_print_fn_t old;
	int ret = pw_rawtx_interface(&x->t, err);

	if (ret < 0)
		return ret;
	x->chunk_bytes = x->t.frame_max <= CHUNK_MIN ? CHUNK_MIN : page;
	x->slot_chunks = (uint32_t)pw_div_ceil(x->t.frame_max, x->chunk_bytes);
	for (; x->n_free < PW_RAWTX_SLOTS; x->n_free++)
		x->free_slots[x->n_free] = (uint16_t)x->n_free;
	old = libxdp_set_print(print_nothing);
	ret = make_all(x, err);
	libxdp_set_print(old);
	return ret;
}

static void xdp_finish(void *path)
{
	libxdp_print_fn_t old = libxdp_set_print(print_nothing);
	struct xdp *x = path;

	if (x->xsk) {
		xdp_reap(x);
		pw_rawtx_drain(x, &slots);
		xsk_socket__delete(x->xsk); /* closes t.s.fd */
		x->t.s.fd = -1;
	}
	if (x->umem)
		xsk_umem__delete(x->umem);
	libxdp_set_print(old);
	if (x->area)
		munmap(x->area, area_bytes(x));
	pw_rawtx_finish(&x->t);
}

const struct pw_way pw_way_xdp_copy = {
	.name = "xdp_copy",
	.summary = "AF_XDP copy mode: our copy into the UMEM, sendto() a batch",
	.kind = PW_WAY_FRAME,
	.path_bytes = sizeof(struct xdp),
	.socket = xdp_socket,
	.finish = xdp_finish,
	.packets = &ops,
};

const struct pw_way pw_way_xdp_zerocopy = {
	.name = "xdp_zerocopy",
	.summary = "AF_XDP zero-copy: our copy into the UMEM, which the NIC reads",
	.kind = PW_WAY_FRAME,
	.zerocopy = true,
	.path_bytes = sizeof(struct xdp),
	.socket = xdp_socket,
	.finish = xdp_finish,
	.packets = &ops,
};
