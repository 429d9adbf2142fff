/* SPDX-License-Identifier: BSD-3-Clause */
#include "dpdk/port.h"

#include <errno.h>
#include <inttypes.h>
#include <rte_bus.h>
#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "dpdk/panic.h"
#include "host/netif.h"
#include "host/pci.h"

#define RETRY_US       50000 /* between two attempts to connect */
#define PROBE_AGAIN_NS (2 * PW_NS_PER_S)
#define POLL_US        10000 /* while waiting for a socket or a link */
#define ETH_OVERHEAD   (RTE_ETHER_HDR_LEN + 4 /* 802.1Q */)
#define VNET_HDR       12   /* virtio counts its own header to the frame when it checks the room */
#define XDP_MAX_MTU    3498 /* of a veth with an XDP program: one page less headroom and tail */

uint16_t pw_port_frame_room(const struct pw_port *p, uint32_t mtu)
{
	uint64_t room = pw_align_up(RTE_PKTMBUF_HEADROOM + mtu + ETH_OVERHEAD + VNET_HDR, 64);

	/* af_packet wants room for a whole slot of its ring, whatever the frames in it */
	if (p->spec.kind == PW_PORT_AF_PACKET)
		room = RTE_PKTMBUF_HEADROOM + pw_portspec_af_packet_frame(mtu + ETH_OVERHEAD);
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

static bool cancelled(const struct pw_dpdk_config *cfg)
{
	return cfg->cancelled && cfg->cancelled();
}

/* Is the file of this unix socket one that its process has left behind? Only the refused connection
 * says so: any other failure (memif's sockets are of another type: EPROTOTYPE) has found one alive,
 * or not found out. */
static bool is_stale_socket(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool stale;

	if (fd < 0)
		return false;
	memcpy(sun.sun_path, path, strnlen(path, sizeof(sun.sun_path) - 1));
	stale = connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0 &&
		errno == ECONNREFUSED;
	close(fd);
	return stale;
}

/* The side that makes the socket: a file left over from a crash is removed, a live one is not. */
static int claim_socket(const struct pw_portspec *spec, struct pw_err *err)
{
	struct stat st;

	if (lstat(spec->target, &st))
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return pw_err_set(err, EEXIST,
			"make socket %s: a file of that name exists; remove it", spec->target);
	if (!is_stale_socket(spec->target))
		return pw_err_set(err, EADDRINUSE,
			"make socket %s: another process listens on it; use another path",
			spec->target);
	if (unlink(spec->target))
		return pw_err_sys(err, errno, "remove stale socket %s", spec->target);
	return 0;
}

/* Drivers say EPERM to a file that they cannot make; the usual reason is named here. */
static int check_parent(const struct pw_portspec *spec, struct pw_err *err)
{
	char dir[PW_PORT_MAX];
	char *slash;

	memcpy(dir, spec->target, sizeof(dir));
	slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return 0;
	*slash = '\0';
	if (access(dir, F_OK))
		return pw_err_set(err, ENOENT, "use %s: there is no directory %s; mkdir -p %s",
			spec->text, dir, dir);
	return 0;
}

/* The connecting side: the peer may start later than we do. Probing the listener with a connection
 * would disturb it (a vhost backend takes one peer), so only the file is looked for. */
static int await_socket(
	const struct pw_portspec *spec, const struct pw_dpdk_config *cfg, struct pw_err *err)
{
	uint64_t deadline = pw_clock_ns() + cfg->set.wait_ns;

	while (access(spec->target, F_OK)) {
		if (cancelled(cfg))
			return pw_err_set(
				err, ECANCELED, "wait for socket %s: interrupted", spec->target);
		if (pw_clock_ns() >= deadline)
			return pw_err_set(err, ENOENT,
				"connect to %s: no such socket; start the other side first, or "
				"raise --wait",
				spec->target);
		usleep(POLL_US);
	}
	return 0;
}

static int prepare_target(const struct pw_port *p, const struct pw_dpdk_config *cfg,
	const struct pw_log *log, struct pw_err *err)
{
	const struct pw_portspec *spec = &p->spec;
	struct pw_netif netif;
	char name[64];
	int r;

	pw_portspec_driver(spec, name, sizeof(name));
	if (name[0] && !pw_dpdk_has_driver(name))
		return pw_err_set(err, ENODEV,
			"probe %s: this DPDK has no driver %s; install it (pagewire doctor: "
			"dpdk.drivers)",
			spec->text, name);
	if (p->listens || spec->kind == PW_PORT_PCAP) {
		r = check_parent(spec, err);
		return r || spec->kind == PW_PORT_PCAP ? r : claim_socket(spec, err);
	}
	if (spec->kind == PW_PORT_VIRTIO_USER || spec->kind == PW_PORT_MEMIF) {
		if (access(spec->target, F_OK))
			pw_info(log, "waiting for socket %s", spec->target);
		return await_socket(spec, cfg, err);
	}
	if (!pw_portspec_is_interface(spec))
		return 0;
	r = pw_netif_query(spec->target, &netif, err);
	if (r)
		return r;
	if (cfg->set.mtu > netif.mtu)
		return pw_err_set(err, EINVAL,
			"use %s: --mtu %u is more than the interface's %u; lower --mtu or `ip link "
			"set %s mtu %u`",
			spec->text, cfg->set.mtu, netif.mtu, spec->target, cfg->set.mtu);
	if (spec->kind == PW_PORT_AF_XDP && netif.mtu > XDP_MAX_MTU)
		return pw_err_set(err, EINVAL,
			"use %s: XDP needs an MTU of at most %u, it has %u; `ip link set %s mtu "
			"1500`",
			spec->text, XDP_MAX_MTU, netif.mtu, spec->target);
	return 0;
}

/* The port that a probe of our devargs has made. */
static int find_port(struct pw_port *p, struct pw_err *err)
{
	struct rte_dev_iterator it;
	uint16_t id;

	RTE_ETH_FOREACH_MATCHING_DEV(id, p->devargs, &it)
	{
		p->id = id;
		rte_eth_iterator_cleanup(&it);
		return 0;
	}
	/* drivers of several ports and drivers that match no devargs (bonding) end up here */
	id = (uint16_t)rte_eth_find_next(0);
	if (id < RTE_MAX_ETHPORTS) {
		p->id = id;
		return 0;
	}
	return pw_err_set(err, ENODEV,
		"probe %s: no Ethernet port came of it; see the driver bound to it "
		"(pagewire doctor: nic.driver)",
		p->spec.text);
}

/* A socket that nobody listens on: the peer makes it a moment before it does, and one that was
 * killed leaves it behind. To connect to it is safe, no one is there to be disturbed. */
static bool is_deserted(const struct pw_port *p)
{
	return (p->spec.kind == PW_PORT_VIRTIO_USER || p->spec.kind == PW_PORT_MEMIF) &&
	       (access(p->spec.target, F_OK) || is_stale_socket(p->spec.target));
}

/* After a failure to connect: true when it is worth another try. */
static bool try_again(const struct pw_port *p, const struct pw_dpdk_config *cfg, uint64_t start_ns)
{
	uint64_t wait_ns = cfg->set.wait_ns;

	if (p->spec.kind != PW_PORT_VIRTIO_USER && p->spec.kind != PW_PORT_MEMIF)
		return false;
	if (!is_deserted(p)) /* it has come to listen just now, or takes no second peer */
		wait_ns = pw_min_u64(wait_ns, PROBE_AGAIN_NS);
	if (cancelled(cfg) || pw_clock_ns() - start_ns >= wait_ns)
		return false;
	usleep(RETRY_US);
	return true;
}

static int say_deserted(
	const struct pw_port *p, const struct pw_dpdk_config *cfg, struct pw_err *err)
{
	if (cancelled(cfg))
		return pw_err_set(
			err, ECANCELED, "wait for socket %s: interrupted", p->spec.target);
	return pw_err_set(err, ECONNREFUSED,
		"connect to %s: nobody listens there; start the other side, or raise --wait",
		p->spec.target);
}

/* Drivers say -1 for any failure, which is no EPERM. */
static int driver_code(int r)
{
	return r == -1 ? EIO : -r;
}

static const char *driver_reason(int r)
{
	return r == -1 ? "the driver failed" : strerror(-r);
}

static int probe(struct pw_port *p, const struct pw_dpdk_config *cfg, bool transmit,
	struct pw_eal *eal, struct pw_err *err)
{
	uint32_t frame = cfg->set.mtu + ETH_OVERHEAD;
	uint64_t start_ns = pw_clock_ns();
	int r;

	r = pw_portspec_devargs(&p->spec, 0, transmit, frame, cfg->set.queue_size, p->n_queues,
		p->devargs, sizeof(p->devargs), err);
	if (r)
		return r;
	if (!p->is_pci || rte_eth_dev_count_avail() == 0) {
		eal->last_line[0] = '\0';
		do
			r = rte_dev_probe(p->devargs);
		while (r < 0 && try_again(p, cfg, start_ns));
		if (r < 0 && is_deserted(p))
			return say_deserted(p, cfg, err);
		if (r < 0)
			return pw_err_set(err, driver_code(r),
				"probe %s: %s%s; see `pagewire doctor --port %s`", p->spec.text,
				driver_reason(r), pw_eal_last_words(eal), p->spec.text);
	}
	return find_port(p, err);
}

static void choose_offloads(struct pw_port *p, const struct pw_dpdk_config *cfg, bool transmit,
	struct rte_eth_conf *conf)
{
	const uint64_t csum = RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	uint64_t capa = p->info.tx_offload_capa;

	p->multi_segs = (capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) || p->traits->takes_chains;
	/* drivers choose chain-unaware paths unless asked, even for ports that always take chains
	 */
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

/* What fits our own buffers: an mbuf's length has 16 bits. Frames that leave as chains have no buffer
 * of their own, but libpcap's bounce buffer, beyond which a frame is cut without a word. */
static uint32_t max_buffer_mtu(const struct pw_port *p, bool transmit)
{
	const uint32_t room = UINT16_MAX - RTE_PKTMBUF_HEADROOM;

	if (p->spec.kind == PW_PORT_AF_PACKET)
		return pw_portspec_af_packet_max(room) - ETH_OVERHEAD;
	if (!transmit || !p->multi_segs)
		return room - ETH_OVERHEAD - VNET_HDR;
	return p->spec.kind == PW_PORT_PCAP ? RTE_ETHER_MAX_JUMBO_FRAME_LEN - ETH_OVERHEAD
					    : UINT16_MAX;
}

static int set_mtu(
	struct pw_port *p, const struct pw_dpdk_config *cfg, bool transmit, struct pw_err *err)
{
	uint32_t max = p->info.max_mtu, max_buffer = max_buffer_mtu(p, transmit);
	int r;

	if (cfg->set.mtu > max_buffer)
		return pw_err_set(err, EINVAL,
			"use %s: --mtu %u is more than the %u that %s's buffers take; lower --mtu",
			p->spec.text, cfg->set.mtu, max_buffer, p->driver);
	/* The driver names 1514 bytes whatever its frames are; the interface's MTU was looked at,
	 * and stands: it is the administrator's. */
	if (p->spec.kind == PW_PORT_AF_PACKET)
		return 0;
	if (max == 0 || max > RTE_ETHER_MAX_JUMBO_FRAME_LEN * 8)
		max = UINT16_MAX;
	if (p->info.max_rx_pktlen && p->info.max_rx_pktlen < UINT16_MAX &&
		p->info.max_rx_pktlen - RTE_ETHER_HDR_LEN < max && p->spec.kind != PW_PORT_PCAP)
		max = p->info.max_rx_pktlen - RTE_ETHER_HDR_LEN;
	if (cfg->set.mtu > max)
		return pw_err_set(err, EINVAL,
			"set MTU of %s: %u is more than the %u that %s takes; lower --mtu",
			p->spec.text, cfg->set.mtu, max, p->driver);
	if (pw_portspec_is_interface(&p->spec))
		return 0;
	r = rte_eth_dev_set_mtu(p->id, (uint16_t)cfg->set.mtu);
	if (r && r != -ENOTSUP)
		return pw_err_set(err, -r, "set MTU of %s to %u: %s; lower --mtu", p->spec.text,
			cfg->set.mtu, strerror(-r));
	return 0;
}

static int check_queues(const struct pw_port *p, struct pw_err *err)
{
	uint64_t max = pw_min_u64(p->info.max_tx_queues, p->info.max_rx_queues);

	if (p->n_queues <= max)
		return 0;
	return pw_err_set(err, EINVAL,
		"use --queues %u on %s: %s has %" PRIu64 " here; lower --queues to %" PRIu64,
		p->n_queues, p->spec.text, p->driver, max, max);
}

/* Each flow to one queue, by its addresses and ports. A driver without it spreads in its own way. */
static void spread(const struct pw_port *p, struct rte_eth_conf *conf)
{
	const uint64_t flows = p->info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP);

	if (flows == 0)
		return;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf.rss_hf = flows;
}

int pw_port_open(struct pw_port *p, const struct pw_portspec *spec,
	const struct pw_dpdk_config *cfg, bool transmit, struct pw_eal *eal, struct pw_err *err)
{
	struct rte_eth_conf conf = {0};
	struct rte_ether_addr mac;
	int r;

	memset(p, 0, sizeof(*p));
	p->id = RTE_MAX_ETHPORTS;
	p->spec = *spec;
	p->n_queues = cfg->set.n_queues ? cfg->set.n_queues : 1;
	p->is_pci = spec->kind == PW_PORT_PCI;
	p->listens = spec->kind == PW_PORT_VHOST || (spec->kind == PW_PORT_MEMIF && !transmit);
	p->log = eal->log;
	r = prepare_target(p, cfg, eal->log, err);
	if (!r)
		r = probe(p, cfg, transmit, eal, err);
	if (r)
		return r;
	pw_peermem_watch(&p->peermem, &p->spec, p->id);
	r = rte_eth_dev_info_get(p->id, &p->info);
	if (r)
		return pw_err_set(
			err, -r, "ask %s for its abilities: %s", spec->text, strerror(-r));
	snprintf(p->driver, sizeof(p->driver), "%s", p->info.driver_name);
	p->traits = pw_driver_traits(p->driver, p->is_pci, p->devargs);
	r = check_queues(p, err);
	if (r)
		return r;
	choose_offloads(p, cfg, transmit, &conf);
	if (!transmit && p->n_queues > 1)
		spread(p, &conf);
	conf.intr_conf.rmv = !!(*p->info.dev_flags & RTE_ETH_DEV_INTR_RMV);
	conf.rxmode.mtu = 0; /* set_mtu() does it: drivers differ in what they make of this one */
	r = rte_eth_dev_configure(p->id, p->n_queues, p->n_queues, &conf);
	if (r)
		return pw_err_set(err, -r, "configure %s: %s%s", spec->text, strerror(-r),
			pw_eal_last_words(eal));
	r = set_mtu(p, cfg, transmit, err);
	if (r)
		return r;
	if (rte_eth_macaddr_get(p->id, &mac) == 0)
		memcpy(p->mac, mac.addr_bytes, sizeof(p->mac));
	p->node = rte_eth_dev_socket_id(p->id);
	pw_near_init(&p->near, NULL, p->log, p->spec.text, eal->node);
	return 0;
}

/* The ring lies on the port's node, or where there is memory left. */
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

/* virtio frees nothing until so many descriptors are short: let it free with every burst, so that
 * the last pages of a session come back soon. The ring's true size is the device's and not told; a
 * threshold beyond it is refused, so smaller ones are tried, and the default in the end.
 *
 * The em driver frees a packet only when its slot comes round again, but tells what is done with: of
 * every packet, where each asks the device to report (RS). */
static int setup_tx_queue(struct pw_port *p, uint16_t queue)
{
	struct rte_eth_txconf tx = p->info.default_txconf;
	uint16_t n = strncmp(p->driver, "net_virtio", 10) ? 0 : p->n_txd;

	tx.offloads = 0; /* what the port was configured with */
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

static int setup_queues(struct pw_port *p, const struct pw_dpdk_config *cfg,
	struct rte_mempool *rx_pool, struct pw_err *err)
{
	struct rte_eth_rxconf rx = p->info.default_rxconf;
	uint16_t i;
	int r;

	p->n_txd = p->n_rxd = (uint16_t)pw_dpdk_descs(cfg->set.queue_size);
	r = rte_eth_dev_adjust_nb_rx_tx_desc(p->id, &p->n_rxd, &p->n_txd);
	if (r)
		return pw_err_set(err, -r, "size the queues of %s: %s", p->spec.text, strerror(-r));
	for (i = 0; r == 0 && i < p->n_queues; i++) {
		r = setup_tx_queue(p, i);
		if (!r)
			r = setup_rx_ring(p, i, &rx, rx_pool);
	}
	if (r)
		return pw_err_set(err, -r, "set up the queues of %s: %s; try --queue-size 512",
			p->spec.text, strerror(-r));
	return 0;
}

int pw_port_start(struct pw_port *p, const struct pw_dpdk_config *cfg, struct rte_mempool *rx_pool,
	bool transmit, struct pw_err *err)
{
	uint64_t start_ns = pw_clock_ns();
	int r = setup_queues(p, cfg, rx_pool, err);

	if (r)
		return r;
	do
		r = rte_eth_dev_start(p->id);
	while (r && transmit && try_again(p, cfg, start_ns));
	if (r && transmit && is_deserted(p))
		return say_deserted(p, cfg, err);
	if (r)
		return pw_err_set(err, driver_code(r),
			"start %s: %s; see `pagewire doctor --port %s`", p->spec.text,
			driver_reason(r), p->spec.text);
	p->started = true;
	pw_loss_watch(&p->loss, p->id, p->is_pci ? rte_dev_name(p->info.device) : NULL,
		p->is_pci && pw_pci_is_vfio(p->spec.target), p->log);
	/* multicast groups and --to-mac may not be ours: take what comes. Drivers without a filter
	 * answer ENOTSUP and deliver everything anyway. */
	if (!transmit && rte_eth_promiscuous_enable(p->id))
		rte_eth_allmulticast_enable(p->id);
	return 0;
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

/* The descriptor before the tail is the last one that was handed over. */
bool pw_port_tx_done(const struct pw_port *p)
{
	return p->tells_done &&
	       rte_eth_tx_descriptor_status(p->id, 0, p->n_txd - 1) == RTE_ETH_TX_DESC_DONE;
}

bool pw_port_link_up(const struct pw_port *p)
{
	struct rte_eth_link link = {0};

	/* drivers that know no link at all say so; they are never down */
	if (rte_eth_link_get_nowait(p->id, &link))
		return true;
	return link.link_status == RTE_ETH_LINK_UP;
}

const char *pw_port_fault(struct pw_port *p)
{
	if (pw_panic_seen())
		return "a peer has stopped DPDK's interrupt thread: memif does not survive one "
		       "that "
		       "connects and goes at once; start over, and let nobody else reach the "
		       "socket";
	if (pw_peermem_lost(&p->peermem))
		return "its peer has taken away memory that it shares with us; start both sides "
		       "again";
	return pw_loss_text(&p->loss);
}

int pw_port_wait_link(struct pw_port *p, const struct pw_dpdk_config *cfg, struct pw_err *err)
{
	uint64_t deadline = pw_clock_ns() + cfg->set.wait_ns;
	const char *fault;

	while (!pw_port_link_up(p)) {
		fault = pw_port_fault(p);
		if (fault)
			return pw_err_set(
				err, ENODEV, "wait for the link of %s: %s", p->spec.text, fault);
		if (cancelled(cfg))
			return pw_err_set(err, ECANCELED, "wait for the link of %s: interrupted",
				p->spec.text);
		if (pw_clock_ns() >= deadline)
			return pw_err_set(err, ETIMEDOUT,
				"wait for the link of %s: no peer; start the other side, or raise "
				"--wait",
				p->spec.text);
		usleep(POLL_US);
	}
	return 0;
}

void pw_port_stop(struct pw_port *p)
{
	if (p->started && !pw_panic_seen())
		rte_eth_dev_stop(p->id);
	p->started = false;
}

void pw_port_close(struct pw_port *p)
{
	if (p->id >= RTE_MAX_ETHPORTS || !p->traits)
		return;
	pw_port_stop(p);
	pw_loss_unwatch(&p->loss);
	pw_peermem_unwatch(&p->peermem);
	if (!pw_panic_seen())
		rte_eth_dev_close(p->id);
	else if (p->listens)
		unlink(p->spec.target); /* which the driver would have done */
	pw_loss_unguard(&p->loss);
	pw_peermem_unguard(&p->peermem);
	p->id = RTE_MAX_ETHPORTS;
}
