/* SPDX-License-Identifier: BSD-3-Clause */
/* An Ethernet port from open to close: the order of the steps, its link, and the faults that end it. */
#include "dpdk/port.h"

#include <errno.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "dpdk/panic.h"
#include "dpdk/port_private.h"
#include "host/pci.h"

bool pw_port_cancelled(const struct pw_dpdk_config *cfg)
{
	return cfg->cancelled && cfg->cancelled();
}

int pw_port_open(struct pw_port *p, const struct pw_portspec *spec,
	const struct pw_dpdk_config *cfg, bool transmit, struct pw_eal *eal, struct pw_err *err)
{
	struct rte_ether_addr mac;
	int r;

	memset(p, 0, sizeof(*p));
	p->id = RTE_MAX_ETHPORTS;
	p->spec = *spec;
	p->n_queues = cfg->set.n_queues ? cfg->set.n_queues : 1;
	p->index = cfg->first != NULL;
	p->is_pci = spec->kind == PW_PORT_PCI;
	p->listens = spec->kind == PW_PORT_VHOST || (spec->kind == PW_PORT_MEMIF && !transmit);
	p->log = eal->log;
	r = pw_port_probe(p, cfg, transmit, eal, err);
	if (r)
		return r;
	pw_peermem_watch(&p->peermem, &p->spec, p->id, p->log);
	r = rte_eth_dev_info_get(p->id, &p->info);
	if (r)
		return pw_err_set(
			err, -r, "cannot read the abilities of %s: %s", spec->text, strerror(-r));
	p->driver = p->info.driver_name;
	p->traits = pw_driver_traits(p->driver, p->is_pci, p->devargs);
	eal->stays_mapped |= p->traits->leaves_handlers;
	r = pw_port_configure(p, cfg, transmit, eal, err);
	if (r)
		return r;
	if (rte_eth_macaddr_get(p->id, &mac) == 0)
		memcpy(p->mac, mac.addr_bytes, sizeof(p->mac));
	p->node = rte_eth_dev_socket_id(p->id);
	pw_near_init(&p->near, NULL, p->log, p->spec.text, eal->node);
	return 0;
}

int pw_port_start(struct pw_port *p, const struct pw_dpdk_config *cfg, struct rte_mempool *rx_pool,
	bool transmit, struct pw_err *err)
{
	uint64_t start_ns = pw_clock_ns();
	int r = pw_port_setup_queues(p, cfg, rx_pool, err);

	if (r)
		return r;
	do
		r = rte_eth_dev_start(p->id);
	while (r && transmit && pw_port_may_retry(p, cfg, start_ns));
	if (r)
		return pw_port_open_error(p, cfg, "start", r, "", err);
	p->started = true;
	pw_loss_watch(&p->loss, p->id, p->is_pci ? rte_dev_name(p->info.device) : NULL,
		p->is_pci && pw_pci_is_vfio(p->spec.target), p->log);
	/* Packets of multicast groups and with --to-mac do not have our MAC: receive all. Drivers without a
	 * filter answer ENOTSUP and deliver everything anyway. */
	if (!transmit && rte_eth_promiscuous_enable(p->id))
		rte_eth_allmulticast_enable(p->id);
	return 0;
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

	/* a driver without a notion of a link answers an error; its link is never down */
	if (rte_eth_link_get_nowait(p->id, &link))
		return true;
	return link.link_status == RTE_ETH_LINK_UP;
}

const char *pw_port_fault(struct pw_port *p)
{
	if (pw_panic_seen())
		return "a peer has stopped DPDK's interrupt thread: it connected to memif and left "
		       "at once; start again, and give no other process access to the socket";
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
			return pw_err_set(err, ENODEV, "cannot wait for the link of %s: %s",
				p->spec.text, fault);
		if (pw_port_cancelled(cfg))
			return pw_err_set(err, ECANCELED,
				"cannot wait for the link of %s: interrupted", p->spec.text);
		if (pw_clock_ns() >= deadline)
			return pw_err_set(err, ETIMEDOUT,
				"cannot use %s: its link is down, there is no peer; start the "
				"other side, or raise "
				"--wait",
				p->spec.text);
		usleep(PW_PORT_POLL_US);
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
		unlink(p->spec.target); /* the driver removes it in close */
	pw_loss_unguard(&p->loss);
	pw_peermem_unguard(&p->peermem);
	p->id = RTE_MAX_ETHPORTS;
}
