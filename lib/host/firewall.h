/* SPDX-License-Identifier: BSD-3-Clause */
/* The nftables chains of this network namespace that see incoming packets; iptables-nft's are among them. */
#ifndef PW_HOST_FIREWALL_H
#define PW_HOST_FIREWALL_H

#include <stdbool.h>
#include <stdint.h>

struct pw_firewall {
	unsigned int n_chains;      /* with hook prerouting or input */
	unsigned int n_drop;        /* of them: drop what none of their rules accepts */
	char drops[100];            /* the first of those: "inet filter input" */
	bool counts;                /* it counts what it drops so */
	uint64_t n_dropped_packets; /* with counts */
};

/* family: 4 or 6. -EPERM: only CAP_NET_ADMIN may read them; -ENOTSUP: a kernel without nftables; other -errno. */
int pw_firewall_read(unsigned int family, struct pw_firewall *fw);

#endif
