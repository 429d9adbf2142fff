/* SPDX-License-Identifier: BSD-3-Clause */
/* Finds the MAC of an IP address by ARP or neighbour discovery (NDP) on the port. */
#include <errno.h>
#include <rte_ethdev.h>
#include <unistd.h>

#include "base/clock.h"
#include "dpdk/tx_private.h"
#include "wire/neigh.h"

#define ASK_EVERY_NS (200 * 1000 * 1000ull)
#define POLL_US      200
#define RX_BURST     32

static void ask(
	struct pw_dpdk_tx *tx, const struct pw_addr *src, const struct pw_addr *addr, uint16_t vlan)
{
	uint8_t frame[PW_NEIGH_FRAME_MAX];
	size_t len = pw_neigh_request(frame, tx->port.mac, src, addr, vlan);
	struct rte_mbuf *m = rte_pktmbuf_alloc(tx->q.copy_pool);

	if (!m)
		return;
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), frame, len);
	if (rte_eth_tx_burst(tx->port.id, 0, &m, 1) == 0)
		rte_pktmbuf_free(m);
}

static bool answered(struct pw_dpdk_tx *tx, const struct pw_addr *addr, uint8_t mac[6])
{
	struct rte_mbuf *pkts[RX_BURST];
	uint16_t i, n = rte_eth_rx_burst(tx->port.id, 0, pkts, RX_BURST);
	bool found = false;

	for (i = 0; i < n && !found; i++)
		found = pw_neigh_parse_reply(rte_pktmbuf_mtod(pkts[i], const uint8_t *),
			rte_pktmbuf_data_len(pkts[i]), addr, mac);
	rte_pktmbuf_free_bulk(pkts, n);
	return found;
}

int pw_dpdk_tx_resolve(struct pw_dpdk_tx *tx, const struct pw_addr *src, const struct pw_addr *addr,
	uint16_t vlan, uint64_t wait_ns, bool (*cancelled)(void), uint8_t mac[6],
	struct pw_err *err)
{
	uint64_t now = pw_clock_ns(), deadline = now + wait_ns, next = now;
	char text[64];

	/* some ports deliver the answer only in promiscuous mode */
	rte_eth_promiscuous_enable(tx->port.id);
	for (; now < deadline; now = pw_clock_ns()) {
		if (cancelled && cancelled())
			return pw_err_set(err, ECANCELED, "cannot resolve %s: interrupted",
				pw_addr_format(text, sizeof(text), addr));
		if (now >= next) {
			ask(tx, src, addr, vlan);
			next = now + ASK_EVERY_NS;
		}
		if (answered(tx, addr, mac))
			return 0;
		usleep(POLL_US);
	}
	return pw_err_set(err, EHOSTUNREACH,
		"cannot resolve %s: no answer to %s on %s; give --to-mac, or start the receiver "
		"with "
		"--listen",
		pw_addr_format(text, sizeof(text), addr), addr->family == 4 ? "ARP" : "NDP",
		tx->port.spec.text);
}
