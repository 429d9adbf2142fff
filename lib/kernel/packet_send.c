/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frame way packet_send: AF_PACKET, one sendmsg() for each frame, with the header from the stack and
 * the payload from the file's page. The kernel copies both into an skb.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "kernel/rawtx.h"
#include "kernel/ways.h"

struct packet_send {
	struct pw_rawtx t;
	uint8_t *scratch; /* for symbols that cross extents: the whole symbol */
};

static bool send_frame(struct pw_rawtx *t, uint8_t *hdr, const struct pw_frame_tmpl *tmpl,
	const void *payload, size_t len)
{
	struct iovec iov[2] = {{hdr, tmpl->len}, {(void *)(uintptr_t)payload, len}};
	const struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	if (pw_rawtx_needs_csum(tmpl))
		pw_rawtx_store_csum(tmpl, hdr, payload, len);
	if (sendmsg(t->s.fd, &msg, 0) >= 0)
		return true;
	if (pw_rawtx_survives(t, errno) && errno == ENOBUFS)
		pw_sock_nap();
	return false;
}

/* The header is copied to the stack: the object's templates do not change. */
static bool send_symbol(struct packet_send *p, struct pw_symbols *walk)
{
	uint8_t hdr[PW_FRAME_HDR_MAX];
	struct pw_symbol sym;
	const uint8_t *payload;

	pw_symbols_next(walk, &sym);
	payload = sym.va;
	if (sym.split) {
		pw_symbol_copy(p->scratch, &sym);
		payload = p->scratch;
		p->t.s.c.cpu_copied_bytes += sym.len;
	}
	memcpy(hdr, sym.tmpl->bytes, sizeof(hdr));
	pw_be32_store(hdr + sym.tmpl->len - 4, sym.fec_id);
	if (pw_rawtx_needs_csum(sym.tmpl))
		p->t.s.c.cpu_read_bytes += sym.len;
	return send_frame(&p->t, hdr, sym.tmpl, payload, sym.len);
}

static uint16_t ops_send(void *path, const struct pw_tx_burst *b)
{
	struct packet_send *p = path;
	struct pw_symbols walk;
	uint16_t n = 0;

	pw_symbols_init(&walk, b, 0);
	while (n < b->n && !p->t.s.fault[0] && send_symbol(p, &walk))
		n++;
	pw_sock_account(&p->t.s, b, n);
	return n;
}

static uint16_t ops_send_copy(
	void *path, const struct pw_frame_tmpl *tmpl, const void *payload, size_t len)
{
	struct packet_send *p = path;
	uint8_t hdr[PW_FRAME_HDR_MAX];
	bool sent;

	memcpy(hdr, tmpl->bytes, sizeof(hdr));
	sent = !p->t.s.fault[0] && send_frame(&p->t, hdr, tmpl, payload, len);
	return pw_sock_account_copy(&p->t.s, sent, tmpl, len);
}

static int packet_send_init(void *path, struct pw_err *err)
{
	struct packet_send *p = path;

	p->scratch = malloc(UINT16_MAX);
	return p->scratch ? 0 : pw_err_sys(err, ENOMEM, "cannot open packet_send");
}

static void packet_send_finish(void *path)
{
	struct packet_send *p = path;

	free(p->scratch);
	pw_rawtx_finish(&p->t);
}

const struct pw_way pw_way_packet_send = {
	.name = "packet_send",
	.summary = "AF_PACKET: sendmsg() of header and page, a frame a call",
	.kind = PW_WAY_FRAME,
	.path_bytes = sizeof(struct packet_send),
	.socket = pw_rawtx_packet_socket,
	.init = packet_send_init,
	.finish = packet_send_finish,
	.packets = &(const struct pw_tx_ops){.name = "packet_send",
		.send = ops_send,
		.send_copy = ops_send_copy,
		.reap = pw_sock_reap,
		PW_RAWTX_OPS},
};
