/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who would miss an interface that was taken from the kernel. Being up, with a carrier and a
 * link-local address, is no use: every system's daemons leave idle ports so.
 *
 * On this host rtnetlink tells, for the network namespace of the calling thread. Below a test's root
 * /proc and /sys tell what they can: no IPv4 addresses, the main table's IPv4 routes only.
 */
#ifndef PW_HOST_IFUSE_H
#define PW_HOST_IFUSE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "host/sysfs.h"

struct pw_ifuse {
	char name[IFNAMSIZ];
	uint32_t mtu;
	bool elsewhere; /* not in this network namespace: nothing else is known */
	bool up;
	bool default_ipv4, default_ipv6; /* in any table, also as one of several next hops */
	unsigned int n_addrs;            /* beside link-local ones */
	char addr[64];                   /* the first of them, "10.0.0.1/24" */
	char master[IFNAMSIZ];           /* bridge, bond, team that it is part of; "" = none */
	char upper[IFNAMSIZ];            /* VLAN or the like that stands on it; "" = none */
	bool xdp;                        /* has an XDP program */
};

int pw_ifuse_read(
	const struct pw_sysroot *root, const char *name, struct pw_ifuse *use, struct pw_err *err);

/* "the IPv4 default route leaves by it, it has the address 10.0.0.1/24"; "" and false: nobody would. */
bool pw_ifuse_tell(const struct pw_ifuse *use, char *buf, size_t len);

#endif
