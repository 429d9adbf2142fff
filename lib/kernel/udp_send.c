/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The datagram ways that send from the file's pages with one copy, into an skb:
 *
 *   udp_mmap_sendmsg   one sendmsg() for each packet
 *   udp_gso            one sendmsg() for a train of packets (UDP_SEGMENT): a single long skb goes down
 *                      the stack, and is cut at its end, by the device where it can
 *   udp_sendmmsg       one sendmmsg() for a batch of packets, an skb each
 *
 * udp_mmap_sendmsg is udp_gso with trains of one packet.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>

#include "base/bytes.h"
#include "kernel/udptx.h"
#include "kernel/ways.h"

/* UDP_MAX_SEGMENTS is 64, or 128 in newer kernels. */
static_assert(PW_BURST <= 64, "a burst is a train");

#define IOVS_MAX 1024 /* UIO_MAXIOV */

struct sendmsg {
	struct pw_udptx t;
	struct pw_udpmsg m;
	struct pw_udpmsg_room room;
	struct iovec iov[IOVS_MAX];
	uint8_t headers[PW_BURST * PW_ALC_HDR_MAX];
};

static uint16_t sendmsg_send(void *path, const struct pw_tx_burst *b)
{
	struct sendmsg *p = path;
	struct pw_symbols walk;
	uint16_t n = 0;

	pw_symbols_init(&walk, b, 0);
	while (n < b->n && !p->t.s.fault[0]) {
		pw_udpmsg_fill(&p->m, &p->room, &walk, (uint16_t)(b->n - n));
		/* The kernel sends a message whole or not at all. */
		if (sendmsg(p->t.s.fd, &p->m.msg, 0) < 0) {
			pw_udptx_survives(&p->t, errno);
			break;
		}
		n = (uint16_t)(n + p->m.n);
		/* The caller offers the rest again, with more behind it, so that trains stay long. */
		if (b->n - n < p->m.n)
			break;
	}
	pw_sock_account(&p->t.s, b, n);
	return n;
}

static int sendmsg_init(void *path, struct pw_err *err)
{
	struct sendmsg *p = path;

	(void)err;
	pw_udpmsg_init(&p->m, p->iov, p->headers);
	p->room = (struct pw_udpmsg_room){
		.datagrams = p->t.s.way->gso ? (uint16_t)p->t.s.cfg.batch : 1,
		.iovs = IOVS_MAX,
		.pieces = UINT16_MAX,
	};
	return 0;
}

static const struct pw_tx_ops sendmsg_ops = {
	.name = "udp_sendmsg",
	.send = sendmsg_send,
	.send_copy = pw_udptx_send_copy,
	PW_UDPTX_OPS,
	PW_SOCK_COPY_OPS,
};

const struct pw_way pw_way_udp_mmap_sendmsg = {
	.name = "udp_mmap_sendmsg",
	.summary = "sendmsg() of header and page, a packet a call",
	.kind = PW_WAY_DATAGRAM,
	.path_bytes = sizeof(struct sendmsg),
	.socket = pw_udptx_socket,
	.init = sendmsg_init,
	.packets = &sendmsg_ops,
};

const struct pw_way pw_way_udp_gso = {
	.name = "udp_gso",
	.summary = "sendmsg() with UDP_SEGMENT of headers and pages, up to 64 packets or 64 KiB a "
		   "call",
	.kind = PW_WAY_DATAGRAM,
	.gso = true,
	.path_bytes = sizeof(struct sendmsg),
	.socket = pw_udptx_socket,
	.init = sendmsg_init,
	.packets = &sendmsg_ops,
};

struct mmsg {
	struct pw_udptx t;
	struct mmsghdr vec[PW_BURST];
	struct pw_udpmsg m[PW_BURST];
	struct iovec iov[PW_BURST][PW_UDPMSG_IOVS];
	uint8_t headers[PW_BURST][PW_ALC_HDR_MAX];
};

static uint32_t mmsg_fill(struct mmsg *p, const struct pw_tx_burst *b, uint16_t from)
{
	static const struct pw_udpmsg_room room = {1, PW_UDPMSG_IOVS, UINT16_MAX};
	const uint32_t n = (uint32_t)pw_min_u64(p->t.s.cfg.batch, (uint64_t)(b->n - from));
	struct pw_symbols walk;
	uint32_t i;

	pw_symbols_init(&walk, b, from);
	for (i = 0; i < n; i++) {
		pw_udpmsg_fill(&p->m[i], &room, &walk, 1);
		p->vec[i].msg_hdr = p->m[i].msg;
	}
	return n;
}

/* After sendmmsg() has sent fewer packets than requested. It does not return the error then, and the
 * socket has already cleared it. When the socket has room, the call did not stop because its sleep
 * ended. Another error comes again with the next call; one that does not is the refusal of an earlier
 * packet, so note a refusal here. */
static void suspect_refusal(struct mmsg *p)
{
	struct pollfd fd = {.fd = p->t.s.fd, .events = POLLOUT};

	if (poll(&fd, 1, 0) > 0 && (fd.revents & POLLOUT))
		pw_udptx_survives(&p->t, ECONNREFUSED);
}

static uint16_t mmsg_send(void *path, const struct pw_tx_burst *b)
{
	struct mmsg *p = path;
	uint16_t n = 0;

	while (n < b->n && !p->t.s.fault[0]) {
		uint32_t want = mmsg_fill(p, b, n);
		int sent = sendmmsg(p->t.s.fd, p->vec, want, 0);

		if (sent < 0) {
			pw_udptx_survives(&p->t, errno);
			break;
		}
		n = (uint16_t)(n + sent);
		if ((uint32_t)sent < want) {
			suspect_refusal(p);
			break;
		}
	}
	pw_sock_account(&p->t.s, b, n);
	return n;
}

static int mmsg_init(void *path, struct pw_err *err)
{
	struct mmsg *p = path;
	size_t i;

	(void)err;
	for (i = 0; i < PW_BURST; i++)
		pw_udpmsg_init(&p->m[i], p->iov[i], p->headers[i]);
	return 0;
}

const struct pw_way pw_way_udp_sendmmsg = {
	.name = "udp_sendmmsg",
	.summary = "sendmmsg() of headers and pages, up to 64 packets a call",
	.kind = PW_WAY_DATAGRAM,
	.path_bytes = sizeof(struct mmsg),
	.socket = pw_udptx_socket,
	.init = mmsg_init,
	.packets = &(const struct pw_tx_ops){.name = "udp_sendmmsg",
		.send = mmsg_send,
		.send_copy = pw_udptx_send_copy,
		PW_UDPTX_OPS,
		PW_SOCK_COPY_OPS},
};
