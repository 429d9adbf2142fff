/* SPDX-License-Identifier: BSD-3-Clause */
/* The struct behind struct pw_dpdk_tx, for tx.c (open to close), txqueues.c (queues and their threads),
 * txmem.c (memory for the device) and resolve.c (the receiver's MAC). */
#ifndef PW_DPDK_TX_PRIVATE_H
#define PW_DPDK_TX_PRIVATE_H

#include "dpdk/eal.h"
#include "dpdk/lcores.h"
#include "dpdk/port.h"
#include "dpdk/tx.h"
#include "dpdk/txburst.h"
#include "dpdk/vfio.h"

struct pw_dpdk_tx {
	struct pw_txq q;     /* first: the ops' path pointer is a queue */
	struct pw_txq *more; /* queues 1 to port.n_queues - 1, or NULL */
	struct pw_lcores lcores;
	uint16_t first_lcore;     /* the first queue's number in lcores */
	struct pw_dpdk_tx *first; /* the port that started EAL; NULL: this one */
	struct pw_eal own_eal;
	struct pw_eal *eal;
	struct pw_port port;
	struct rte_mempool *rx_pool;
	struct pw_vfio readonly; /* open: files are mapped for reading only */
	bool vfio;               /* a PCI function bound to vfio-pci */
	uint32_t n_dma_maps;     /* made since open */
	uint32_t n_iova_extents;
	const struct pw_log *log;
};

/* Gives every extent of obj->win the IOVA by which the port reaches it, splits extents where physical
 * pages are discontiguous, and maps them for DMA where that is needed. */
int pw_txmem_attach(struct pw_dpdk_tx *tx, struct pw_tx_object *obj, struct pw_err *err);
void pw_txmem_detach(struct pw_dpdk_tx *tx, struct pw_tx_object *obj);

/* txqueues.c */

/* Frees the packets that the driver has not taken, and takes them out of the counters: they were not
 * sent. */
void pw_txq_drop_pending(struct pw_txq *q);
void pw_txqueues_enter(void *path);
void pw_txqueues_leave(void *path);

#endif
