/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Saves the settings of an interface, which are lost when its driver releases it, and restores them on the
 * interface that replaces it: name, MTU, MAC, queue length, up or down, addresses, routes, permanent
 * neighbours, IPv6 off.
 *
 *   save      the messages in which the kernel's rtnetlink describes the interface
 *   restore   the same messages with the new interface's index
 *
 * Not saved: queueing disciplines, ethtool's settings, learned neighbours, and routes by router
 * advertisement. All in the network namespace of the calling thread.
 */
#ifndef PW_BENCH_IFSTATE_H
#define PW_BENCH_IFSTATE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct pw_ifstate {
	char name[IFNAMSIZ];
	unsigned int index;
	uint32_t mtu, queue_len;
	uint8_t mac[6];
	uint8_t operstate; /* RFC 2863: up, down, unknown */
	bool up, ipv6_off;
	uint8_t ipv6_mode; /* how link-local addresses are made */
	bool has_ipv6;
	char *messages; /* struct nlmsghdr after struct nlmsghdr, aligned */
	size_t len, room;
};

/* -EBUSY: more hangs on the interface than can be put back (the default route, a bridge or bond, a
 * VLAN on it, multipath routes, an XDP program); err names it. */
int pw_ifstate_save(struct pw_ifstate *s, const char *name, struct pw_err *err);

/* Makes the interface called `now` what the saved one was. Does all that it can; the first thing that
 * failed is the error. */
int pw_ifstate_restore(const struct pw_ifstate *s, const char *now, struct pw_err *err);

/* True when it is as ready as it was: link up, and no address that is still checked for duplicates. */
bool pw_ifstate_is_ready(const struct pw_ifstate *s);

void pw_ifstate_finish(struct pw_ifstate *s); /* accepts a zeroed one */

#endif
