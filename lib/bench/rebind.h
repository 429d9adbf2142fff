/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lets the bench use the same NIC by the kernel and by the bypass: takes an interface's PCI function from the
 * kernel's driver for one run, and gives it back with its settings.
 *
 *   eth1, virtio-pci  --take-->  0000:00:10.0, vfio-pci  --give_back-->  eth1, virtio-pci
 *
 * Between take and give_back SIGINT, SIGTERM and SIGHUP are held back: the caller checks
 * pw_rebind_interrupted(). Only SIGKILL leaves the device with vfio-pci.
 */
#ifndef PW_BENCH_REBIND_H
#define PW_BENCH_REBIND_H

#include <signal.h>

#include "bench/ifstate.h"
#include "host/bind.h"

struct pw_rebind {
	struct pw_ifstate state;
	struct pw_bind was;
	sigset_t signals; /* of the thread, before */
	bool taken, held;
};

/* Why the interface must not or cannot be taken: default route, bridge, no IOMMU group, no vfio-pci,
 * no PCI device, more than one interface on it, VFs, another network namespace than the host's. */
int pw_rebind_check(const char *interface, struct pw_err *err);

/* Call pw_rebind_give_back() also after an error. */
int pw_rebind_take(struct pw_rebind *rb, const char *interface, struct pw_err *err);

/* A signal is waiting. */
bool pw_rebind_interrupted(void);

/* Waits for the interface, and until it has carrier again. Errors name what is not as it was. */
int pw_rebind_give_back(struct pw_rebind *rb, struct pw_err *err);

#endif
