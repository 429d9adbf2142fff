/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AF_XDP, transmit only, no XDP program: frames are copied into chunks of a UMEM, and one sendto()
 * a batch hands their descriptors over. XDP_COPY: the kernel copies each into an skb. XDP_ZEROCOPY:
 * the driver sends from the UMEM.
 *
 *   slot   | chunk | chunk | ...     one for frames up to a page, as many as it takes for longer
 *             TX ring: a descriptor a chunk --> sendto() --> completion ring: chunks to fill again
 *
 * A descriptor names one chunk of one UMEM, and the header has to be in front of the payload, so
 * payload that stays in the file's pages would need three things at once: a UMEM that spans headers
 * and file in one mapping, pages that can be pinned for writing (hugetlbfs or tmpfs, no disk file),
 * and a kernel (6.6) and driver with descriptors chained to one frame (XDP_USE_SG). In copy mode
 * that saves our copy and not the kernel's; few drivers have it in zero-copy mode. The way is what
 * programs that use AF_XDP do today: they write their frames into the UMEM.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xdp/libxdp.h>
#include <xdp/xsk.h>

#include "base/clock.h"
#include "kernel/rawtx.h"
#include "kernel/ways.h"

/* Of newer kernels than Debian 12's headers */
#ifndef XDP_USE_SG
#define XDP_USE_SG    (1 << 4)
#define XDP_PKT_CONTD (1 << 0)
#endif
#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9
#endif
#define BUSY_WAIT_NS  PW_NS_PER_S
#define KERNEL_BUDGET 32   /* descriptors that a call takes unless told otherwise */
#define CHUNK_MIN     2048 /* the kernel's XDP_UMEM_MIN_CHUNK_SIZE */

struct xdp {
	struct pw_rawtx t;
	bool zerocopy;
	uint8_t *area;
	uint32_t chunk_bytes;
	uint32_t slot_chunks;
	uint32_t n_free;
	struct xsk_umem *umem;
	struct xsk_socket *xsk;
	struct xsk_ring_prod tx, fill; /* nothing is ever put into fill */
	struct xsk_ring_cons done;
	uint16_t free_slots[PW_RAWTX_SLOTS]; /* a stack: the one in the cache is taken first */
	uint16_t left[PW_RAWTX_SLOTS];       /* chunks of a queued slot that are not done */
};

static uint32_t slot_bytes(const struct xdp *x)
{
	return x->chunk_bytes * x->slot_chunks;
}

static uint8_t *top_slot(const struct xdp *x)
{
	return x->area + (size_t)x->free_slots[x->n_free - 1] * slot_bytes(x);
}

/* The TX ring has a descriptor for every chunk there is, so it is never full. */
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

/* Descriptors that the kernel has not taken */
static uint32_t n_queued(struct xdp *x)
{
	return x->tx.size - xsk_prod_nb_free(&x->tx, x->tx.size);
}

static void xdp_kick(void *path)
{
	struct xdp *x = path;
	uint32_t before, after = n_queued(x);

	/* A driver that polls its ring has to be woken only when it says so; copy mode always. */
	if (x->zerocopy && !xsk_ring_prod__needs_wakeup(&x->tx))
		return;
	do {
		before = after;
		if (sendto(x->t.fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0)
			return;
		if (!pw_rawtx_survives(&x->t, errno))
			return;
		after = n_queued(x);
	} while (after > 0 && after < before); /* its budget for one call was spent */
}

static void kick_leftovers(struct xdp *x)
{
	collect(x);
	if (!x->t.fault[0] && n_queued(x) > 0)
		xdp_kick(x);
	collect(x);
}

static bool xdp_wait(void *path)
{
	struct xdp *x = path;

	kick_leftovers(x);
	if (x->n_free || x->t.fault[0])
		return x->n_free;
	pw_rawtx_wait_writable(&x->t);
	kick_leftovers(x);
	if (!x->n_free) { /* all with the driver, and no event tells when it has done */
		pw_rawtx_nap();
		collect(x);
	}
	return x->n_free;
}

static uint16_t ops_send(void *path, const struct pw_tx_burst *b)
{
	static const struct pw_rawtx_slots slots = {xdp_put, xdp_kick, xdp_wait};

	return pw_rawtx_send_slots(path, &slots, b);
}

static uint16_t ops_send_copy(
	void *path, const struct pw_frame_tmpl *tmpl, const void *payload, size_t len)
{
	struct xdp *x = path;

	if (x->t.fault[0] || !pw_rawtx_fits(&x->t, tmpl, len) || (!x->n_free && !xdp_wait(x))) {
		x->t.c.full_polls++;
		return 0;
	}
	queue(x, pw_rawtx_fill_copy(&x->t, tmpl, payload, len, top_slot(x)));
	xdp_kick(x);
	pw_rawtx_account_copy(&x->t, tmpl, len);
	return 1;
}

static void ops_reap(void *path)
{
	kick_leftovers(path);
}

static const struct pw_tx_ops ops = {
	.name = "xdp",
	.attach = pw_rawtx_attach,
	.detach = pw_rawtx_detach,
	.send = ops_send,
	.send_copy = ops_send_copy,
	.reap = ops_reap,
	.alive = pw_rawtx_alive,
	.fault = pw_rawtx_fault,
	.outstanding = pw_rawtx_outstanding,
	.counters = pw_rawtx_counters,
};

/* libxdp prints to stderr, for the whole process; what was set before is put back. */
static int hush(enum libxdp_print_level level, const char *fmt, va_list args)
{
	(void)level;
	(void)fmt;
	(void)args;
	return 0;
}

static const char *way_name(const struct xdp *x)
{
	return x->zerocopy ? "xdp_zerocopy" : "xdp_copy";
}

static int bind_error(const struct xdp *x, int code, struct pw_err *err)
{
	if (code == EBUSY)
		return pw_err_set(err, code,
			"open %s on %s: its queue 0 has an AF_XDP socket already; stop the program "
			"that has it",
			way_name(x), x->t.ifname);
	if (code == EINVAL && x->slot_chunks > 1)
		return pw_err_set(err, EOPNOTSUPP,
			"open %s on %s: frames longer than a page need a kernel of 6.6 or newer; "
			"send with a smaller --mtu",
			way_name(x), x->t.ifname);
	if (x->zerocopy && (code == EOPNOTSUPP || code == EINVAL))
		return pw_err_set(err, EOPNOTSUPP,
			"open %s on %s: its driver has no AF_XDP zero-copy%s; use xdp_copy",
			way_name(x), x->t.ifname,
			x->slot_chunks > 1 ? " for frames longer than a page" : "");
	return pw_rawtx_refused(&x->t, "open an AF_XDP socket", code, err);
}

/* Rings that have room for every chunk: a power of two. */
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
	return pw_err_sys(err, errno, "open %s: allocate a UMEM", way_name(x));
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
			"open %s: %zu KiB for a UMEM exceed the limit of locked memory; raise it "
			"(ulimit -l)",
			way_name(x), area_bytes(x) / 1024);
	return ret < 0 ? pw_rawtx_refused(&x->t, "open an AF_XDP socket", -ret, err) : 0;
}

