/* SPDX-License-Identifier: BSD-3-Clause */
/* The transmitter's life: open (pools, queues, start, link), its ops, close. */
#include "dpdk/tx.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "dpdk/hwrate.h"
#include "dpdk/tx_private.h"
#include "host/pci.h"

#define COPY_MBUFS  1024        /* FDT packets in flight, on ports that send the rest as chains */
#define XDP_MBUFS   8192        /* af_xdp: its UMEM, for both rings and the packets between */
#define STAGE_ALIGN 4096        /* O_DIRECT */
#define MEMIF_ROOM  (2048 + 64) /* more than a slot of the rings that portspec.c asks for */

/* Where VFIO maps lie: above EAL's own base (4 GiB), below the 39 bits of small IOMMUs. */
#define DMA_VA_HINT ((void *)(1ull << 38))

static struct rte_mempool *pool(
	const struct pw_dpdk_tx *tx, const char *name, uint32_t n, uint16_t priv, uint32_t room)
{
	return pw_port_pool(&tx->port, name, n, PW_DPDK_MBUF_CACHE, priv, (uint16_t)room, NULL);
}

static const char *queue_name(
	const struct pw_txq *q, const char *name, char text[RTE_MEMPOOL_NAMESIZE])
{
	const char *second = q->dev->port.index ? "_b" : "";

	if (q->queue_id)
		snprintf(text, RTE_MEMPOOL_NAMESIZE, "%s%u%s", name, q->queue_id, second);
	else
		snprintf(text, RTE_MEMPOOL_NAMESIZE, "%s%s", name, second);
	return text;
}

static int no_pool_error(struct pw_err *err)
{
	return pw_err_set(err, rte_errno,
		"cannot make mbuf pools: %s; raise --memory or reserve hugepages (pagewire doctor: "
		"hugepages.free)",
		strerror(rte_errno));
}

/* net_memif of DPDK 23.03 and later looks at the buffers of the first mbuf's pool. If they fit its slots, it copies
 * each segment to a slot of its own, and does not look at the segment's length: one that is longer than a slot,
 * as a page may be, overwrites the next. If they do not fit, it fills slot by slot, with the headers and the page
 * in one. So headers have larger buffers there. */
static uint32_t header_room(const struct pw_port *port)
{
	return RTE_PKTMBUF_HEADROOM +
	       (strcmp(port->driver, "net_memif") ? PW_FRAME_HDR_MAX : MEMIF_ROOM);
}

static int make_queue_pools(
	struct pw_txq *q, const struct pw_dpdk_config *cfg, bool xdp, struct pw_err *err)
{
	const struct pw_port *port = &q->dev->port;
	const uint32_t n = pw_dpdk_tx_mbufs(cfg->set.queue_size);
	char name[RTE_MEMPOOL_NAMESIZE];

	q->hdr_pool = pool(q->dev, queue_name(q, "pw_hdr", name), n, 0, header_room(port));
	q->payload_pool = pw_payload_pool_create(port, queue_name(q, "pw_pay", name), n);
	/* af_xdp sends buffers of its UMEM, the receive pool, without another copy */
	q->copy_pool = xdp ? q->dev->rx_pool
			   : pool(q->dev, queue_name(q, "pw_copy", name),
				     port->multi_segs ? COPY_MBUFS : n, 0,
				     pw_port_frame_room(port, cfg->set.mtu));
	return q->hdr_pool && q->payload_pool && q->copy_pool ? 0 : no_pool_error(err);
}

static void init_queue(struct pw_dpdk_tx *tx, uint16_t index)
{
	struct pw_txq *q = pw_dpdk_tx_queue(tx, index);
	struct rte_mbuf m;

	q->dev = tx;
	q->port_id = tx->port.id;
	q->queue_id = index;
	q->pay_flags = tx->port.traits->plain_free ? 0 : RTE_MBUF_F_EXTERNAL;
	q->fill = tx->port.multi_segs ? pw_txq_fill_chain : pw_txq_fill_linear;
	memset(&m, 0, sizeof(m));
	m.data_off = RTE_PKTMBUF_HEADROOM;
	m.nb_segs = tx->port.multi_segs ? 2 : 1;
	m.port = RTE_MBUF_PORT_INVALID;
	rte_mbuf_refcnt_set(&m, 1);
	memcpy(&q->rearm_hdr, &m.rearm_data, sizeof(q->rearm_hdr));
	m.data_off = 0;
	m.nb_segs = 1;
	memcpy(&q->rearm_frame, &m.rearm_data, sizeof(q->rearm_frame));
	q->chains = tx->port.multi_segs;
}

