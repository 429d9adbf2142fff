/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens an AF_XDP socket that only sends, hands its descriptors over, and takes its slots back. */
#include "kernel/xsk.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"

#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9
#endif
#define BUSY_WAIT_NS  PW_NS_PER_S
#define KERNEL_BUDGET 32 /* descriptors that a call takes by default */
#define FILL_ENTRIES  64 /* the kernel wants a fill ring; it stays empty */
#define FRAME_DESCS   17 /* MAX_SKB_FRAGS: pieces of a packet */

/* struct xdp_umem_reg of Linux 6.8. Older kernels read the first 32 bytes. */
struct umem_reg {
	uint64_t addr, len;
	uint32_t chunk_size, headroom, flags, tx_metadata_len;
};

/* Descriptors that the kernel has not taken yet */
static uint32_t n_queued(const struct pw_xsk *x)
{
	return x->tx.at - __atomic_load_n(x->tx.consumer, __ATOMIC_ACQUIRE);
}

static void note_done(struct pw_xsk *x, uint64_t addr)
{
	const uint16_t slot =
		(uint16_t)(x->slot_bytes ? addr / x->slot_bytes
					 : addr >> (XSK_UNALIGNED_BUF_OFFSET_SHIFT + 1));

	if (--x->left[slot] || slot == PW_XSK_COPY_SLOT)
		return;
	x->free_slots[x->n_free++] = slot;
	if (x->win[slot]) {
		x->win[slot]->n_out--;
		x->n_out--;
	}
}

void pw_xsk_collect(struct pw_xsk *x)
{
	const uint32_t end = __atomic_load_n(x->done.producer, __ATOMIC_ACQUIRE);
	const uint64_t *addr = x->done.entries;

	for (; x->done.at != end; x->done.at++)
		note_done(x, addr[x->done.at & (x->done.size - 1)]);
	__atomic_store_n(x->done.consumer, end, __ATOMIC_RELEASE);
}

uint16_t pw_xsk_room(struct pw_xsk *x, uint16_t n)
{
	if (x->n_free < n)
		pw_xsk_collect(x);
	return (uint16_t)pw_min_u64(n, x->n_free);
}

