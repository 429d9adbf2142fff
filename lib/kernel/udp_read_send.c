/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The datagram way udp_read_send: reads the file into a buffer, 64 KiB of whole symbols at a time, and
 * sends each packet with a sendmsg() of header and slice of the buffer. The kernel copies twice: out of
 * the page cache, and into the skb.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"

#include "kernel/udptx.h"
#include "kernel/ways.h"

#define CHUNK_DEFAULT 65536u

struct read_send {
	struct pw_udptx t;
	uint8_t *buf; /* chunk_bytes */
	uint64_t chunk_bytes;
	/* The buffer has len bytes of this object's file, from offset on. */
	const struct pw_tx_object *obj;
	uint64_t offset, len;
};

/* Returns where the buffer has len bytes from offset on; NULL: it does not have them. */
static const uint8_t *find(struct read_send *p, uint64_t offset, uint32_t len)
{
	if (offset < p->offset || offset + len > p->offset + p->len)
		return NULL;
	return p->buf + (offset - p->offset);
}

static bool fill(struct read_send *p, const struct pw_tx_object *obj, uint64_t offset)
{
	const uint32_t symbol = obj->blocks.symbol_len;
	const uint64_t want =
		pw_min_u64(obj->blocks.transfer_len - offset, p->chunk_bytes / symbol * symbol);
	ssize_t n;

	p->obj = obj;
	p->offset = offset;
	p->len = 0;
	while (p->len < want) {
		n = pread(obj->win->fd, p->buf + p->len, want - p->len, (off_t)(offset + p->len));
		if (n == 0)
			return pw_sock_break(&p->t.s,
				"the file ends at %llu bytes: it was truncated while it was being "
				"sent; send it again",
				(unsigned long long)(offset + p->len));
		if (n < 0 && errno == EINTR)
			return false;
		if (n < 0)
			return pw_sock_break(&p->t.s,
				"the file cannot be read at byte %llu: %s; send a copy of it",
				(unsigned long long)(offset + p->len), strerrordesc_np(errno));
		p->len += (uint64_t)n;
	}
	return true;
}

static bool send_symbol(struct read_send *p, struct pw_symbols *walk)
{
	const struct pw_tx_object *obj = walk->b->obj;
	const uint64_t offset = walk->offset;
	uint8_t header[PW_ALC_HDR_MAX];
	struct iovec iov[2] = {{.iov_base = header}};
	const struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	const uint8_t *slice;
	struct pw_symbol sym;

	pw_symbols_next(walk, &sym);
	slice = p->obj == obj ? find(p, offset, sym.len) : NULL;
	if (!slice) {
		if (!fill(p, obj, offset))
			return false;
		slice = p->buf;
	}
	iov[0].iov_len = pw_udpmsg_header(header, sym.tmpl, sym.fec_id);
	iov[1] = (struct iovec){(void *)(uintptr_t)slice, sym.len};
	if (sendmsg(p->t.s.fd, &msg, 0) >= 0)
		return true;
	pw_udptx_survives(&p->t, errno);
	return false;
}

static uint16_t ops_send(void *path, const struct pw_tx_burst *b)
{
	struct read_send *p = path;
	struct pw_symbols walk;
	uint16_t n = 0;

	pw_symbols_init(&walk, b, 0);
	while (n < b->n && !p->t.s.fault[0] && send_symbol(p, &walk))
		n++;
	pw_sock_account(&p->t.s, b, n);
	return n;
}

static int ops_attach(void *path, struct pw_tx_object *obj, struct pw_err *err)
{
	if (pw_pages_borrowed(obj->win->pages))
		return pw_err_set(err, EINVAL,
			"cannot send by udp_read_send: it reads the file itself, and the pages are "
			"staged; use --pages pagecache");
	return pw_udptx_attach(path, obj, err);
}

/* The next object may have the same address: forget this one. */
static int ops_detach(void *path, struct pw_tx_object *obj)
{
	struct read_send *p = path;

	if (p->obj == obj)
		p->obj = NULL;
	return 0;
}

static int read_send_init(void *path, struct pw_err *err)
{
	struct read_send *p = path;
	const uint32_t asked = p->t.s.cfg.chunk_bytes;

	/* at least one symbol of any length */
	p->chunk_bytes = pw_max_u64(asked ? asked : CHUNK_DEFAULT, UINT16_MAX);
	p->buf = malloc(p->chunk_bytes);
	return p->buf ? 0 : pw_err_sys(err, ENOMEM, "cannot open udp_read_send");
}

static void read_send_finish(void *path)
{
	free(((struct read_send *)path)->buf);
}

const struct pw_way pw_way_udp_read_send = {
	.name = "udp_read_send",
	.summary = "read() of 64 KiB, then a sendmsg() of header and slice a packet",
	.kind = PW_WAY_DATAGRAM,
	.path_bytes = sizeof(struct read_send),
	.socket = pw_udptx_socket,
	.init = read_send_init,
	.finish = read_send_finish,
	.packets = &(const struct pw_tx_ops){.name = "udp_read_send",
		.attach = ops_attach,
		.detach = ops_detach,
		.send = ops_send,
		.send_copy = pw_udptx_send_copy,
		.reap = pw_sock_reap,
		.alive = pw_sock_alive,
		.fault = pw_sock_fault,
		.outstanding = pw_sock_outstanding,
		.counters = pw_sock_counters},
};
