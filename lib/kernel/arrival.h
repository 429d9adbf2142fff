/* SPDX-License-Identifier: BSD-3-Clause */
/* The interface by which packets to an address of this host, or to a group, arrive. */
#ifndef PW_KERNEL_ARRIVAL_H
#define PW_KERNEL_ARRIVAL_H

#include <net/if.h>

#include "wire/addr.h"

/* a: as for pw_udpsock_open(), interface NULL or not. 1: name is the interface; 0: every one of them; -ENODEV: no
 * interface has the address, or no route leads to the group. */
int pw_arrival_interface(const struct pw_addr *a, const char *interface, char name[IF_NAMESIZE]);

#endif