static int make_queues(struct pw_dpdk_tx *tx, const struct pw_dpdk_config *cfg, struct pw_err *err)
{
	const uint32_t n_txd = pw_dpdk_descs(cfg->set.queue_size);
	const uint16_t n = tx->port.n_queues;
	const size_t more_bytes = (n - 1u) * sizeof(*tx->more);
	bool xdp = !strcmp(tx->port.driver, "net_af_xdp");
	char name[RTE_MEMPOOL_NAMESIZE];
	uint16_t i;
	int r = 0;

	tx->q.dev = tx;

	if (n > 1) {
		tx->more = aligned_alloc(
			RTE_CACHE_LINE_SIZE, pw_align_up(more_bytes, RTE_CACHE_LINE_SIZE));
		if (!tx->more)
			return pw_err_set(
				err, ENOMEM, "cannot open %s: out of memory", cfg->set.port);
		memset(tx->more, 0, more_bytes);
	}
	/* two rings: vmxnet3 fills two for a queue, and receives nothing when no mbuf is left */
	tx->rx_pool = pool(tx, queue_name(&tx->q, "pw_rx", name),
		n * (xdp ? XDP_MBUFS : 2 * (n_txd + PW_DPDK_MBUF_CACHE)), 0,
		pw_port_frame_room(&tx->port, cfg->set.mtu));
	if (!tx->rx_pool)
		return no_pool_error(err);
	for (i = 0; r == 0 && i < n; i++) {
		init_queue(tx, i);
		r = make_queue_pools(pw_dpdk_tx_queue(tx, i), cfg, xdp, err);
	}
	return r;
}

static int open_readonly(struct pw_dpdk_tx *tx, const struct pw_portspec *spec, struct pw_err *err)
{
	char address[PW_PCI_ADDR_LEN];
	int r = pw_pci_normalize(spec->target, address);

	return r ? pw_err_set(err, -r, "cannot use %s: it is no PCI address", spec->text)
		 : pw_vfio_open(&tx->readonly, address, err);
}

/* The queues' threads share CPUs, and those of a second port go on where the first's end. */
static void init_lcores(struct pw_dpdk_tx *tx, const struct pw_dpdk_config *cfg)
{
	const uint16_t n = (uint16_t)(tx->port.n_queues * (cfg->second ? 2 : 1));

	if (!tx->first) {
		pw_lcores_init(&tx->lcores, n, cfg->set.cores != NULL, tx->eal, tx->log);
		return;
	}
	tx->lcores = tx->first->lcores;
	tx->first_lcore = tx->first->port.n_queues;
}

static int start(struct pw_dpdk_tx *tx, const struct pw_dpdk_config *cfg,
	const struct pw_portspec *spec, struct pw_err *err)
{
	int r = tx->first ? 0 : pw_eal_start(tx->eal, cfg, spec, tx->log, err);

	if (!r && cfg->readonly_maps)
		r = open_readonly(tx, spec, err);
	if (!r)
		r = pw_port_open(&tx->port, spec, cfg, true, tx->eal, err);
	if (!r)
		r = make_queues(tx, cfg, err);
	if (!r)
		r = pw_port_start(&tx->port, cfg, tx->rx_pool, true, err);
	if (!r)
		r = pw_hwrate_check(&tx->port, cfg, err);
	if (!r && tx->port.traits->reach == PW_REACH_EAL)
		r = pw_eal_freeze_memory(err);
	if (r)
		return r;
	tx->vfio = tx->port.is_pci && pw_pci_is_vfio(spec->target);
	pw_port_check_near(
		&tx->port, (struct rte_mempool *[]){tx->q.hdr_pool, tx->q.payload_pool}, 2);
	init_lcores(tx, cfg);
	if (!pw_port_link_up(&tx->port))
		pw_info(tx->log, "waiting for the link of %s", spec->text);
	r = pw_port_wait_link(&tx->port, cfg, err);
	return r ? r : pw_hwrate_set(&tx->port, cfg, err);
}

