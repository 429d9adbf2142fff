/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The transmitter on a DPDK port; implements struct pw_tx_ops. Here are opening, memory for the device, and
 * resolving the receiver's MAC. txburst.c builds the packets.
 */
#ifndef PW_DPDK_TX_H
#define PW_DPDK_TX_H

#include "base/err.h"
#include "base/log.h"
#include "dpdk/config.h"
#include "dpdk/portspec.h"
#include "file/window.h"
#include "path/path.h"

struct pw_dpdk_tx; /* opaque */

extern const struct pw_tx_ops pw_dpdk_tx_ops;

struct pw_dpdk_tx_info {
	const char *driver; /* "net_vhost" */
	const struct pw_driver_traits *traits;
	uint8_t mac[6];
	bool multi_segment; /* payload mbufs are the file's pages; else linear and copied */
	bool csum_offload;
	uint32_t queue_mbps; /* the port holds each queue to this rate; 0 = it does not */
	bool huge;
	bool iova_va;
	bool dma_maps; /* each file that is sent in place is mapped for the device */
	void *va_hint; /* where file mappings should lie for the device, or NULL */
};

/* Starts EAL, probes and starts the port, waits for its link. */
int pw_dpdk_tx_open(struct pw_dpdk_tx **tx, const struct pw_dpdk_config *cfg,
	const struct pw_log *log, struct pw_err *err);
void pw_dpdk_tx_info(const struct pw_dpdk_tx *tx, struct pw_dpdk_tx_info *info);

/* The ops' path handle of queue i, below cfg.n_queues; 0 is tx itself. One thread drives each. */
void *pw_dpdk_tx_queue(struct pw_dpdk_tx *tx, uint16_t i);
uint16_t pw_dpdk_tx_n_queues(const struct pw_dpdk_tx *tx);
/* Of all queues. Any thread. */
void pw_dpdk_tx_sum(struct pw_dpdk_tx *tx, struct pw_tx_counters *sum);

/* Which provider of pages fits this port. AUTO: chosen by where the file lies; any other that cannot work is
 * an error (-EINVAL). readonly: the device can read the page cache, see pw_dpdk_can_readonly(). Can be called
 * before open. */
int pw_dpdk_choose_pages(const struct pw_driver_traits *traits, enum pw_pages asked,
	bool on_hugetlbfs, bool readonly, const char *path, enum pw_pages *chosen,
	struct pw_err *err);

/* True when config.readonly_maps works: a PCI function on vfio-pci, not with physical addresses. */
bool pw_dpdk_can_readonly(const struct pw_portspec *spec, enum pw_iova iova);

/* EAL memory for the stage provider. */
struct pw_stage_mem pw_dpdk_stage_mem(struct pw_dpdk_tx *tx);

/* Finds the MAC of addr by ARP or NDP on the port. -EHOSTUNREACH after wait_ns, -ECANCELED when cancelled()
 * (may be NULL) returns true. */
int pw_dpdk_tx_resolve(struct pw_dpdk_tx *tx, const struct pw_addr *src, const struct pw_addr *addr,
	uint16_t vlan, uint64_t wait_ns, bool (*cancelled)(void), uint8_t mac[6],
	struct pw_err *err);

/* Who computes UDP checksums. SOFTWARE reads every payload byte, which is counted; OFFLOAD needs
 * info.csum_offload and templates that hold the pseudo-header's sum. Before the first packet. */
enum pw_csum { PW_CSUM_AUTO, PW_CSUM_NONE, PW_CSUM_OFFLOAD, PW_CSUM_SOFTWARE };
void pw_dpdk_tx_set_csum(struct pw_dpdk_tx *tx, enum pw_csum csum, bool ipv6);

/* Made since open: maps for the device, and extents of windows. */
uint32_t pw_dpdk_tx_n_dma_maps(const struct pw_dpdk_tx *tx);
uint32_t pw_dpdk_tx_n_iova_extents(const struct pw_dpdk_tx *tx);

/* Stops the port, which gives every mbuf back, and ends EAL. Windows may be closed after this, or after
 * detach. Accepts NULL. */
void pw_dpdk_tx_close(struct pw_dpdk_tx *tx);

/* Windows in EAL memory (stage) need two steps: stop the port, close the windows, then close. */
void pw_dpdk_tx_stop(struct pw_dpdk_tx *tx);

#endif
