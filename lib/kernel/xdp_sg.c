/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frame ways xdp_sg and xdp_sg_zerocopy: AF_XDP with frames in pieces (XDP_USE_SG, Linux 6.6). The UMEM
 * has headers and the file's own pages, so that this program copies no byte of the file:
 *
 *   UMEM    | header 0 | header 1 | ... | control packet | the file's pages ... |
 *              |                                             |        |
 *   frame   desc, XDP_PKT_CONTD   ------------------------>  desc, XDP_PKT_CONTD ... desc
 *
 * In copy mode the kernel copies each following descriptor into a page of its own (xsk_build_skb), except for
 * drivers that take an skb without a linear part: there the skb refers to the UMEM's pages. In zero-copy mode
 * the driver reads the UMEM.
 *
 * Chunks are unaligned: a descriptor begins anywhere, and has a page at most. In zero-copy mode it may not
 * cross from one page of the file to the next, which need not be adjacent for the device.
 */
#include <errno.h>

#include "base/bytes.h"
#include "kernel/beside.h"
#include "kernel/ways.h"
#include "kernel/xsk.h"

#define CHUNK   4096u
#define HEADERS (PW_RAWTX_SLOTS * PW_FRAME_HDR_MAX) /* where the control packet is */

struct xdp_sg {
	struct pw_xsk x;
	struct pw_beside b;
};

/* Describes bytes of the UMEM, the last ones of a frame. Returns the number of descriptors. */
static uint16_t put_range(struct xdp_sg *x, uint64_t at, uint64_t len, uint16_t slot)
{
	const uint64_t file = x->b.room_bytes, page = x->b.page_bytes;
	uint64_t part;
	uint16_t n = 0;

	for (; len; at += part, len -= part, n++) {
		part = pw_min_u64(len, CHUNK);
		part = pw_min_u64(part, at < file ? CHUNK - at % CHUNK : page - (at - file) % page);
		pw_xsk_put(&x->x, pw_xsk_addr(at, slot), (uint32_t)part,
			part < len ? XDP_PKT_CONTD : 0);
	}
	return n;
}

static void put_symbol(struct xdp_sg *x, struct pw_symbols *walk)
{
	const uint64_t offset = walk->offset;
	const uint16_t slot = pw_xsk_top(&x->x);
	const uint64_t at = (uint64_t)slot * PW_FRAME_HDR_MAX;
	uint8_t *hdr = x->b.area + at;
	struct pw_symbol sym;
	uint16_t n;

	pw_symbols_next(walk, &sym);
	memcpy(hdr, sym.tmpl->bytes, sym.tmpl->len);
	pw_be32_store(hdr + sym.tmpl->len - 4, sym.fec_id);
	if (pw_rawtx_needs_csum(sym.tmpl)) {
		pw_rawtx_store_csum(sym.tmpl, hdr, pw_beside_file(&x->b) + offset, sym.len);
		x->x.t.s.c.cpu_read_bytes += sym.len;
	}
	pw_xsk_put(&x->x, pw_xsk_addr(at, slot), sym.tmpl->len, XDP_PKT_CONTD);
	n = put_range(x, x->b.room_bytes + offset, sym.len, slot);
	pw_xsk_take(&x->x, (uint16_t)(n + 1), walk->b->obj->win);
	pw_xsk_submit(&x->x);
}

static uint16_t sg_put(void *path, struct pw_symbols *walk, uint16_t n)
{
	struct xdp_sg *x = path;
	uint16_t i;

	n = pw_xsk_room(&x->x, n);
	for (i = 0; i < n; i++)
		put_symbol(x, walk);
	return n;
}

