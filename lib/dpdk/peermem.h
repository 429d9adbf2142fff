/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that the peer of a vhost or memif port shares with us. It can cut the file behind it at any
 * time; our next access is then a SIGBUS, in the driver's copy. pw_guard puts zeros in its place, and the
 * loop hears of it at its next look.
 *
 *   vhost    the vhost library tells the regions, in its own thread, whenever they may have changed
 *   memif    the driver tells nothing: what is mapped when the link comes up and was not before
 *
 * Not covered: our own memory, which virtio-user and memif share with the peer, and what a peer writes
 * into the rings. The drivers check their indices, but they trust the peer more than a network.
 */
#ifndef PW_DPDK_PEERMEM_H
#define PW_DPDK_PEERMEM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dpdk/portspec.h"

#define PW_PEERMEM_RANGES 64 /* vhost-user has 8 regions, memif one or two for each queue and way */

struct pw_peermem {
	enum pw_port_kind kind;
	uint16_t port_id;
	const char *socket;
	bool watches;
	pthread_mutex_t lock; /* of what follows: the vhost library has a thread of its own */
	int slots[PW_PEERMEM_RANGES];
	unsigned int n;
	bool lost;
	/* memif: asked by one thread */
	bool was_up;
	uintptr_t before[PW_PEERMEM_RANGES]; /* starts of mappings that were there without a peer */
	unsigned int n_before;
};

/* After the probe, before the port is configured. m is zeroed and stays at its address until
 * pw_peermem_unguard(); spec, too. Ports of other kinds: nothing is done. */
void pw_peermem_watch(struct pw_peermem *m, const struct pw_portspec *spec, uint16_t port_id);
/* Before the port is closed, which unmaps the memory, and after. Accept a zeroed one. */
void pw_peermem_unwatch(struct pw_peermem *m);
void pw_peermem_unguard(struct pw_peermem *m);

/* True when the peer has taken memory away. By the thread that polls the port's first queue; cheap. */
bool pw_peermem_lost(struct pw_peermem *m);

#endif
