/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Giving a PCI function to another driver, and back to the one that had it.
 *
 *   check    what stands against it, before anything is touched
 *   take     driver_override, unbind, drivers_probe      -> who had it, and its override
 *   give_back  the same in reverse
 *
 * The kernel's interfaces of the function end with its driver: their addresses and routes are lost
 * unless the caller remembers them.
 */
#ifndef PW_HOST_BIND_H
#define PW_HOST_BIND_H

#include "base/err.h"
#include "host/pci.h"

struct pw_bind {
	char addr[PW_PCI_ADDR_LEN];
	char driver[32];   /* that had it; "" = none */
	char override[32]; /* its driver_override; "" = none */
};

/* May `driver` have the function? -ENODEV: there is no such function; -ENOENT: the driver is not
 * loaded; -EOPNOTSUPP: VFIO, no IOMMU group, and its no-IOMMU mode is not set; -EBUSY: VFIO, and
 * other drivers hold functions of the same group. addr: any form that pw_pci_normalize() takes. */
int pw_bind_check(
	const struct pw_sysroot *root, const char *addr, const char *driver, struct pw_err *err);

/* The same for VFIO's driver, loaded or not. bare: the no-IOMMU mode is, or will be, set. */
int pw_bind_check_group(const struct pw_sysroot *root, const struct pw_pci_dev *dev,
	const char *driver, bool bare, struct pw_err *err);

/* The function's driver_override, "" where there is none. */
void pw_bind_read_override(
	const struct pw_sysroot *root, const char *addr, char override[static 32]);

/* Gives the function to `driver` and fills *was. After an error the former driver has it again, if
 * the kernel lets it. Needs root. */
int pw_bind_take(const struct pw_sysroot *root, const char *addr, const char *driver,
	struct pw_bind *was, struct pw_err *err);

/* Undoes take. Waits in the kernel until nobody has the VFIO device open. */
int pw_bind_give_back(const struct pw_sysroot *root, const struct pw_bind *was, struct pw_err *err);

#endif
