/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP, sendmmsg(): a batch of packets a call, each by itself an skb with header and page copied in.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "kernel/udptx.h"
#include "kernel/ways.h"

struct mmsg {
	struct pw_udptx t;
	struct mmsghdr vec[PW_BURST];
	struct pw_udpmsg m[PW_BURST];
	struct iovec iov[PW_BURST][PW_UDPMSG_IOVS];
	uint8_t headers[PW_BURST][PW_ALC_HDR_MAX];
};

static uint32_t fill(struct mmsg *p, const struct pw_tx_burst *b, uint16_t from)
{
	static const struct pw_udpmsg_room room = {1, PW_UDPMSG_IOVS, UINT16_MAX};
	const uint32_t n = (uint32_t)pw_min_u64(p->t.batch, (uint64_t)(b->n - from));
	struct pw_symbols walk;
	uint32_t i;

	pw_symbols_init(&walk, b, from);
	for (i = 0; i < n; i++) {
		pw_udpmsg_fill(&p->m[i], &room, &walk, 1);
		p->vec[i].msg_hdr = p->m[i].msg;
	}
	return n;
}

/* sendmmsg() keeps an error to itself when it has sent anything before, and the socket has forgotten
 * it by then: only that it stopped short is left. When it did so though the socket has room, no sleep
 * has ended: what does not show again in the next call is a refusal of one of the packets before. */
static void suspect(struct mmsg *p)
{
	struct pollfd fd = {.fd = p->t.fd, .events = POLLOUT};

	if (poll(&fd, 1, 0) > 0 && (fd.revents & POLLOUT))
		pw_udptx_survives(&p->t, ECONNREFUSED);
}

static uint16_t ops_send(void *path, const struct pw_tx_burst *b)
{
	struct mmsg *p = path;
	uint16_t n = 0;

	while (n < b->n && !p->t.fault[0]) {
		uint32_t want = fill(p, b, n);
		int sent = sendmmsg(p->t.fd, p->vec, want, 0);

		if (sent < 0) {
			pw_udptx_survives(&p->t, errno);
			break;
		}
		n = (uint16_t)(n + sent);
		if ((uint32_t)sent < want) {
			suspect(p);
			break;
		}
	}
	pw_udptx_account(&p->t, b, n);
	return n;
}

static const struct pw_tx_ops ops = {
	.name = "udp_sendmmsg",
	.attach = pw_udptx_attach,
	.detach = pw_udptx_detach,
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
	struct mmsg *p = path;

	if (!p)
		return;
	pw_udptx_close(&p->t);
	free(p);
}

static int way_open(void **path, const struct pw_way_config *cfg, struct pw_err *err)
{
	struct mmsg *p = calloc(1, sizeof(*p));
	size_t i;
	int ret;

	*path = NULL;
	if (!p)
		return pw_err_sys(err, ENOMEM, "open udp_sendmmsg");
	ret = pw_udptx_open(&p->t, cfg, err);
	if (ret < 0) {
		way_close(p);
		return ret;
	}
	for (i = 0; i < PW_BURST; i++)
		pw_udpmsg_init(&p->m[i], p->iov[i], p->headers[i]);
	*path = p;
	return 0;
}

const struct pw_way pw_way_udp_sendmmsg = {
	.name = "udp_sendmmsg",
	.summary = "sendmmsg() of headers and pages, up to 64 packets a call",
	.kind = PW_WAY_DATAGRAM,
	.open = way_open,
	.close = way_close,
	.packets = &ops,
};
