/* SPDX-License-Identifier: BSD-3-Clause */
/* What user space needs to drive a device: the IOMMU, and the kernel modules of VFIO and UIO. */
#ifndef PW_HOST_IOMMU_H
#define PW_HOST_IOMMU_H

#include <stdbool.h>

#include "host/sysfs.h"

enum pw_module {
	PW_MODULE_ABSENT,   /* neither built in nor an installed module */
	PW_MODULE_LOADABLE, /* modprobe would find it */
	PW_MODULE_LOADED,   /* or built in */
};

struct pw_iommu {
	unsigned int n_iommus; /* that the kernel drives */
	unsigned int n_groups; /* of devices; 0: nothing is translated */
	bool cmdline_off;      /* the kernel's command line turns it off */
	bool amd;              /* an AMD CPU: its IOMMU is on by default */
	enum pw_module vfio_pci, uio_pci_generic, igb_uio;
	bool noiommu_known; /* VFIO is loaded and was built with that mode */
	bool noiommu;       /* enable_unsafe_noiommu_mode is set */
};

void pw_iommu_read(const struct pw_sysroot *root, struct pw_iommu *iommu);

/* name as modprobe takes it; '-' and '_' are the same. */
enum pw_module pw_module_state(const struct pw_sysroot *root, const char *name);

#endif
