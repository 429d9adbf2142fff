/* SPDX-License-Identifier: BSD-3-Clause */
/* The receiver's life: open (pool, queues, start), its ops, the sums of its counters, close. */
#include "dpdk/rx.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <stdlib.h>
#include <string.h>

#include "dpdk/eal.h"
#include "dpdk/lcores.h"
#include "dpdk/port.h"
#include "dpdk/rxburst.h"

struct pw_dpdk_rx {
	struct pw_rxq q;     /* first: the ops' path pointer is a queue */
	struct pw_rxq *more; /* queues 1 to port.n_queues - 1, or NULL */
	struct pw_lcores lcores;
	struct pw_eal eal;
	struct pw_port port;
	struct rte_mempool *pool;
	struct pw_rx_counters c; /* the queues' sums */
	uint64_t oversize_id;    /* the port's own count of frames that are too long, as an xstat */
	bool counts_oversize;
};

static struct pw_rxq *queue(struct pw_dpdk_rx *rx, uint16_t i)
{
	return i ? &rx->more[i - 1] : &rx->q;
}

static int make_pool(struct pw_dpdk_rx *rx, const struct pw_dpdk_config *cfg, struct pw_err *err)
{
	uint32_t n_rxd = pw_dpdk_descs(cfg->set.queue_size);
	uint32_t n = rx->port.n_queues * (2 * n_rxd + 4 * PW_RX_BURST + 2 * PW_DPDK_MBUF_CACHE);

	if (!strcmp(rx->port.driver, "net_af_xdp"))
		n = rx->port.n_queues * 8192u; /* its UMEM: both rings and what we hold */
	rx->pool = pw_port_pool(&rx->port, "pw_rx", n, PW_DPDK_MBUF_CACHE, 0,
		pw_port_frame_room(&rx->port, cfg->set.mtu), NULL);
	if (!rx->pool)
		return pw_err_set(err, rte_errno,
			"cannot make the receive pool: %s; raise --memory or reserve hugepages "
			"(pagewire doctor: hugepages.free)",
			strerror(rte_errno));
	return 0;
}

static int make_queues(struct pw_dpdk_rx *rx, const struct pw_dpdk_config *cfg, struct pw_err *err)
{
	const size_t more_bytes = (rx->port.n_queues - 1u) * sizeof(*rx->more);
	uint16_t i;

	if (more_bytes) {
		rx->more = aligned_alloc(RTE_CACHE_LINE_SIZE, more_bytes);
		if (!rx->more)
			return pw_err_set(
				err, ENOMEM, "cannot open %s: out of memory", cfg->set.port);
		memset(rx->more, 0, more_bytes);
	}
	for (i = 0; i < rx->port.n_queues; i++) {
		struct pw_rxq *q = queue(rx, i);

		q->dev = rx;
		q->port_id = rx->port.id;
		q->queue_id = i;
		q->listen = cfg->listen;
		if (cfg->source.family)
			q->source = pw_host_key(&cfg->source);
		q->mtu = cfg->set.mtu;
		q->joined = calloc(PW_RX_BURST, PW_RX_JOINED);
		if (!q->joined)
			return pw_err_set(
				err, ENOMEM, "cannot open %s: out of memory", cfg->set.port);
		q->pool = rx->pool;
		memcpy(q->mac, rx->port.mac, sizeof(q->mac));
	}
	return 0;
}

/* Ports drop frames that exceed their MTU; some count them. */
static void find_oversize(struct pw_dpdk_rx *rx)
{
	static const char *const names[] = {
		"rx_oversize_errors", "rx_oversize_packets", "rx_oversize_pkts_phy"};
	size_t i;

	for (i = 0; i < RTE_DIM(names) && !rx->counts_oversize; i++)
		rx->counts_oversize =
			rte_eth_xstats_get_id_by_name(rx->port.id, names[i], &rx->oversize_id) == 0;
}

static int start(struct pw_dpdk_rx *rx, const struct pw_dpdk_config *cfg,
	const struct pw_portspec *spec, const struct pw_log *log, struct pw_err *err)
{
	int r;

	r = pw_eal_start(&rx->eal, cfg, spec, log, err);
	if (!r)
		r = pw_port_open(&rx->port, spec, cfg, false, &rx->eal, err);
	if (!r)
		r = make_pool(rx, cfg, err);
	if (!r)
		r = pw_port_start(&rx->port, cfg, rx->pool, false, err);
	if (!r)
		pw_port_check_near(&rx->port, &rx->pool, 1);
	if (!r && rx->port.traits->reach == PW_REACH_EAL)
		r = pw_eal_freeze_memory(err);
	if (!r)
		r = make_queues(rx, cfg, err);
	if (!r)
		pw_lcores_init(
			&rx->lcores, rx->port.n_queues, cfg->set.cores != NULL, &rx->eal, log);
	if (!r)
		find_oversize(rx);
	return r;
}