static int make_socket(struct xdp *x, struct pw_err *err)
{
	const struct xsk_socket_config cfg = {
		.tx_size = ring_size(x),
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags =
			(uint16_t)(XDP_USE_NEED_WAKEUP | (x->zerocopy ? XDP_ZEROCOPY : XDP_COPY) |
				   (x->slot_chunks > 1 ? XDP_USE_SG : 0)),
	};
	const uint32_t budget = x->t.batch * x->slot_chunks;
	int ret = xsk_socket__create(&x->xsk, x->t.ifname, 0, x->umem, NULL, &x->tx, &cfg);

	if (ret < 0)
		return bind_error(x, -ret, err);
	x->t.fd = xsk_socket__fd(x->xsk);
	/* One call a batch where the kernel lets us; else as many as it takes. */
	if (budget > KERNEL_BUDGET)
		setsockopt(x->t.fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &budget, sizeof(budget));
	pw_rawtx_grow_sndbuf(&x->t, (uint64_t)PW_RAWTX_SLOTS * (slot_bytes(x) + 1024));
	return 0;
}

/* The kernel frees the queue of a socket that was closed a little later, in a work queue. */
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

static void drain(struct xdp *x)
{
	const uint64_t end = pw_clock_ns() + PW_RAWTX_DRAIN_MS * 1000000ull;

	collect(x);
	while (!x->t.fault[0] && x->n_free < PW_RAWTX_SLOTS && pw_clock_ns() < end) {
		kick_leftovers(x);
		pw_rawtx_nap();
	}
}

static void way_close(void *path)
{
	libxdp_print_fn_t old;
	struct xdp *x = path;

	if (!x)
		return;
	old = libxdp_set_print(hush);
	if (x->xsk) {
		drain(x);
		xsk_socket__delete(x->xsk);
	}
	if (x->umem)
		xsk_umem__delete(x->umem);
	libxdp_set_print(old);
	if (x->area)
		munmap(x->area, area_bytes(x));
	x->t.fd = -1; /* it was xsk's */
	pw_rawtx_finish(&x->t);
	free(x);
}

static int open_xdp(void **path, const struct pw_way_config *cfg, bool zerocopy, struct pw_err *err)
{
	const uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);
	struct xdp *x = calloc(1, sizeof(*x));
	libxdp_print_fn_t old;
	int ret;

	*path = NULL;
	if (!x)
		return pw_err_sys(err, ENOMEM, "open an AF_XDP socket");
	x->zerocopy = zerocopy;
	ret = pw_rawtx_init(&x->t, cfg, err);
	x->chunk_bytes = x->t.frame_max <= CHUNK_MIN ? CHUNK_MIN : page;
	x->slot_chunks = (uint32_t)pw_div_ceil(x->t.frame_max, x->chunk_bytes);
	while (x->n_free < PW_RAWTX_SLOTS) {
		x->free_slots[x->n_free] = (uint16_t)x->n_free;
		x->n_free++;
	}
	old = libxdp_set_print(hush);
	if (ret == 0)
		ret = make_all(x, err);
	libxdp_set_print(old);
	if (ret < 0)
		way_close(x);
	else
		*path = x;
	return ret;
}

static int open_copy(void **path, const struct pw_way_config *cfg, struct pw_err *err)
{
	return open_xdp(path, cfg, false, err);
}

static int open_zerocopy(void **path, const struct pw_way_config *cfg, struct pw_err *err)
{
	return open_xdp(path, cfg, true, err);
}

const struct pw_way pw_way_xdp_copy = {
	.name = "xdp_copy",
	.summary = "AF_XDP copy mode: our copy into the UMEM, sendto() a batch",
	.kind = PW_WAY_FRAME,
	.open = open_copy,
	.close = way_close,
	.packets = &ops,
};

const struct pw_way pw_way_xdp_zerocopy = {
	.name = "xdp_zerocopy",
	.summary = "AF_XDP zero-copy: our copy into the UMEM, which the NIC reads",
	.kind = PW_WAY_FRAME,
	.open = open_zerocopy,
	.close = way_close,
	.packets = &ops,
};
