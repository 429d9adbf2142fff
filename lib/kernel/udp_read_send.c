/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP, read() and send(): a piece of the file is read into a buffer, 64 KiB at a time and whole
 * symbols, then each packet goes by a sendmsg() of header and slice of the buffer. The kernel copies
 * twice: out of the page cache, and into the skb.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernel/udptx.h"
#include "kernel/ways.h"

#define CHUNK_DEFAULT 65536u

struct read_send {
	struct pw_udptx t;
	uint8_t *buf; /* chunk_bytes */
	uint64_t chunk_bytes;
	const struct pw_tx_object *obj; /* of whose file the buffer holds */
	uint64_t offset, len;           /* these bytes */
};

/* The buffer's bytes from offset on; len of them are there. NULL: not now, or never (a fault). */
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
			return pw_udptx_break(&p->t,
				"the file ends at %llu bytes: it was truncated while it was being "
				"sent; send it again",
				(unsigned long long)(offset + p->len));
		if (n < 0 && errno == EINTR)
			return false;
		if (n < 0)
			return pw_udptx_break(&p->t,
				"the file cannot be read at byte %llu: %s; send a copy of it",
				(unsigned long long)(offset + p->len), strerrordesc_np(errno));
		p->len += (uint64_t)n;
	}
	return true;
}

static bool send_symbol(
	struct read_send *p, const struct pw_tx_object *obj, uint64_t offset, uint32_t fec_id)
{
	const uint16_t len =
		(uint16_t)pw_min_u64(obj->blocks.symbol_len, obj->blocks.transfer_len - offset);
	const uint8_t *slice = p->obj == obj ? find(p, offset, len) : NULL;
	uint8_t header[PW_ALC_HDR_MAX];
	struct iovec iov[2] = {{.iov_base = header}, {.iov_len = len}};
	const struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	if (!slice) {
		if (!fill(p, obj, offset))
			return false;
		slice = p->buf;
	}
	iov[0].iov_len = pw_udpmsg_header(
		header, len == obj->tmpl.payload_len ? &obj->tmpl : &obj->tmpl_last, fec_id);
	iov[1].iov_base = (void *)(uintptr_t)slice;
	if (sendmsg(p->t.fd, &msg, 0) >= 0)
		return true;
	pw_udptx_survives(&p->t, errno);
	return false;
}

static uint16_t ops_send(void *path, const struct pw_tx_burst *b)
{
	const uint32_t fec_id = (uint32_t)b->sbn << 16 | b->esi;
	struct read_send *p = path;
	uint16_t n;

	for (n = 0; n < b->n && !p->t.fault[0]; n++)
		if (!send_symbol(p, b->obj, b->offset + (uint64_t)n * b->obj->blocks.symbol_len,
			    fec_id + n))
			break;
	pw_udptx_account(&p->t, b, n);
	return n;
}

static int ops_attach(void *path, struct pw_tx_object *obj, struct pw_err *err)
{
	if (pw_pages_borrowed(obj->win->pages))
		return pw_err_set(err, EINVAL,
			"send by udp_read_send: it reads the file itself, which is staged; use "
			"--pages pagecache");
	return pw_udptx_attach(path, obj, err);
}

/* The next object may have the same address. */
static int ops_detach(void *path, struct pw_tx_object *obj)
{
	struct read_send *p = path;

	if (p->obj == obj)
		p->obj = NULL;
	return 0;
}

static const struct pw_tx_ops ops = {
	.name = "udp_read_send",
	.attach = ops_attach,
	.detach = ops_detach,
	.send = ops_send,
	.send_copy = pw_udptx_send_copy,
	.reap = pw_udptx_reap,
	.alive = pw_udptx_alive,
	.fault = pw_udptx_fault,
	.outstanding = pw_udptx_outstanding,
	.counters = pw_udptx_counters,
};

static void way_close(void *path)
{
	struct read_send *p = path;

	if (!p)
		return;
	pw_udptx_close(&p->t);
	free(p->buf);
	free(p);
}

static int way_open(void **path, const struct pw_way_config *cfg, struct pw_err *err)
{
	struct read_send *p = calloc(1, sizeof(*p));
	int ret;

	*path = NULL;
	if (!p)
		return pw_err_sys(err, ENOMEM, "open udp_read_send");
	ret = pw_udptx_open(&p->t, cfg, err);
	if (ret == 0) {
		/* room for any symbol */
		p->chunk_bytes =
			pw_max_u64(cfg->chunk_bytes ? cfg->chunk_bytes : CHUNK_DEFAULT, UINT16_MAX);
		p->buf = malloc(p->chunk_bytes);
		if (!p->buf)
			ret = pw_err_sys(err, ENOMEM, "open udp_read_send");
	}
	if (ret < 0)
		way_close(p);
	else
		*path = p;
	return ret;
}

const struct pw_way pw_way_udp_read_send = {
	.name = "udp_read_send",
	.summary = "read() of 64 KiB, then a sendmsg() of header and slice a packet",
	.kind = PW_WAY_DATAGRAM,
	.open = way_open,
	.close = way_close,
	.packets = &ops,
};
