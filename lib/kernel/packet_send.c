/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AF_PACKET, one sendmsg() a frame: the header from this stack, the payload from the file's page.
 * The kernel copies both into an skb.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "kernel/rawtx.h"
#include "kernel/ways.h"

struct packet_send {
	struct pw_rawtx t;
	uint8_t *scratch; /* symbols that cross runs, whole */
};

static bool send_frame(struct pw_rawtx *t, uint8_t *hdr, const struct pw_frame_tmpl *tmpl,
	const void *payload, size_t len)
{
	struct iovec iov[2] = {{hdr, tmpl->len}, {(void *)(uintptr_t)payload, len}};
	const struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	if (pw_rawtx_needs_csum(tmpl))
		pw_be16_store(hdr + tmpl->alc_off - 2, pw_frame_udp_csum(tmpl, hdr, payload, len));
	if (sendmsg(t->fd, &msg, 0) >= 0)
		return true;
	if (pw_rawtx_survives(t, errno) && errno == ENOBUFS)
		pw_rawtx_nap();
	return false;
}

/* Headers live on the stack: the object's templates stay as they are. */
static bool send_symbol(struct packet_send *p, const struct pw_symbol *sym)
{
	uint8_t hdr[PW_FRAME_HDR_MAX];
	const uint8_t *payload = sym->va;

	if (sym->split) {
		pw_symbol_copy(p->scratch, sym);
		payload = p->scratch;
		p->t.c.cpu_copied_bytes += sym->len;
	}
	memcpy(hdr, sym->tmpl->bytes, sizeof(hdr));
	pw_be32_store(hdr + sym->tmpl->len - 4, sym->fec_id);
	if (pw_rawtx_needs_csum(sym->tmpl))
		p->t.c.cpu_read_bytes += sym->len;
	return send_frame(&p->t, hdr, sym->tmpl, payload, sym->len);
}

static uint16_t ops_send(void *path, const struct pw_tx_burst *b)
{
	struct packet_send *p = path;
	struct pw_symbols walk;
	struct pw_symbol sym;
	uint16_t n;

	pw_symbols_init(&walk, b, 0);
	for (n = 0; n < b->n && !p->t.fault[0]; n++) {
		pw_symbols_next(&walk, &sym);
		if (!send_symbol(p, &sym))
			break;
	}
	pw_rawtx_account(&p->t, b, n);
	return n;
}

static uint16_t ops_send_copy(
	void *path, const struct pw_frame_tmpl *tmpl, const void *payload, size_t len)
{
	struct packet_send *p = path;
	uint8_t hdr[PW_FRAME_HDR_MAX];

	memcpy(hdr, tmpl->bytes, sizeof(hdr));
	if (p->t.fault[0] || !send_frame(&p->t, hdr, tmpl, payload, len)) {
		p->t.c.full_polls++;
		return 0;
	}
	pw_rawtx_account_copy(&p->t, tmpl, len);
	return 1;
}

static void ops_reap(void *path)
{
	(void)path;
}

static const struct pw_tx_ops ops = {
	.name = "packet_send",
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

static void way_close(void *path)
{
	struct packet_send *p = path;

	if (!p)
		return;
	pw_rawtx_finish(&p->t);
	free(p->scratch);
	free(p);
}

static int way_open(void **path, const struct pw_way_config *cfg, struct pw_err *err)
{
	struct packet_send *p = calloc(1, sizeof(*p));
	int ret;

	*path = NULL;
	if (!p)
		return pw_err_sys(err, ENOMEM, "open packet_send");
	ret = pw_rawtx_init(&p->t, cfg, err);
	if (ret == 0)
		ret = pw_rawtx_packet_socket(&p->t, cfg, err);
	if (ret == 0) {
		p->scratch = malloc(UINT16_MAX);
		if (!p->scratch)
			ret = pw_err_sys(err, ENOMEM, "open packet_send");
	}
	if (ret < 0)
		way_close(p);
	else
		*path = p;
	return ret;
}

const struct pw_way pw_way_packet_send = {
	.name = "packet_send",
	.summary = "AF_PACKET: sendmsg() of header and page, a frame a call",
	.kind = PW_WAY_FRAME,
	.open = way_open,
	.close = way_close,
	.packets = &ops,
};