int pw_dpdk_tx_open(struct pw_dpdk_tx **out, const struct pw_dpdk_config *cfg,
	const struct pw_log *log, struct pw_err *err)
{
	struct pw_portspec spec;
	struct pw_dpdk_tx *tx;
	int r = pw_portspec_parse(cfg->set.port, &spec, err);

	if (r)
		return r;
	tx = aligned_alloc(RTE_CACHE_LINE_SIZE, pw_align_up(sizeof(*tx), RTE_CACHE_LINE_SIZE));
	if (!tx)
		return pw_err_set(err, ENOMEM, "cannot open %s: out of memory", cfg->set.port);
	memset(tx, 0, sizeof(*tx));
	tx->log = log;
	tx->port.id = RTE_MAX_ETHPORTS;
	tx->first = cfg->first;
	tx->eal = tx->first ? tx->first->eal : &tx->own_eal;
	r = start(tx, cfg, &spec, err);
	if (r) {
		tx->own_eal.keep = cfg->keep_eal;
		pw_dpdk_tx_close(tx);
		return r;
	}
	*out = tx;
	return 0;
}

void pw_dpdk_tx_info(const struct pw_dpdk_tx *tx, struct pw_dpdk_tx_info *info)
{
	memset(info, 0, sizeof(*info));
	info->driver = tx->port.driver;
	info->traits = tx->port.traits;
	memcpy(info->mac, tx->port.mac, sizeof(info->mac));
	info->multi_segment = tx->port.multi_segs;
	info->csum_offload = tx->port.csum_offload;
	info->queue_mbps = tx->port.queue_mbps;
	info->huge = tx->eal->huge;
	info->iova_va = tx->eal->iova_va;
	info->dma_maps = tx->port.traits->reach == PW_REACH_DMA && (tx->vfio || tx->eal->iova_va);
	info->va_hint = tx->port.traits->reach == PW_REACH_DMA ? DMA_VA_HINT : NULL;
}

void pw_dpdk_tx_set_csum(struct pw_dpdk_tx *tx, enum pw_csum csum, bool ipv6)
{
	uint64_t ol_flags = 0;
	uint16_t i;

	/* the IPv4 header's own checksum is constant and in the template */
	if (csum == PW_CSUM_OFFLOAD)
		ol_flags =
			RTE_MBUF_F_TX_UDP_CKSUM | (ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4);
	for (i = 0; i < tx->port.n_queues; i++) {
		struct pw_txq *q = pw_dpdk_tx_queue(tx, i);

		q->sw_csum = csum == PW_CSUM_SOFTWARE;
		q->ol_flags = ol_flags;
	}
}

uint32_t pw_dpdk_tx_n_dma_maps(const struct pw_dpdk_tx *tx)
{
	return tx->n_dma_maps;
}

uint32_t pw_dpdk_tx_n_iova_extents(const struct pw_dpdk_tx *tx)
{
	return tx->n_iova_extents;
}

static void *stage_alloc(void *ctx, size_t len, size_t align)
{
	const unsigned int at = align > STAGE_ALIGN ? (unsigned int)align : STAGE_ALIGN;
	const struct pw_dpdk_tx *tx = ctx;
	void *p = rte_malloc_socket("pw_stage", len, at, tx->port.node);

	return p || tx->port.node == SOCKET_ID_ANY
		       ? p
		       : rte_malloc_socket("pw_stage", len, at, SOCKET_ID_ANY);
}

static void stage_free(void *ctx, void *p)
{
	(void)ctx;
	rte_free(p);
}

struct pw_stage_mem pw_dpdk_stage_mem(struct pw_dpdk_tx *tx)
{
	return (struct pw_stage_mem){
		.alloc = stage_alloc,
		.free = stage_free,
		.ctx = tx,
		.max_extent_bytes = 1ull << 30,
		.page_bytes = pw_eal_page_bytes(),
	};
}

static int ops_attach(void *path, struct pw_tx_object *obj, struct pw_err *err)
{
	return pw_txmem_attach(((struct pw_txq *)path)->dev, obj, err);
}

static int ops_detach(void *path, struct pw_tx_object *obj)
{
	if (obj->win->n_out)
		return -EBUSY;
	pw_txmem_detach(((struct pw_txq *)path)->dev, obj);
	return 0;
}

