/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A network interface of the kernel. On this host the kernel is asked by ioctl, since /sys shows
 * the network namespace that it was mounted in, not always ours; below a test's root /sys answers.
 */
#ifndef PW_HOST_NETIF_H
#define PW_HOST_NETIF_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "host/sysfs.h"

struct pw_netif {
	char name[IFNAMSIZ];
	unsigned int index;
	uint8_t mac[6]; /* zeros where there is none (loopback, tun) */
	uint32_t mtu;   /* IP bytes */
	bool up;        /* set up; says nothing of the carrier */
	bool loopback;
	bool carrier;
	int node;        /* NUMA node, -1 = unknown or virtual */
	char driver[32]; /* "veth", "mlx5_core", "" = unknown */
	char pci[16];    /* its PCI function, "" = none */
	bool has_ipv4, has_ipv6_global, has_ipv6_linklocal;
	uint8_t ipv4[4], ipv6_global[16], ipv6_linklocal[16]; /* the first of each */
};

/* Which families' default routes leave by an interface. */
enum { PW_ROUTE_IPV4 = 1, PW_ROUTE_IPV6 = 2 };

/* -ENODEV: no such interface. */
int pw_netif_query(const char *name, struct pw_netif *out, struct pw_err *err);

/* As above for any root; addresses are known of this host only. */
int pw_netif_read(
	const struct pw_sysroot *root, const char *name, struct pw_netif *out, struct pw_err *err);

/* -1: unknown, no such interface, or a virtual one. */
int pw_netif_node(const char *name);

unsigned int pw_netif_default_routes(const struct pw_sysroot *root, const char *name);

/* Packet sockets that see every packet of the interface (captures, DHCP clients, af_packet
 * receivers): each one costs the kernel a clone of every packet. Those of all interfaces count. */
unsigned int pw_netif_n_taps(const struct pw_sysroot *root, const char *name);

#endif
