/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Gives a PCI function to another driver, and back to the driver that had it.
 *
 *   check      reports what prevents it, and changes nothing
 *   take       driver_override, unbind, drivers_probe; remembers the former driver and its override
 *   give_back  the same in reverse
 *
 * The kernel's interfaces of the function disappear with its driver: their addresses and routes are lost
 * unless the caller saves them.
 */
#ifndef PW_HOST_BIND_H
#define PW_HOST_BIND_H

#include "base/err.h"
#include "host/pci.h"

struct pw_bind {
	char addr[PW_PCI_ADDR_LEN];
	char driver[32];   /* before; "" = none */
	char override[32]; /* driver_override before; "" = none */
};

/* Can `driver` get the function? -ENODEV: there is no such function; -ENOENT: the driver is not
 * loaded; -EOPNOTSUPP: VFIO, no IOMMU group, and its no-IOMMU mode is not set; -EBUSY: VFIO, and
 * other drivers hold functions of the same group. addr: any form that pw_pci_normalize() takes. */
int pw_bind_check(
	const struct pw_sysroot *root, const char *addr, const char *driver, struct pw_err *err);

/* Gives the function to `driver` and fills *was. After an error the former driver has it again, if
 * the kernel allows that. Needs root. */
int pw_bind_take(const struct pw_sysroot *root, const char *addr, const char *driver,
	struct pw_bind *was, struct pw_err *err);

/* Undoes take. Waits in the kernel while a program has the VFIO device open. */
int pw_bind_give_back(const struct pw_sysroot *root, const struct pw_bind *was, struct pw_err *err);

#endif