int pw_dpdk_rx_open(struct pw_dpdk_rx **out, const struct pw_dpdk_config *cfg,
	const struct pw_log *log, struct pw_err *err)
{
	struct pw_portspec spec;
	struct pw_dpdk_rx *rx;
	int r = pw_portspec_parse(cfg->set.port, &spec, err);

	if (r)
		return r;
	rx = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*rx));
	if (!rx)
		return pw_err_set(err, ENOMEM, "cannot open %s: out of memory", cfg->set.port);
	memset(rx, 0, sizeof(*rx));
	rx->port.id = RTE_MAX_ETHPORTS;
	r = start(rx, cfg, &spec, log, err);
	if (r) {
		rx->eal.keep = cfg->keep_eal;
		pw_dpdk_rx_close(rx);
		return r;
	}
	*out = rx;
	return 0;
}

const char *pw_dpdk_rx_driver(const struct pw_dpdk_rx *rx)
{
	return rx->port.driver;
}

static int ops_burst(void *path, struct pw_rx_view *views, uint16_t n, uint64_t timeout_ns)
{
	(void)timeout_ns; /* a poll-mode driver polls */
	return pw_rxq_burst(path, views, n);
}

static void ops_release(void *path)
{
	pw_rxq_release(path);
}

static bool ops_alive(void *path)
{
	return pw_port_link_up(&((struct pw_dpdk_rx *)path)->port);
}

static const char *ops_fault(void *path)
{
	return pw_port_fault(&((struct pw_dpdk_rx *)path)->port);
}

/* Adds a queue's counters. Another thread may write them: each word is read at once. */
static void add_counters(struct pw_rx_counters *sum, const struct pw_rxq *q)
{
	sum->packets += __atomic_load_n(&q->c.packets, __ATOMIC_RELAXED);
	sum->bytes += __atomic_load_n(&q->c.bytes, __ATOMIC_RELAXED);
	sum->foreign += __atomic_load_n(&q->c.foreign, __ATOMIC_RELAXED);
	sum->malformed += __atomic_load_n(&q->c.malformed, __ATOMIC_RELAXED);
	sum->too_long += __atomic_load_n(&q->c.too_long, __ATOMIC_RELAXED);
	sum->longest = RTE_MAX(sum->longest, __atomic_load_n(&q->c.longest, __ATOMIC_RELAXED));
	sum->bad_checksum += __atomic_load_n(&q->c.bad_checksum, __ATOMIC_RELAXED);
	sum->partial_checksum += __atomic_load_n(&q->c.partial_checksum, __ATOMIC_RELAXED);
}

/* Frames that the port itself dropped as too long; no queue has counted them. */
static void add_oversize(struct pw_dpdk_rx *rx)
{
	uint64_t n;

	if (!rx->counts_oversize ||
		rte_eth_xstats_get_by_id(rx->port.id, &rx->oversize_id, &n, 1) != 1)
		return;
	rx->c.too_long += n;
	rx->c.malformed += n;
}

static const struct pw_rx_counters *ops_counters(void *path)
{
	struct pw_dpdk_rx *rx = path;
	struct rte_eth_stats stats;
	uint16_t i;

	rx->c = (struct pw_rx_counters){.missed = rx->c.missed};
	for (i = 0; i < rx->port.n_queues; i++)
		add_counters(&rx->c, queue(rx, i));
	if (rte_eth_stats_get(rx->port.id, &stats) == 0)
		rx->c.missed = stats.imissed + stats.rx_nombuf;
	add_oversize(rx);
	return &rx->c;
}

static void *ops_lane(void *path, uint16_t i)
{
	struct pw_dpdk_rx *rx = path;

	return i < rx->port.n_queues ? queue(rx, i) : NULL;
}

static void ops_lane_counters(void *lane, struct pw_rx_counters *c)
{
	*c = (struct pw_rx_counters){0};
	add_counters(c, lane);
}

static void ops_thread_enter(void *lane)
{
	const struct pw_rxq *q = lane;

	pw_lcores_enter(&q->dev->lcores, q->queue_id);
}

static void ops_thread_leave(void *lane)
{
	const struct pw_rxq *q = lane;

	pw_lcores_leave(&q->dev->lcores, q->queue_id);
}

const struct pw_rx_ops pw_dpdk_rx_ops = {
	.name = "dpdk",
	.burst = ops_burst,
	.release = ops_release,
	.alive = ops_alive,
	.fault = ops_fault,
	.counters = ops_counters,
	.lane = ops_lane,
	.lane_counters = ops_lane_counters,
	.thread_enter = ops_thread_enter,
	.thread_leave = ops_thread_leave,
};

void pw_dpdk_rx_close(struct pw_dpdk_rx *rx)
{
	uint16_t i;

	if (!rx)
		return;
	for (i = 0; i < rx->port.n_queues && (i == 0 || rx->more); i++) {
		pw_rxq_release(queue(rx, i));
		free(queue(rx, i)->joined);
	}
	pw_port_close(&rx->port);
	rte_mempool_free(rx->pool);
	pw_eal_stop(&rx->eal);
	free(rx->more);
	free(rx);
}
