/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port that is taken away while it works. EAL's interrupt thread hears of it, the polling thread
 * asks for it: a load.
 *
 *   vfio-pci     the kernel asks by an eventfd and waits until we have closed the device, which
 *                works until then
 *   uio, mlx5..  the kernel tells all who listen when it is gone; the BARs of a uio device are then
 *                no more, and an access is a SIGBUS: pw_guard puts a page in its place
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

/* After the port was started. Stays at its address until pw_loss_unwatch(). Watching is best effort:
 * what fails is logged. device: EAL's, of a PCI function, else NULL. vfio: bound to vfio-pci. */
void pw_loss_watch(struct pw_loss *l, uint16_t port_id, const char *device, bool vfio,
	const struct pw_log *log);
/* Before the port is closed, which talks to the device, and after. Accept a zeroed one. */
void pw_loss_unwatch(struct pw_loss *l);
void pw_loss_unguard(struct pw_loss *l);

/* "its device was removed ..." or NULL. Cheap. */
const char *pw_loss_text(const struct pw_loss *l);

#endif
