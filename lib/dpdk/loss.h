/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Notices that a port's device is removed or reset during a transfer. EAL's interrupt thread gets the event and
 * sets a flag; the polling thread reads it.
 *
 *   vfio-pci     the kernel signals an eventfd and waits until we have closed the device, which works
 *                until then
 *   uio, mlx5..  the kernel sends a uevent after the removal; an access to the BARs of a uio device is
 *                then a SIGBUS, and pw_guard maps a page in their place
 *   any          the driver's own events: removed (mlx5), reset by its physical function (VFs)
 */
#ifndef PW_DPDK_LOSS_H
#define PW_DPDK_LOSS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

#define PW_LOSS_BARS 6

struct pw_loss {
	atomic_int what; /* enum, of loss.c */
	uint16_t port_id;
	const char *device; /* EAL's name of the PCI function; NULL: it is not watched */
	bool monitors;
	bool watches_port;
	int bars[PW_LOSS_BARS]; /* guards of the BARs of a uio device */
	unsigned int n_bars;
};

/* Call it after the port was started; l stays at its address until pw_loss_unwatch(). A failure is only
 * logged. device: EAL's name of a PCI function, else NULL. vfio: bound to vfio-pci. */
void pw_loss_watch(struct pw_loss *l, uint16_t port_id, const char *device, bool vfio,
	const struct pw_log *log);
/* unwatch: before the port is closed, which accesses the device; unguard: after. Accept a zeroed one. */
void pw_loss_unwatch(struct pw_loss *l);
void pw_loss_unguard(struct pw_loss *l);

/* "its device was removed ..." or NULL. Cheap. */
const char *pw_loss_text(const struct pw_loss *l);

#endif