/* Control packets are rare: they share one slot. */
static bool sg_put_copy(
	void *path, const struct pw_frame_tmpl *tmpl, const void *payload, size_t len)
{
	struct xdp_sg *x = path;
	uint32_t bytes;

	pw_xsk_collect(&x->x);
	if (x->x.left[PW_XSK_COPY_SLOT])
		return false;
	bytes = pw_rawtx_fill_copy(tmpl, payload, len, x->b.area + HEADERS);
	x->x.left[PW_XSK_COPY_SLOT] = put_range(x, HEADERS, bytes, PW_XSK_COPY_SLOT);
	pw_xsk_submit(&x->x);
	return true;
}

static const struct pw_rawtx_slots slots = {
	.put = sg_put,
	.put_copy = sg_put_copy,
	PW_XSK_SLOT_OPS,
};

static uint16_t sg_send(void *path, const struct pw_tx_burst *b)
{
	return pw_rawtx_send_slots(path, &slots, b);
}

static uint16_t sg_send_copy(
	void *path, const struct pw_frame_tmpl *tmpl, const void *payload, size_t len)
{
	return pw_rawtx_send_copy(path, &slots, tmpl, payload, len);
}

static int sg_attach(void *path, struct pw_tx_object *obj, struct pw_err *err)
{
	struct xdp_sg *x = path;
	int ret = pw_beside_check(&x->b, obj->win, x->x.t.s.way->name, err);

	return ret < 0 ? ret : pw_rawtx_attach(path, obj, err);
}

static int sg_detach(void *path, struct pw_tx_object *obj)
{
	if (obj->win->n_out)
		pw_xsk_reap(path);
	return obj->win->n_out ? -EBUSY : 0;
}

static uint32_t sg_outstanding(void *path)
{
	return ((struct pw_xsk *)path)->n_out;
}

static int sg_socket(void *path, struct pw_err *err)
{
	struct xdp_sg *x = path;
	struct pw_rawtx *t = &x->x.t;
	struct pw_xsk_umem umem = {
		.chunk_bytes = CHUNK,
		.flags = XDP_UMEM_UNALIGNED_CHUNK_FLAG,
	};
	int ret = pw_rawtx_interface(t, err);

	if (ret < 0)
		return ret;
	ret = pw_beside_map(&x->b, t->s.cfg.win, pw_align_up(HEADERS + t->frame_max, CHUNK),
		t->s.way->name, err);
	if (ret < 0)
		return ret;
	umem.area = x->b.area;
	umem.bytes = x->b.bytes;
	/* A header, and a range that begins and ends inside a page */
	umem.frame_descs = 1 + (uint32_t)pw_div_ceil(t->frame_max, CHUNK) + 1;
	return pw_xsk_open(&x->x, &umem, err);
}

static void sg_finish(void *path)
{
	struct xdp_sg *x = path;

	pw_xsk_close(&x->x);
	pw_beside_unmap(&x->b);
}

static const struct pw_tx_ops ops = {
	.name = "xdp_sg",
	.attach = sg_attach,
	.detach = sg_detach,
	.send = sg_send,
	.send_copy = sg_send_copy,
	.reap = pw_xsk_reap,
	.outstanding = sg_outstanding,
	.alive = pw_rawtx_alive,
	.fault = pw_sock_fault,
	.counters = pw_sock_counters,
};

const struct pw_way pw_way_xdp_sg = {
	.name = "xdp_sg",
	.summary = "AF_XDP copy mode: header and the file's pages in the UMEM, sendto() a batch",
	.kind = PW_WAY_FRAME,
	.maps_file = true,
	.path_bytes = sizeof(struct xdp_sg),
	.socket = sg_socket,
	.finish = sg_finish,
	.packets = &ops,
};

const struct pw_way pw_way_xdp_sg_zerocopy = {
	.name = "xdp_sg_zerocopy",
	.summary = "AF_XDP zero-copy: the NIC reads header and the file's pages from the UMEM",
	.kind = PW_WAY_FRAME,
	.zerocopy = true,
	.maps_file = true,
	.path_bytes = sizeof(struct xdp_sg),
	.socket = sg_socket,
	.finish = sg_finish,
	.packets = &ops,
};