void pw_xsk_kick(void *path)
{
	struct pw_xsk *x = path;
	uint32_t before, after = n_queued(x);

	/* A driver that polls its ring needs a call only when it asks for one; copy mode always. */
	if (x->t.s.way->zerocopy &&
		!(__atomic_load_n(x->tx.flags, __ATOMIC_RELAXED) & XDP_RING_NEED_WAKEUP))
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

void pw_xsk_reap(void *path)
{
	struct pw_xsk *x = path;

	pw_xsk_collect(x);
	if (!x->t.s.fault[0] && n_queued(x) > 0)
		pw_xsk_kick(x);
	pw_xsk_collect(x);
}

bool pw_xsk_wait(void *path)
{
	struct pw_xsk *x = path;

	pw_xsk_reap(x);
	if (x->n_free || x->t.s.fault[0])
		return x->n_free;
	pw_sock_wait_writable(&x->t.s);
	pw_xsk_reap(x);
	if (!x->n_free) { /* the driver has all, and no event reports when it is done */
		pw_sock_nap();
		pw_xsk_collect(x);
	}
	return x->n_free;
}

bool pw_xsk_all_sent(void *path)
{
	const struct pw_xsk *x = path;

	return x->n_free == PW_RAWTX_SLOTS && x->left[PW_XSK_COPY_SLOT] == 0;
}

static int refused(const struct pw_xsk *x, int code, struct pw_err *err)
{
	return pw_rawtx_refused(&x->t, "open an AF_XDP socket", code, err);
}

static int umem_error(const struct pw_xsk *x, const struct pw_xsk_umem *umem, struct pw_err *err)
{
	const char *way = x->t.s.way->name;
	const int code = errno;

	if (code == ENOBUFS)
		return pw_err_set(err, ENOBUFS,
			"cannot open %s: %llu KiB for a UMEM exceed the limit of locked memory; "
			"raise it (ulimit -l)",
			way, (unsigned long long)umem->bytes / 1024);
	if (code == EINVAL && umem->metadata_bytes)
		return pw_err_set(err, EOPNOTSUPP,
			"cannot open %s: this kernel has no metadata for sent frames; it needs "
			"Linux 6.11",
			way);
	/* ENOMEM: it has pinned the headers, but not all of the file's pages. */
	if (x->t.s.way->maps_file && (code == EFAULT || code == EOPNOTSUPP || code == ENOMEM))
		return pw_err_set(err, EOPNOTSUPP,
			"cannot open %s: the kernel pins only pages that may be written for long, "
			"those of hugetlbfs and tmpfs; send a copy of the file from there",
			way);
	return refused(x, code, err);
}

static int bind_error(
	const struct pw_xsk *x, const struct pw_xsk_umem *umem, int code, struct pw_err *err)
{
	const struct pw_sock *s = &x->t.s;
	const bool sg = umem->frame_descs > 1;

	if (code == EBUSY)
		return pw_err_set(err, code,
			"cannot open %s on %s: its queue 0 already has an AF_XDP socket; stop the "
			"program that uses it",
			s->way->name, s->peer);
	if (s->way->zerocopy && (code == EOPNOTSUPP || code == EINVAL))
		return pw_err_set(err, EOPNOTSUPP,
			"cannot open %s on %s: its driver has no AF_XDP zero-copy%s; use %s",
			s->way->name, s->peer, sg ? " for frames in pieces" : "",
			s->way->maps_file ? "xdp_sg" : "xdp_copy");
	if (code == EINVAL && sg)
		return pw_err_set(err, EOPNOTSUPP,
			"cannot open %s on %s: frames in several pieces need Linux 6.6 or newer; "
			"send by packet_send, or with a smaller --mtu by xdp_copy",
			s->way->name, s->peer);
	return refused(x, code, err);
}

/* Rings have room for every descriptor; their size is a power of two. */
static uint32_t ring_size(const struct pw_xsk_umem *umem)
{
	uint32_t n = 1;

	while (n < PW_XSK_SLOTS * umem->frame_descs)
		n *= 2;
	return n;
}

static int set(const struct pw_xsk *x, int option, uint32_t value)
{
	return setsockopt(x->t.s.fd, SOL_XDP, option, &value, sizeof(value));
}

static int map_ring(const struct pw_xsk *x, struct pw_xsk_ring *ring,
	const struct xdp_ring_offset *off, size_t entry_bytes, uint64_t page_off)
{
	ring->map_bytes = off->desc + ring->size * entry_bytes;
	ring->map = mmap(NULL, ring->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		x->t.s.fd, (off_t)page_off);
	if (ring->map == MAP_FAILED) {
		ring->map = NULL;
		return -1;
	}
	ring->producer = (uint32_t *)((uint8_t *)ring->map + off->producer);
	ring->consumer = (uint32_t *)((uint8_t *)ring->map + off->consumer);
	ring->flags = (uint32_t *)((uint8_t *)ring->map + off->flags);
	ring->entries = (uint8_t *)ring->map + off->desc;
	return 0;
}

static int make_rings(struct pw_xsk *x, uint32_t entries)
{
	struct xdp_mmap_offsets off;
	socklen_t len = sizeof(off);

	x->tx.size = x->done.size = entries;
	if (set(x, XDP_UMEM_FILL_RING, FILL_ENTRIES) < 0 ||
		set(x, XDP_UMEM_COMPLETION_RING, entries) < 0 || set(x, XDP_TX_RING, entries) < 0 ||
		getsockopt(x->t.s.fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &len) < 0)
		return -1;
	if (map_ring(x, &x->tx, &off.tx, sizeof(struct xdp_desc), XDP_PGOFF_TX_RING) < 0)
		return -1;
	return map_ring(x, &x->done, &off.cr, sizeof(uint64_t), XDP_UMEM_PGOFF_COMPLETION_RING);
}

/* After a socket is closed, the kernel frees its queue a little later, in a work queue: try again. */
static int bind_queue(struct pw_xsk *x, const struct pw_xsk_umem *umem, struct pw_err *err)
{
	const uint64_t end = pw_clock_ns() + BUSY_WAIT_NS;
	const struct sockaddr_xdp addr = {
		.sxdp_family = AF_XDP,
		.sxdp_ifindex = x->t.dev.index,
		.sxdp_flags = (uint16_t)(XDP_USE_NEED_WAKEUP |
					 (x->t.s.way->zerocopy ? XDP_ZEROCOPY : XDP_COPY) |
					 (umem->frame_descs > 1 ? XDP_USE_SG : 0)),
	};

	while (bind(x->t.s.fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0) {
		if (errno != EBUSY || pw_clock_ns() >= end)
			return bind_error(x, umem, errno, err);
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	return 0;
}

int pw_xsk_open(struct pw_xsk *x, const struct pw_xsk_umem *umem, struct pw_err *err)
{
	const struct umem_reg reg = {
		.addr = (uintptr_t)umem->area,
		.len = umem->bytes,
		.chunk_size = umem->chunk_bytes,
		.flags = umem->flags,
		.tx_metadata_len = umem->metadata_bytes,
	};
	const uint32_t budget = x->t.s.cfg.batch * umem->frame_descs;
	int ret;

	if (umem->frame_descs > FRAME_DESCS)
		return pw_err_set(err, EOPNOTSUPP,
			"cannot open %s: a frame of %u bytes has up to %u pieces, and the kernel "
			"takes %d; send with a smaller --mtu",
			x->t.s.way->name, x->t.frame_max, umem->frame_descs, FRAME_DESCS);
	for (x->n_free = 0; x->n_free < PW_RAWTX_SLOTS; x->n_free++)
		x->free_slots[x->n_free] = (uint16_t)x->n_free;
	x->t.s.fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (x->t.s.fd < 0)
		return refused(x, errno, err);
	if (setsockopt(x->t.s.fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) < 0)
		return umem_error(x, umem, err);
	if (make_rings(x, ring_size(umem)) < 0)
		return refused(x, errno, err);
	ret = bind_queue(x, umem, err);
	if (ret < 0)
		return ret;
	/* One call for a batch, if the kernel allows it; else as many as needed. */
	if (budget > KERNEL_BUDGET)
		set(x, XDP_MAX_TX_SKB_BUDGET, budget);
	/* In copy mode the kernel counts a page for each further descriptor. */
	pw_rawtx_grow_sndbuf(
		&x->t, (uint64_t)PW_RAWTX_SLOTS * (umem->frame_descs * 4096ull + 1024));
	return 0;
}

static void drain(struct pw_xsk *x)
{
	static const struct pw_rawtx_slots slots = {PW_XSK_SLOT_OPS};

	pw_xsk_reap(x);
	pw_rawtx_drain(x, &slots);
}

void pw_xsk_close(struct pw_xsk *x)
{
	if (x->tx.map && x->done.map)
		drain(x);
	if (x->tx.map)
		munmap(x->tx.map, x->tx.map_bytes);
	if (x->done.map)
		munmap(x->done.map, x->done.map_bytes);
	if (x->t.s.fd >= 0)
		close(x->t.s.fd);
	x->t.s.fd = -1;
	pw_rawtx_finish(&x->t);
}
