/* SPDX-License-Identifier: BSD-3-Clause */
/* Who chooses the kernel of this system and its command line: the system itself, or the one that starts it. */
#ifndef PW_HOST_BOOT_H
#define PW_HOST_BOOT_H

#include <stdbool.h>

#include "host/sysfs.h"

struct pw_boot {
	bool is_guest; /* of a hypervisor */
	/* No image of the running kernel is installed here: a hypervisor brings it (QEMU's -kernel, Firecracker), or
	 * this is a container. No boot loader's configuration changes its command line then. */
	bool kernel_is_given;
};

void pw_boot_read(const struct pw_sysroot *root, struct pw_boot *boot);

#endif
