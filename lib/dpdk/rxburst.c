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

static bool for_us(const struct pw_rxq *q, const struct pw_frame_view *f, struct pw_host_key from)
{
	static const struct pw_host_key any;

	if (!pw_host_key_equal(q->source, any) && !pw_host_key_equal(q->source, from))
		return false;
	if (q->listen.family == 0)
		return true;
	return f->dst.port == q->listen.port && pw_addr_equal_host(&f->dst, &q->listen);
}

/* Answers an ARP or NDP request for our address. The answer is dropped when the ring is full: the sender asks
 * again. It leaves by the transmit queue of the same number, which no other thread uses. */
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

/* A UDP checksum is checked here unless the port found it right, or reports that the packet never left this
 * host's memory. If the port found it bad, it is checked again, because it may be partial. */
static bool must_verify(const struct rte_mbuf *m)
{
	const uint64_t csum = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;

	return csum == RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN || csum == RTE_MBUF_F_RX_L4_CKSUM_BAD;
}

/* The i-th frame of a burst, contiguous. A frame that is longer than --mtu comes in several buffers from some
 * ports; it is copied together. */
static const uint8_t *whole(
	const struct pw_rxq *q, const struct rte_mbuf *m, uint16_t i, uint32_t *len)
{
	*len = rte_pktmbuf_data_len(m);
	if (likely(m->nb_segs == 1) || m->pkt_len > PW_RX_JOINED)
		return rte_pktmbuf_mtod(m, const uint8_t *);
	*len = m->pkt_len;
	return rte_pktmbuf_read(m, 0, m->pkt_len, q->joined + (size_t)i * PW_RX_JOINED);
}

/* A frame whose IP length exceeds both the frame and --mtu was cut on its way. */
static void count_bad(
	struct pw_rxq *q, enum pw_frame_verdict v, const struct pw_frame_view *f, uint32_t len)
{
	q->c.malformed++;
	if (v == PW_FRAME_CHECKSUM) {
		q->c.bad_checksum++;
	} else if (v == PW_FRAME_LENGTH && f->ip_len > q->mtu && f->ip_len > len - PW_ETH_LEN) {
		q->c.too_long++;
		q->c.longest = RTE_MAX(q->c.longest, f->ip_len);
	}
}

/* A checksum field with only the pseudo header's sum: the sender left the rest to a NIC that the frame has
 * not passed, as over veth, a tap or in a capture made at the sender. It protects nothing, as an IPv4
 * checksum of 0 does; the file's digest does. So such a frame is taken. */
static enum pw_frame_verdict parse(
	const uint8_t *bytes, uint32_t len, bool verify, struct pw_frame_view *frame)
{
	const enum pw_frame_verdict v = pw_frame_parse(bytes, len, verify, frame);

	return v == PW_FRAME_CHECKSUM && frame->checksum_partial ? PW_FRAME_OK : v;
}

/* A frame whose headers differ from those of the last one for us. */
static bool take_new(
	struct pw_rxq *q, const uint8_t *bytes, uint32_t len, bool verify, struct pw_rx_view *view)
{
	struct pw_frame_view frame;
	const enum pw_frame_verdict v = parse(bytes, len, verify, &frame);
	const struct pw_host_key from = pw_host_key(&frame.src);

	if (v == PW_FRAME_OK && for_us(q, &frame, from)) {
		q->c.partial_checksum += frame.checksum_partial;
		pw_frame_remember(&q->memo, bytes, len, &frame);
		view->data = frame.payload;
		view->len = frame.payload_len;
		view->from = q->from = from;
		q->c.bytes += frame.payload_len;
		return true;
	}
	if (v == PW_FRAME_OK || v == PW_FRAME_NOT_IP || v == PW_FRAME_NOT_UDP) {
		q->c.foreign++;
		answer(q, bytes, len);
	} else {
		count_bad(q, v, &frame, len);
	}
	return false;
}

/* The i-th frame of a burst. */
static bool take(struct pw_rxq *q, const struct rte_mbuf *m, uint16_t i, struct pw_rx_view *view)
{
	const bool verify = must_verify(m);
	uint32_t len;
	const uint8_t *bytes = whole(q, m, i, &len);

	view->data = pw_frame_same(&q->memo, bytes, len, verify);
	if (!view->data)
		return take_new(q, bytes, len, verify, view);
	view->len = q->memo.payload_len;
	view->from = q->from;
	q->c.bytes += view->len;
	return true;
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
		n_views = (uint16_t)(n_views + take(q, q->mbufs[i], i, &views[n_views]));
	}
	PW_PROBE3(rx_burst, q->port_id, q->n, n_views);
	q->c.packets += q->n;
	if (n_views == 0) /* the caller releases a burst only when it got views */
		pw_rxq_release(q);
	return n_views;
}
