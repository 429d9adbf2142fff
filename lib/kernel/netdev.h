/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/kernel: the interface on which frames are sent or received. */
#ifndef PW_KERNEL_NETDEV_H
#define PW_KERNEL_NETDEV_H

#include "base/err.h"

struct pw_netdev {
	char name[16];
	unsigned int index;
	int ctl; /* a socket for ioctls about it; -1: not open */
};

/* what: "send" or "receive", for the errors; name may be NULL. -EINVAL: no name; -ENODEV: no such interface. */
int pw_netdev_open(struct pw_netdev *d, const char *what, const char *name, struct pw_err *err);
/* After pw_netdev_open(), which may have failed. */
void pw_netdev_close(struct pw_netdev *d);

/* Its IFF_* flags; 0: it is gone. */
int pw_netdev_flags(const struct pw_netdev *d);

#endif
