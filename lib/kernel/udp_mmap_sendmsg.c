/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP, one sendmsg() a packet: the header from here, the payload from the file's page. The kernel
 * copies both into an skb.
 */
#include <errno.h>
#include <stdlib.h>

#include "kernel/udptx.h"
#include "kernel/ways.h"

struct mmap_sendmsg {
	struct pw_udptx t;
	struct pw_udpmsg m;
	struct iovec iov[PW_UDPMSG_IOVS];
	uint8_t header[PW_ALC_HDR_MAX];
};

static uint16_t ops_send(void *path, const struct pw_tx_burst *b)
{
	static const struct pw_udpmsg_room room = {1, PW_UDPMSG_IOVS, UINT16_MAX};
	struct mmap_sendmsg *p = path;

	return pw_udptx_send_msgs(&p->t, &p->m, &room, b);
}

static const struct pw_tx_ops ops = {
	.name = "udp_mmap_sendmsg",
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
	struct mmap_sendmsg *p = path;

	if (!p)
		return;
	pw_udptx_close(&p->t);
	free(p);
}

static int way_open(void **path, const struct pw_way_config *cfg, struct pw_err *err)
{
	struct mmap_sendmsg *p = calloc(1, sizeof(*p));
	int ret;

	*path = NULL;
	if (!p)
		return pw_err_sys(err, ENOMEM, "open udp_mmap_sendmsg");
	ret = pw_udptx_open(&p->t, cfg, err);
	if (ret < 0) {
		way_close(p);
		return ret;
	}
	pw_udpmsg_init(&p->m, p->iov, p->header);
	*path = p;
	return 0;
}

const struct pw_way pw_way_udp_mmap_sendmsg = {
	.name = "udp_mmap_sendmsg",
	.summary = "sendmsg() of header and page, a packet a call",
	.kind = PW_WAY_DATAGRAM,
	.open = way_open,
	.close = way_close,
	.packets = &ops,
};