static uint16_t ops_send(void *path, const struct pw_tx_burst *b)
{
	return pw_txq_send(path, b);
}

static uint16_t ops_send_copy(
	void *path, const struct pw_frame_tmpl *tmpl, const void *payload, size_t len)
{
	struct pw_txq *q = path;
	struct rte_mbuf *m;
	uint8_t *data;

	if (!pw_txq_flush(q))
		return 0;
	m = rte_pktmbuf_alloc(q->copy_pool);
	if (!m) {
		q->c.full_polls++;
		return 0;
	}
	data = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(tmpl->len + len));
	if (!data) {
		rte_pktmbuf_free(m);
		return 0;
	}
	memcpy(data, tmpl->bytes, tmpl->len);
	memcpy(data + tmpl->len, payload, len);
	if (q->sw_csum)
		pw_be16_store(
			data + tmpl->alc_off - 2, pw_frame_udp_csum(tmpl, data, payload, len));
	m->ol_flags = q->ol_flags;
	m->tx_offload = tmpl->l2_len | (uint64_t)tmpl->l3_len << RTE_MBUF_L2_LEN_BITS;
	q->pending[0] = m;
	q->first_pending = 0;
	q->n_pending = 1;
	q->pending_hdr_len = (uint16_t)(tmpl->len + len); /* no bytes of a file */
	q->c.packets++;
	q->c.wire_bytes += tmpl->len + len;
	pw_txq_flush(q);
	return 1;
}

static void ops_reap(void *path)
{
	struct pw_txq *q = path;

	pw_txq_flush(q);
	/* ENOTSUP from most drivers of virtual devices, which free as they transmit */
	rte_eth_tx_done_cleanup(q->port_id, q->queue_id, 0);
}

static bool ops_alive(void *path)
{
	return pw_port_link_up(&((struct pw_txq *)path)->dev->port);
}

static const char *ops_fault(void *path)
{
	return pw_port_fault(&((struct pw_txq *)path)->dev->port);
}

static uint32_t ops_outstanding(void *path)
{
	struct pw_txq *q = path;
	const struct pw_port *port = &q->dev->port;
	uint32_t n;

	if (q->n_pending == 0 && pw_port_tx_done(port))
		return 0;
	n = rte_mempool_in_use_count(q->payload_pool);
	if (!port->multi_segs)
		return n + q->n_pending;
	/* a frame of a capture may be a header mbuf alone */
	return (uint32_t)pw_max_u64(
		pw_max_u64(n, rte_mempool_in_use_count(q->hdr_pool)), q->n_pending);
}

static const struct pw_tx_counters *ops_counters(void *path)
{
	return &((struct pw_txq *)path)->c;
}

const struct pw_tx_ops pw_dpdk_tx_ops = {
	.name = "dpdk",
	.attach = ops_attach,
	.detach = ops_detach,
	.send = ops_send,
	.send_copy = ops_send_copy,
	.reap = ops_reap,
	.alive = ops_alive,
	.fault = ops_fault,
	.polls = true,
	.outstanding = ops_outstanding,
	.counters = ops_counters,
	.thread_enter = pw_txqueues_enter,
	.thread_leave = pw_txqueues_leave,
};

void pw_dpdk_tx_stop(struct pw_dpdk_tx *tx)
{
	uint16_t i;

	for (i = 0; i < tx->port.n_queues && (i == 0 || tx->more); i++)
		pw_txq_drop_pending(pw_dpdk_tx_queue(tx, i));
	pw_hwrate_clear(&tx->port);
	pw_port_close(&tx->port);
}

void pw_dpdk_tx_close(struct pw_dpdk_tx *tx)
{
	uint16_t i;

	if (!tx)
		return;
	pw_dpdk_tx_stop(tx);
	for (i = 0; i < tx->port.n_queues && (i == 0 || tx->more); i++) {
		struct pw_txq *q = pw_dpdk_tx_queue(tx, i);

		rte_mempool_free(q->hdr_pool);
		rte_mempool_free(q->payload_pool);
		if (q->copy_pool != tx->rx_pool)
			rte_mempool_free(q->copy_pool);
	}
	free(tx->more);
	rte_mempool_free(tx->rx_pool);
	pw_eal_stop(&tx->own_eal);
	pw_vfio_close(&tx->readonly);
	free(tx);
}
