/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP with UDP_SEGMENT: one sendmsg() takes headers and pages of many packets. The kernel copies
 * them into one long skb, which goes down the stack once and is cut at its end, by the device where
 * that can.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "kernel/udptx.h"
#include "kernel/ways.h"

/* UDP_MAX_SEGMENTS is 64, or 128 in younger kernels. */
static_assert(PW_BURST <= 64, "a burst is a train");

#define IOVS_MAX 1024 /* UIO_MAXIOV */

struct gso {
	struct pw_udptx t;
	struct pw_udpmsg m;
	struct pw_udpmsg_room room;
	struct iovec iov[IOVS_MAX];
	uint8_t headers[PW_BURST * PW_ALC_HDR_MAX];
};

static uint16_t ops_send(void *path, const struct pw_tx_burst *b)
{
	struct gso *g = path;

	return pw_udptx_send_msgs(&g->t, &g->m, &g->room, b);
}

static const struct pw_tx_ops ops = {
	.name = "udp_gso",
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
	struct gso *g = path;

	if (!g)
		return;
	pw_udptx_close(&g->t);
	free(g);
}

static int way_open(void **path, const struct pw_way_config *cfg, struct pw_err *err)
{
	struct gso *g = calloc(1, sizeof(*g));
	int ret;

	*path = NULL;
	if (!g)
		return pw_err_sys(err, ENOMEM, "open udp_gso");
	ret = pw_udptx_open(&g->t, cfg, err);
	if (ret == 0)
		ret = pw_udptx_need_gso(&g->t, err);
	if (ret < 0) {
		way_close(g);
		return ret;
	}
	pw_udpmsg_init(&g->m, g->iov, g->headers);
	g->room = (struct pw_udpmsg_room){(uint16_t)g->t.batch, IOVS_MAX, UINT16_MAX};
	*path = g;
	return 0;
}

const struct pw_way pw_way_udp_gso = {
	.name = "udp_gso",
	.summary = "sendmsg() with UDP_SEGMENT of headers and pages, up to 64 packets or 64 KiB a "
		   "call",
	.kind = PW_WAY_DATAGRAM,
	.open = way_open,
	.close = way_close,
	.packets = &ops,
};
