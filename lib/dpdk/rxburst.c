/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receiver's poll: mbufs in, views of their UDP payload out.
 *
 *   rte_eth_rx_burst() -> parse Eth/IP/UDP -> ours? -> view          (release: mbufs back)
 *                                          -> ARP/NDP for us: answer
 *
 * One thread a queue. Frames are hostile: pw_frame_parse() bounds every length. No system call, no log.
 */
#include "dpdk/rxburst.h"

#include <rte_ethdev.h>
#include <rte_prefetch.h>

#include "base/probe.h"
#include "wire/neigh.h"

static bool for_us(const struct pw_rxq *q, const struct pw_addr *dst)
{
	if (q->listen.family == 0)
		return true;
	return dst->port == q->listen.port && pw_addr_equal_host(dst, &q->listen);
}

/* Somebody asks who has our address. One answer, dropped when the ring is full: he asks again. It goes by
 * the transmit queue of this number, which nobody else uses. */
static void answer(struct pw_rxq *q, const uint8_t *frame, size_t len)
{
	uint8_t reply[PW_NEIGH_FRAME_MAX];
	struct rte_mbuf *m;
	size_t reply_len;

	if (q->listen.family == 0 ||
		!pw_neigh_answer(frame, len, &q->listen, q->mac, reply, &reply_len))
		return;
	m = rte_pktmbuf_alloc(q->pool);
	if (!m)
		return;
	memcpy(rte_pktmbuf_append(m, (uint16_t)reply_len), reply, reply_len);
	if (rte_eth_tx_burst(q->port_id, q->queue_id, &m, 1) == 0)
		rte_pktmbuf_free(m);
}

/* A UDP checksum is checked here only where the port has not done it. */
static bool must_verify(const struct rte_mbuf *m)
{
	return (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN;
}

static bool take(struct pw_rxq *q, struct rte_mbuf *m, struct pw_rx_view *view)
{
	struct pw_frame_view frame;
	enum pw_frame_verdict v;
	const uint8_t *bytes;
	uint16_t len;

	if ((m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_BAD ||
		(m->nb_segs > 1 && rte_pktmbuf_linearize(m))) {
		q->c.malformed++;
		return false;
	}
	bytes = rte_pktmbuf_mtod(m, const uint8_t *);
	len = rte_pktmbuf_data_len(m);
	view->data = pw_frame_same(&q->memo, bytes, len, must_verify(m));
	if (view->data) {
		view->len = q->memo.payload_len;
		view->from = q->from;
		q->c.bytes += view->len;
		return true;
	}
	v = pw_frame_parse(bytes, len, must_verify(m), &frame);
	if (v == PW_FRAME_OK && for_us(q, &frame.dst)) {
		pw_frame_remember(&q->memo, bytes, len, &frame);
		view->data = frame.payload;
		view->len = frame.payload_len;
		view->from = q->from = pw_host_key(&frame.src);
		q->c.bytes += frame.payload_len;
		return true;
	}
	if (v == PW_FRAME_OK || v == PW_FRAME_NOT_IP || v == PW_FRAME_NOT_UDP) {
		q->c.foreign++;
		answer(q, bytes, len);
	} else {
		q->c.malformed++;
	}
	return false;
}

void pw_rxq_release(struct pw_rxq *q)
{
	if (q->n)
		rte_pktmbuf_free_bulk(q->mbufs, q->n);
	q->n = 0;
}

int pw_rxq_burst(struct pw_rxq *q, struct pw_rx_view *views, uint16_t n)
{
	uint16_t i, n_views = 0;

	q->n = rte_eth_rx_burst(q->port_id, q->queue_id, q->mbufs, n);
	for (i = 0; i < q->n && i < 4; i++)
		rte_prefetch0(rte_pktmbuf_mtod(q->mbufs[i], const void *));
	for (i = 0; i < q->n; i++) {
		if (i + 4 < q->n)
			rte_prefetch0(rte_pktmbuf_mtod(q->mbufs[i + 4], const void *));
		n_views = (uint16_t)(n_views + take(q, q->mbufs[i], &views[n_views]));
	}
	PW_PROBE3(rx_burst, q->port_id, q->n, n_views);
	q->c.packets += q->n;
	if (n_views == 0)
		pw_rxq_release(q); /* nobody sees it, so nobody will */
	return n_views;
}
