/* SPDX-License-Identifier: BSD-3-Clause */
/* The wire nic:NAME: an existing interface of this host, and a receiver on another host. */
#ifndef PW_BENCH_WIRENIC_H
#define PW_BENCH_WIRENIC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/frame.h"

struct pw_wirenic {
	char name[16];   /* of the interface */
	char pci[16];    /* its PCI function; "" = none */
	bool bifurcated; /* its poll-mode driver works beside the kernel's */
	uint32_t mtu;    /* of the interface */
	uint8_t mac[6], to_mac[6];
	struct pw_addr from; /* the address that the kernel sends from; port 0 */
};

/* Describes interface nic and its route to `to`. Changes nothing but the neighbour table: a datagram to
 * port 9 (discard) makes the kernel resolve the receiver's MAC. Takes at most 3 s. mtu: what the
 * interface must carry at least. */
int pw_wirenic_query(struct pw_wirenic *out, const char *nic, const struct pw_addr *to,
	uint32_t mtu, struct pw_err *err);

#endif
