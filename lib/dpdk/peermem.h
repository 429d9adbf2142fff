/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guards memory that the peer of a vhost or memif port shares with us. The peer can truncate the file behind
 * it at any time; the driver's next copy then raises SIGBUS. pw_guard maps zeros there, and the loop sees
 * pw_peermem_lost() at its next check.
 *
 *   vhost    the vhost library reports the regions, in its own thread, whenever they may have changed
 *   memif    the driver reports nothing: guards the mappings that are new when the link comes up
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

#include "base/log.h"
#include "dpdk/portspec.h"

#define PW_PEERMEM_RANGES 256 /* vhost-user has 8 regions at most, memif 256 */

struct pw_peermem {
	enum pw_port_kind kind;
	uint16_t port_id;
	const char *socket;
	bool watches;
	const struct pw_log *log;
	pthread_mutex_t lock; /* of what follows: the vhost library has a thread of its own */
	int slots[PW_PEERMEM_RANGES];
	unsigned int n;
	bool lost;
	/* memif: used by one thread */
	bool was_up;
	uintptr_t *before; /* starts of the mappings that exist without a peer */
	size_t n_before;
};

/* Called after the probe, before the port is configured. m is zeroed; m and spec stay at their addresses until
 * pw_peermem_unguard(). Does nothing for ports of other kinds. */
void pw_peermem_watch(struct pw_peermem *m, const struct pw_portspec *spec, uint16_t port_id,
	const struct pw_log *log);
/* unwatch: before the port is closed, which unmaps the memory; unguard: after. Accept a zeroed one. */
void pw_peermem_unwatch(struct pw_peermem *m);
void pw_peermem_unguard(struct pw_peermem *m);

/* True when the peer has taken memory away. Called by the thread that polls the first queue; cheap. */
bool pw_peermem_lost(struct pw_peermem *m);

#endif
