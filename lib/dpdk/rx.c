/* SPDX-License-Identifier: BSD-3-Clause */
#include "dpdk/rx.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <stdlib.h>
#include <string.h>

#include "dpdk/eal.h"
#include "dpdk/port.h"
#include "dpdk/rxburst.h"

#define MBUF_CACHE 256

struct pw_dpdk_rx {
	struct pw_eal eal;
	struct pw_port port;
	struct rte_mempool *pool;
	struct pw_rx_counters c; /* the queues' sums */
	uint16_t n_queues, at;   /* the queue of the last burst */
	struct pw_rxq *q;        /* n_queues; one thread polls them in turn */
};

static int make_pool(struct pw_dpdk_rx *rx, const struct pw_dpdk_config *cfg, struct pw_err *err)
{
	uint32_t n_rxd = cfg->queue_size ? cfg->queue_size : 1024;
	uint32_t n = rx->port.n_queues * (2 * n_rxd + 4 * PW_RX_BURST + 2 * MBUF_CACHE);

	if (!strcmp(rx->port.driver, "net_af_xdp"))
		n = rx->port.n_queues * 8192u; /* its UMEM: both rings and what we hold */
	rx->pool = pw_port_pool(
		&rx->port, "pw_rx", n, MBUF_CACHE, 0, pw_port_frame_room(&rx->port, cfg->mtu));
	if (!rx->pool)
		return pw_err_set(err, rte_errno,
			"make the receive pool: %s; raise --memory or reserve hugepages (pagewire "
			"doctor: "
			"hugepages.free)",
			strerror(rte_errno));
	return 0;
}

static int make_queues(struct pw_dpdk_rx *rx, const struct pw_dpdk_config *cfg, struct pw_err *err)
{
	uint16_t i;

	rx->q = calloc(rx->port.n_queues, sizeof(*rx->q));
	if (!rx->q)
		return pw_err_set(err, ENOMEM, "open %s: out of memory", cfg->port);
	rx->n_queues = rx->port.n_queues;
	for (i = 0; i < rx->n_queues; i++) {
		struct pw_rxq *q = &rx->q[i];

		q->port_id = rx->port.id;
		q->queue_id = i;
		q->listen = cfg->listen;
		q->pool = rx->pool;
		memcpy(q->mac, rx->port.mac, sizeof(q->mac));
	}
	return 0;
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
	return r ? r : make_queues(rx, cfg, err);
}

int pw_dpdk_rx_open(struct pw_dpdk_rx **out, const struct pw_dpdk_config *cfg,
	const struct pw_log *log, struct pw_err *err)
{
	struct pw_portspec spec;
	struct pw_dpdk_rx *rx;
	int r = pw_portspec_parse(cfg->port, &spec, err);

	if (r)
		return r;
	rx = calloc(1, sizeof(*rx));
	if (!rx)
		return pw_err_set(err, ENOMEM, "open %s: out of memory", cfg->port);
	rx->port.id = RTE_MAX_ETHPORTS;
	r = start(rx, cfg, &spec, log, err);
	if (r) {
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
	struct pw_dpdk_rx *rx = path;
	uint16_t tried;
	int n_views = 0;

	(void)timeout_ns; /* a poll-mode driver polls */
	for (tried = 0; tried < rx->n_queues; tried++) {
		rx->at = (uint16_t)(rx->at + 1 < rx->n_queues ? rx->at + 1 : 0);
		n_views = pw_rxq_burst(&rx->q[rx->at], views, n);
		if (rx->q[rx->at].n)
			break; /* views or not: its mbufs are released first */
	}
	return n_views;
}

static void ops_release(void *path)
{
	struct pw_dpdk_rx *rx = path;

	pw_rxq_release(&rx->q[rx->at]);
}

static bool ops_alive(void *path)
{
	return pw_port_link_up(&((struct pw_dpdk_rx *)path)->port);
}

static const char *ops_fault(void *path)
{
	return pw_port_fault(&((struct pw_dpdk_rx *)path)->port);
}

static const struct pw_rx_counters *ops_counters(void *path)
{
	struct pw_dpdk_rx *rx = path;
	struct rte_eth_stats stats;

	uint16_t i;

	rx->c = (struct pw_rx_counters){.missed = rx->c.missed};
	for (i = 0; i < rx->n_queues; i++) {
		const struct pw_rx_counters *c = &rx->q[i].c;

		rx->c.packets += c->packets;
		rx->c.bytes += c->bytes;
		rx->c.foreign += c->foreign;
		rx->c.malformed += c->malformed;
	}
	if (rte_eth_stats_get(rx->port.id, &stats) == 0)
		rx->c.missed = stats.imissed + stats.rx_nombuf;
	return &rx->c;
}

const struct pw_rx_ops pw_dpdk_rx_ops = {
	.name = "dpdk",
	.burst = ops_burst,
	.release = ops_release,
	.alive = ops_alive,
	.fault = ops_fault,
	.counters = ops_counters,
};

void pw_dpdk_rx_close(struct pw_dpdk_rx *rx)
{
	if (!rx)
		return;
	if (rx->q)
		pw_rxq_release(&rx->q[rx->at]);
	pw_port_close(&rx->port);
	rte_mempool_free(rx->pool);
	pw_eal_stop(&rx->eal);
	free(rx->q);
	free(rx);
}
