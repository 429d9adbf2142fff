/* SPDX-License-Identifier: BSD-3-Clause */
/* PCI network devices: their drivers, interfaces, NUMA nodes and IOMMU groups. */
#ifndef PW_HOST_PCI_H
#define PW_HOST_PCI_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "host/sysfs.h"

#define PW_PCI_ADDR_LEN 16 /* "0000:3b:00.0" and NUL; domains may have more digits */

struct pw_pci_dev {
	char addr[PW_PCI_ADDR_LEN];
	uint16_t vendor, device;
	uint32_t class_code; /* 0x020000: Ethernet */
	char driver[32];     /* "" = none bound */
	int node;            /* -1 = unknown */
	int iommu_group;     /* -1 = none */
	unsigned int n_netdevs;
	char netdevs[4][IFNAMSIZ]; /* the first of them */
};

/* "3b:00.0,arg=1" -> "0000:3b:00.0"; -EINVAL when s starts with no PCI address. */
int pw_pci_normalize(const char *s, char addr[PW_PCI_ADDR_LEN]);

/* s: any form that normalizes. -ENODEV: no such device. */
int pw_pci_read(
	const struct pw_sysroot *root, const char *s, struct pw_pci_dev *dev, struct pw_err *err);

/* Devices of class 0x02, by address; returns how many were filled. */
unsigned int pw_pci_list_net(
	const struct pw_sysroot *root, struct pw_pci_dev *devs, unsigned int max);

/* Devices in an IOMMU group, other than addr, that a driver other than VFIO's holds: VFIO does not open such a
 * group. Returns how many; others gets their addresses, separated by spaces, and "..." if not all fit. */
#define PW_PCI_GROUP_LEN 160
unsigned int pw_pci_group_busy(
	const struct pw_sysroot *root, int group, const char *addr, char others[PW_PCI_GROUP_LEN]);

/* Drivers that give the device to user space. */
bool pw_pci_driver_is_vfio(const char *driver);
bool pw_pci_driver_is_uio(const char *driver);
/* Drivers that DPDK's driver works together with (mlx5): the device keeps them. */
bool pw_pci_driver_is_bifurcated(const char *driver);

/* Of this host: -1 when unknown. */
int pw_pci_node(const char *s);
bool pw_pci_is_vfio(const char *s);

#endif
