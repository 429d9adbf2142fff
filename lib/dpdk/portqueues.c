/* SPDX-License-Identifier: BSD-3-Clause */
/* Configures a probed port: offloads, MTU, queues and their rings; and makes the mbuf pools that fit it. */
#include <errno.h>
#include <inttypes.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <sched.h>
#include <string.h>

#include "base/bytes.h"
#include "dpdk/port_private.h"

#define VNET_HDR 12 /* virtio counts its own header as part of the frame when it checks the room */

uint16_t pw_port_frame_room(const struct pw_port *p, uint32_t mtu)
{
	uint64_t room =
		pw_align_up(RTE_PKTMBUF_HEADROOM + mtu + PW_PORT_ETH_OVERHEAD + VNET_HDR, 64);

	/* af_packet requires room for a whole slot of its ring, whatever the size of its frames */
	if (p->spec.kind == PW_PORT_AF_PACKET)
		room = RTE_PKTMBUF_HEADROOM +
		       pw_portspec_af_packet_frame(mtu + PW_PORT_ETH_OVERHEAD);
	return (uint16_t)pw_min_u64(pw_max_u64(room, RTE_MBUF_DEFAULT_BUF_SIZE), UINT16_MAX);
}

struct rte_mempool *pw_port_pool(const struct pw_port *p, const char *name, uint32_t n,
	uint32_t cache, uint16_t priv, uint16_t room, const char *ops)
{
	struct rte_mempool *mp =
		rte_pktmbuf_pool_create_by_ops(name, n, cache, priv, room, p->node, ops);

	if (mp || p->node == SOCKET_ID_ANY)
		return mp;
	return rte_pktmbuf_pool_create_by_ops(name, n, cache, priv, room, SOCKET_ID_ANY, ops);
}

static void check_pool(
	struct rte_mempool *mp, void *opaque, struct rte_mempool_memhdr *mem, unsigned int index)
{
	(void)mp;
	(void)index;
	pw_near_memory(opaque, mem->addr, mem->len);
}

void pw_port_check_near(struct pw_port *p, struct rte_mempool *const *pools, unsigned int n)
{
	cpu_set_t cpus;
	unsigned int i;

	if (p->near.node < 0)
		return;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		pw_near_cpus(&p->near, &cpus);
	for (i = 0; i < n; i++)
		rte_mempool_mem_iter(pools[i], check_pool, &p->near);
}

static void choose_offloads(struct pw_port *p, const struct pw_dpdk_config *cfg, bool transmit,
	struct rte_eth_conf *conf)
{
	const uint64_t csum = RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	uint64_t capa = p->info.tx_offload_capa;

	p->multi_segs = (capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) || p->traits->takes_chains;
	/* some drivers choose a path that cannot send chains unless this is set */
	conf->txmode.offloads |= capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if (transmit && cfg->udp_csum_offload_wanted && (capa & csum)) {
		conf->txmode.offloads |= csum;
		p->csum_offload = true;
	}
	if (!transmit && p->traits->reach == PW_REACH_DMA)
		conf->rxmode.offloads |=
			p->info.rx_offload_capa &
			(RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_IPV4_CKSUM);
}

/* The MTU that our own buffers hold: an mbuf's length has 16 bits. Frames that leave as chains have no buffer
 * of their own, except in libpcap's driver, which cuts longer ones silently. */
static uint32_t max_buffer_mtu(const struct pw_port *p, bool transmit)
{
	const uint32_t room = UINT16_MAX - RTE_PKTMBUF_HEADROOM;

	if (p->spec.kind == PW_PORT_AF_PACKET)
		return pw_portspec_af_packet_max(room) - PW_PORT_ETH_OVERHEAD;
	if (!transmit || !p->multi_segs)
		return room - PW_PORT_ETH_OVERHEAD - VNET_HDR;
	return p->spec.kind == PW_PORT_PCAP ? RTE_ETHER_MAX_JUMBO_FRAME_LEN - PW_PORT_ETH_OVERHEAD
					    : UINT16_MAX;
}

/* The MTU that the driver permits. */
static uint32_t max_driver_mtu(const struct pw_port *p)
{
	uint32_t max = p->info.max_mtu;

	/* af_packet names 1514 bytes whatever its frames are. The interface's MTU holds, which is the
	 * administrator's, and was checked before the probe. */
	if (p->spec.kind == PW_PORT_AF_PACKET)
		return UINT16_MAX;
	if (max == 0 || max > RTE_ETHER_MAX_JUMBO_FRAME_LEN * 8)
		max = UINT16_MAX;
	if (p->info.max_rx_pktlen && p->info.max_rx_pktlen < UINT16_MAX &&
		p->info.max_rx_pktlen - RTE_ETHER_HDR_LEN < max && p->spec.kind != PW_PORT_PCAP)
		max = p->info.max_rx_pktlen - RTE_ETHER_HDR_LEN;
	return max;
}

static int set_mtu(
	struct pw_port *p, const struct pw_dpdk_config *cfg, bool transmit, struct pw_err *err)
{
	const uint32_t max = RTE_MIN(max_driver_mtu(p), max_buffer_mtu(p, transmit));
	int r;

