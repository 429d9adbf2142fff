/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frame ways xdp_copy, xdp_copy_csum and xdp_zerocopy: AF_XDP. They copy frames into chunks of a UMEM.
 * With XDP_COPY the kernel copies each frame into an skb. With XDP_ZEROCOPY the driver sends from the UMEM.
 *
 *   slot   | chunk | chunk | ...    one chunk for frames up to a page, several for longer frames
 *            a descriptor for each
 *
 * xdp_copy_csum requests UDP checksums: metadata in front of each frame says which bytes to sum up. The
 * device does that, or else the kernel. Every descriptor needs room for metadata in its own chunk, so a
 * frame has one chunk. The other ways send no checksum over IPv4, and compute it over IPv6.
 *
 * Programs with AF_XDP write their frames into the UMEM, as these do. xdp_sg refers to the file instead.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "kernel/ways.h"
#include "kernel/xsk.h"

/* Linux 6.11 */
#ifndef XDP_UMEM_TX_METADATA_LEN
#define XDP_UMEM_TX_METADATA_LEN (1 << 2)
#define XDP_TX_METADATA          (1 << 1)
#define XDP_TXMD_FLAGS_CHECKSUM  (1 << 1)
#endif

/* struct xsk_tx_metadata as of Linux 6.14, with its largest union */
struct metadata {
	uint64_t flags;
	uint16_t csum_start, csum_offset; /* in the frame: where to begin, and where the sum goes */
	uint64_t launch_time;
};

struct xdp {
	struct pw_xsk x;
	uint8_t *area;
	uint32_t chunk_bytes;
	uint32_t slot_chunks;
	uint32_t metadata_bytes; /* 0: none */
};

static uint8_t *top_slot(const struct xdp *x)
{
	return x->area + (size_t)pw_xsk_top(&x->x) * x->x.slot_bytes;
}

static uint8_t *top_frame(const struct xdp *x)
{
	return top_slot(x) + x->metadata_bytes;
}

static void queue(struct xdp *x, uint32_t len)
{
	const uint64_t addr = (uint64_t)(top_frame(x) - x->area);
	const uint32_t n = (uint32_t)pw_div_ceil(len, x->chunk_bytes);
	const uint32_t options = x->metadata_bytes ? XDP_TX_METADATA : 0;
	uint32_t i;

	for (i = 0; i < n; i++) {
		const uint32_t off = i * x->chunk_bytes;

		pw_xsk_put(&x->x, addr + off, (uint32_t)pw_min_u64(len - off, x->chunk_bytes),
			i + 1 < n ? XDP_PKT_CONTD : options);
	}
	pw_xsk_take(&x->x, (uint16_t)n, NULL);
	pw_xsk_submit(&x->x);
}

/* The frame's checksum field becomes the sum of the pseudo header. */
static void ask_for_csum(const struct xdp *x, const struct pw_frame_tmpl *tmpl, size_t payload_len)
{
	uint8_t *frame = top_frame(x);
	const struct metadata md = {
		.flags = XDP_TXMD_FLAGS_CHECKSUM,
		.csum_start = (uint16_t)(tmpl->l2_len + tmpl->l3_len),
		.csum_offset = PW_UDP_LEN - 2,
	};

	memcpy(top_slot(x), &md, sizeof(md));
	pw_be16_store(frame + tmpl->alc_off - 2, pw_frame_pseudo_csum(tmpl, frame, payload_len));
}

static void put_symbol(struct xdp *x, struct pw_symbols *walk)
{
	uint8_t *frame = top_frame(x);
	struct pw_symbol sym;
	uint32_t bytes;

	if (!x->metadata_bytes) {
		queue(x, pw_rawtx_fill(&x->x.t, walk, frame));
		return;
	}
	pw_symbols_next(walk, &sym);
	bytes = pw_rawtx_write(&x->x.t, &sym, frame);
	ask_for_csum(x, sym.tmpl, sym.len);
	queue(x, bytes);
}

static uint16_t xdp_put(void *path, struct pw_symbols *walk, uint16_t n)
{
	struct xdp *x = path;
	uint16_t i;

	n = pw_xsk_room(&x->x, n);
	for (i = 0; i < n; i++)
		put_symbol(x, walk);
	return n;
}

static bool xdp_put_copy(
	void *path, const struct pw_frame_tmpl *tmpl, const void *payload, size_t len)
{
	struct xdp *x = path;
	uint32_t bytes;

	if (!x->x.n_free)
		return false;
	bytes = pw_rawtx_fill_copy(tmpl, payload, len, top_frame(x));
	if (x->metadata_bytes)
		ask_for_csum(x, tmpl, len);
	queue(x, bytes);
	return true;
}

static const struct pw_rawtx_slots slots = {
	.put = xdp_put,
	.put_copy = xdp_put_copy,
	PW_XSK_SLOT_OPS,
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
	.reap = pw_xsk_reap,
	PW_RAWTX_OPS,
};

static size_t area_bytes(const struct xdp *x)
{
	return (size_t)PW_RAWTX_SLOTS * x->x.slot_bytes;
}

static int open_umem(struct xdp *x, struct pw_err *err)
{
	const struct pw_xsk_umem umem = {
		.area = x->area,
		.bytes = area_bytes(x),
		.chunk_bytes = x->chunk_bytes,
		.flags = x->metadata_bytes ? XDP_UMEM_TX_METADATA_LEN : 0,
		.metadata_bytes = x->metadata_bytes,
		.frame_descs = x->slot_chunks,
	};

	return pw_xsk_open(&x->x, &umem, err);
}

static int xdp_socket(void *path, struct pw_err *err)
{
	const uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);
	struct xdp *x = path;
	int ret = pw_rawtx_interface(&x->x.t, err);
	uint32_t bytes;

	if (ret < 0)
		return ret;
	x->metadata_bytes = x->x.t.s.way->csum ? sizeof(struct metadata) : 0;
	bytes = x->metadata_bytes + x->x.t.frame_max;
	x->chunk_bytes = bytes <= PW_XSK_CHUNK_MIN ? PW_XSK_CHUNK_MIN : page;
	x->slot_chunks = (uint32_t)pw_div_ceil(bytes, x->chunk_bytes);
	x->x.slot_bytes = x->chunk_bytes * x->slot_chunks;
	if (x->metadata_bytes && x->slot_chunks > 1)
		return pw_err_set(err, EOPNOTSUPP,
			"cannot open %s: frame and metadata have to fit into a page; send with an "
			"--mtu of 4000 at most, or by xdp_copy",
			x->x.t.s.way->name);
	x->area = mmap(NULL, area_bytes(x), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (x->area != MAP_FAILED)
		return open_umem(x, err);
	x->area = NULL;
	return pw_err_sys(err, errno, "cannot open %s: cannot allocate a UMEM", x->x.t.s.way->name);
}

static void xdp_finish(void *path)
{
	struct xdp *x = path;

	pw_xsk_close(&x->x);
	if (x->area)
		munmap(x->area, area_bytes(x));
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

const struct pw_way pw_way_xdp_copy_csum = {
	.name = "xdp_copy_csum",
	.summary = "the same, and metadata requests the UDP checksum of the device",
	.kind = PW_WAY_FRAME,
	.csum = true,
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
