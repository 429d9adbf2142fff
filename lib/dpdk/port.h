/* SPDX-License-Identifier: BSD-3-Clause */
/* An Ethernet port: probe, configure, start, wait for its link, stop. It has the same number of queues each
 * way: virtio's queues come in pairs. */
#ifndef PW_DPDK_PORT_H
#define PW_DPDK_PORT_H

#include <rte_ethdev.h>
#include <stdbool.h>
#include <stdint.h>

#include "dpdk/config.h"
#include "dpdk/eal.h"
#include "dpdk/loss.h"
#include "dpdk/peermem.h"
#include "dpdk/portspec.h"
#include "host/near.h"

struct pw_port {
	uint16_t id; /* RTE_MAX_ETHPORTS = none */
	struct pw_portspec spec;
	const struct pw_driver_traits *traits;
	struct rte_eth_dev_info info;
	const char *driver; /* "net_vhost"; DPDK's own text */
	char devargs[PW_DEVARGS_MAX];
	uint8_t mac[6];
	bool is_pci;
	bool listens;        /* makes the socket and listens; else it connects */
	bool multi_segs;     /* chains may be sent */
	bool csum_offload;   /* UDP checksums by the port, enabled */
	bool tells_done;     /* pw_port_tx_done() has an answer */
	bool limits_queues;  /* see hwrate.h */
	uint32_t queue_mbps; /* the limit in force of each transmit queue, 0 = none */
	uint16_t n_txd, n_rxd;
	uint16_t n_queues;  /* each way */
	unsigned int index; /* 1: the second port of this process */
	int node;           /* SOCKET_ID_ANY: none */
	struct pw_near near;
	bool started;
	struct pw_loss loss;
	struct pw_peermem peermem;
	const struct pw_log *log;
};

/* Data room of an mbuf that holds a whole frame of this MTU, headroom included, and that the port's
 * driver takes for receiving. */
uint16_t pw_port_frame_room(const struct pw_port *p, uint32_t mtu);

/* A pool of mbufs on the port's node, or on any that has memory left. ops: the mempool's operations, NULL =
 * DPDK's own. Returns NULL and sets rte_errno. */
struct rte_mempool *pw_port_pool(const struct pw_port *p, const char *name, uint32_t n,
	uint32_t cache, uint16_t priv, uint16_t room, const char *ops);

/* Warns of CPUs of the calling thread, and of memory of the pools, that are not on the port's node. */
void pw_port_check_near(struct pw_port *p, struct rte_mempool *const *pools, unsigned int n);

/* Probes and configures; rx_pool feeds the receive queues. transmit: our role. */
int pw_port_open(struct pw_port *p, const struct pw_portspec *spec,
	const struct pw_dpdk_config *cfg, bool transmit, struct pw_eal *eal, struct pw_err *err);
int pw_port_start(struct pw_port *p, const struct pw_dpdk_config *cfg, struct rte_mempool *rx_pool,
	bool transmit, struct pw_err *err);
/* -ETIMEDOUT after cfg->set.wait_ns without a link, -ECANCELED when cfg->cancelled. */
int pw_port_wait_link(struct pw_port *p, const struct pw_dpdk_config *cfg, struct pw_err *err);
bool pw_port_link_up(const struct pw_port *p);
/* What ended the port's work for good, for an error message, or NULL. Called by the thread that polls the
 * first queue. */
const char *pw_port_fault(struct pw_port *p);
/* True when the device has read all packets, whether the driver has freed them or not; false also where the
 * driver cannot report it. */
bool pw_port_tx_done(const struct pw_port *p);
/* Drivers give back the mbufs that they hold, here or in close. */
void pw_port_stop(struct pw_port *p);
/* Stops and closes; completed mbufs come back to their pools. Accepts a port that is not open. */
void pw_port_close(struct pw_port *p);

#endif
