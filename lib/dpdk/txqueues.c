/* SPDX-License-Identifier: BSD-3-Clause */
/* The transmitter's queues: their sums, packets that are dropped at the end, and the threads that drive them. */
#include <string.h>

#include "base/bytes.h"
#include "dpdk/tx_private.h"

void *pw_dpdk_tx_queue(struct pw_dpdk_tx *tx, uint16_t i)
{
	return i ? &tx->more[i - 1] : &tx->q;
}

uint16_t pw_dpdk_tx_n_queues(const struct pw_dpdk_tx *tx)
{
	return tx->port.n_queues;
}

/* Each word is read at once; all are of one moment only while no thread sends. */
void pw_dpdk_tx_sum(struct pw_dpdk_tx *tx, struct pw_tx_counters *sum)
{
	uint16_t i;

	static_assert(sizeof(*sum) % sizeof(uint64_t) == 0, "counters are words");
	memset(sum, 0, sizeof(*sum));
	for (i = 0; i < tx->port.n_queues; i++) {
		const struct pw_txq *q = pw_dpdk_tx_queue(tx, i);

		pw_words_add(
			(uint64_t *)sum, (const uint64_t *)&q->c, sizeof(*sum) / sizeof(uint64_t));
	}
}

void pw_txq_drop_pending(struct pw_txq *q)
{
	while (q->n_pending) {
		struct rte_mbuf *m = q->pending[q->first_pending++];
		const uint32_t payload = m->pkt_len - q->pending_hdr_len;

		q->c.packets--;
		q->c.wire_bytes -= m->pkt_len;
		q->c.payload_bytes -= payload;
		q->c.cpu_copied_bytes -= m->pool == q->copy_pool ? payload : 0;
		q->c.cpu_read_bytes -= q->sw_csum ? payload : 0;
		q->c.split_packets -= m->nb_segs > (m->pool == q->hdr_pool ? 2 : 1);
		if (q->pending_hdr_len == 0 && m->pool == q->hdr_pool) /* an edited frame */
			q->c.header_bytes -= m->data_len;
		rte_pktmbuf_free(m);
		q->n_pending--;
	}
}

void pw_txqueues_enter(void *path)
{
	const struct pw_txq *q = path;

	pw_lcores_enter(&q->dev->lcores, (uint16_t)(q->dev->first_lcore + q->queue_id));
}

void pw_txqueues_leave(void *path)
{
	const struct pw_txq *q = path;

	pw_lcores_leave(&q->dev->lcores, (uint16_t)(q->dev->first_lcore + q->queue_id));
}
