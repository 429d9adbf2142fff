/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The properties of a network interface. On this host they come from ioctl, because /sys shows the network
 * namespace in which it was mounted, which may be another one. With the root of a test they come from /sys.
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
	bool up;        /* set up; independent of the carrier */
	bool loopback;
	bool carrier;
	int node;        /* NUMA node, -1 = unknown or virtual */
	char driver[32]; /* "veth", "mlx5_core", "" = unknown */
	char pci[16];    /* its PCI function, "" = none */
	bool has_ipv4, has_ipv6_global, has_ipv6_linklocal;
	uint8_t ipv4[4], ipv6_global[16], ipv6_linklocal[16]; /* the first of each */
};

/* The address families whose default route uses an interface. */
enum { PW_ROUTE_IPV4 = 1, PW_ROUTE_IPV6 = 2 };

/* -ENODEV: no such interface. */
int pw_netif_query(const char *name, struct pw_netif *out, struct pw_err *err);

/* The same for any root; addresses are known for this host only. */
int pw_netif_read(
	const struct pw_sysroot *root, const char *name, struct pw_netif *out, struct pw_err *err);

/* -1: unknown, no such interface, or a virtual one. */
int pw_netif_node(const char *name);

unsigned int pw_netif_default_routes(const struct pw_sysroot *root, const char *name);

/* Packet sockets that see every packet of the interface (captures, DHCP clients, af_packet
 * receivers): for each one the kernel clones every packet. Sockets for all interfaces count as well. */
unsigned int pw_netif_n_taps(const struct pw_sysroot *root, const char *name);

#endif