	if (cfg->set.mtu > max)
		return pw_err_set(err, EINVAL,
			"cannot use %s: --mtu %u exceeds the %u that %s takes; lower --mtu",
			p->spec.text, cfg->set.mtu, max, p->driver);
	if (pw_portspec_is_interface(&p->spec))
		return 0;
	r = rte_eth_dev_set_mtu(p->id, (uint16_t)cfg->set.mtu);
	if (r && r != -ENOTSUP)
		return pw_err_set(err, -r, "cannot set the MTU of %s to %u: %s; lower --mtu",
			p->spec.text, cfg->set.mtu, strerror(-r));
	return 0;
}

static int check_queues(const struct pw_port *p, struct pw_err *err)
{
	uint64_t max = pw_min_u64(p->info.max_tx_queues, p->info.max_rx_queues);

	if (p->n_queues <= max)
		return 0;
	return pw_err_set(err, EINVAL,
		"cannot use --queues %u on %s: %s has %" PRIu64 " here; lower --queues to %" PRIu64,
		p->n_queues, p->spec.text, p->driver, max, max);
}

/* Each flow comes in one queue, by its addresses and ports. A driver without RSS distributes in its own way. */
static void enable_rss(const struct pw_port *p, struct rte_eth_conf *conf)
{
	const uint64_t flows = p->info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP);

	if (flows == 0)
		return;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf.rss_hf = flows;
}

int pw_port_configure(struct pw_port *p, const struct pw_dpdk_config *cfg, bool transmit,
	struct pw_eal *eal, struct pw_err *err)
{
	struct rte_eth_conf conf = {0};
	int r = check_queues(p, err);

	if (r)
		return r;
	choose_offloads(p, cfg, transmit, &conf);
	if (!transmit && p->n_queues > 1)
		enable_rss(p, &conf);
	conf.intr_conf.rmv = !!(*p->info.dev_flags & RTE_ETH_DEV_INTR_RMV);
	conf.rxmode.mtu =
		0; /* drivers differ in their use of it; set_mtu() does the same for all */
	r = rte_eth_dev_configure(p->id, p->n_queues, p->n_queues, &conf);
	if (r)
		return pw_err_set(err, -r, "cannot configure %s: %s%s", p->spec.text, strerror(-r),
			pw_eal_last_log(eal));
	return set_mtu(p, cfg, transmit, err);
}

/* The ring is on the port's node, or on any that has memory left. */
static int setup_tx_ring(const struct pw_port *p, uint16_t queue, const struct rte_eth_txconf *tx)
{
	int r = rte_eth_tx_queue_setup(p->id, queue, p->n_txd, (unsigned int)p->node, tx);

	return r == -ENOMEM && p->node != SOCKET_ID_ANY
		       ? rte_eth_tx_queue_setup(
				 p->id, queue, p->n_txd, (unsigned int)SOCKET_ID_ANY, tx)
		       : r;
}

static int setup_rx_ring(const struct pw_port *p, uint16_t queue, const struct rte_eth_rxconf *rx,
	struct rte_mempool *pool)
{
	int r = rte_eth_rx_queue_setup(p->id, queue, p->n_rxd, (unsigned int)p->node, rx, pool);

	return r == -ENOMEM && p->node != SOCKET_ID_ANY
		       ? rte_eth_rx_queue_setup(
				 p->id, queue, p->n_rxd, (unsigned int)SOCKET_ID_ANY, rx, pool)
		       : r;
}

/* virtio frees nothing until this number of descriptors is used. With a large number it frees with every
 * burst, so that the last pages of a session come back soon. The ring's true size is the device's and not
 * known here; a threshold beyond it is an error, so smaller ones are tried, then the default.
 *
 * The em driver frees a packet only when its slot is used again, but it can report which are sent: of every
 * packet, if each asks the device for a report (RS). */
static int setup_tx_queue(struct pw_port *p, uint16_t queue)
{
	struct rte_eth_txconf tx = p->info.default_txconf;
	uint16_t n = strncmp(p->driver, "net_virtio", 10) ? 0 : p->n_txd;

	tx.offloads = 0; /* those that the port was configured with */
	if (!strcmp(p->driver, "net_e1000_em")) {
		tx.tx_rs_thresh = 1;
		p->tells_done = true;
	}
	for (; n > 64; n /= 2) {
		tx.tx_free_thresh = (uint16_t)(n - 8);
		if (setup_tx_ring(p, queue, &tx) == 0)
			return 0;
	}
	tx.tx_free_thresh = p->info.default_txconf.tx_free_thresh;
	return setup_tx_ring(p, queue, &tx);
}

int pw_port_setup_queues(struct pw_port *p, const struct pw_dpdk_config *cfg,
	struct rte_mempool *rx_pool, struct pw_err *err)
{
	struct rte_eth_rxconf rx = p->info.default_rxconf;
	uint16_t i;
	int r;

	p->n_txd = p->n_rxd = (uint16_t)pw_dpdk_descs(cfg->set.queue_size);
	r = rte_eth_dev_adjust_nb_rx_tx_desc(p->id, &p->n_rxd, &p->n_txd);
	for (i = 0; r == 0 && i < p->n_queues; i++) {
		r = setup_tx_queue(p, i);
		if (!r)
			r = setup_rx_ring(p, i, &rx, rx_pool);
	}
	if (r && pw_port_check_caps(
			 p, "set up the queues of", err)) /* af_xdp opens its socket here */
		return -EPERM;
	if (r)
		return pw_err_set(err, -r,
			"cannot set up the queues of %s: %s; try --queue-size 512", p->spec.text,
			strerror(-r));
	return 0;
}
