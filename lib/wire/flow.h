/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The flow that a captured frame belongs to: the same key, and so the same hash, in both directions. A queue that is chosen by
 * the hash keeps the order within each flow.
 *
 *   TCP, UDP, UDP-Lite, SCTP, DCCP     addresses, ports and protocol
 *   other IP, IPv4 ARP                 addresses (of ARP: the sender's and the target's)
 *   fragments, the first one also      addresses
 *   other Ethernet                     MACs
 *
 * Fragments of a datagram so stay in order, but not with the whole datagrams of their flow. VLAN tags do not count: in many
 * networks the two directions have different ones.
 */
#ifndef PW_WIRE_FLOW_H
#define PW_WIRE_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_flow_key {
	uint8_t addr[2][16]; /* the lower end first; IPv4 and MACs in the first bytes */
	uint16_t port[2];    /* host order; 0: none */
	uint8_t family;      /* 4, 6; 0: MACs */
	uint8_t proto;       /* 0: no ports */
	bool is_reversed;    /* this frame goes from end 1 to end 0; not part of the flow */
	uint8_t pad;         /* 0 */
};

/* frame[len], Ethernet: the first min(len, PW_HEADERS_LOOK) bytes have to be readable in one piece. A frame that is
 * cut gets the key of what is there; one below 12 bytes the key 0. */
void pw_flow_key_of(struct pw_flow_key *key, const uint8_t *frame, size_t len);

/* Of all fields but is_reversed. The same on every host and in every run. */
uint64_t pw_flow_hash(const struct pw_flow_key *key);

/* A queue below n_queues (>= 1) for this hash. */
static inline uint32_t pw_flow_queue(uint64_t hash, uint32_t n_queues)
{
	return (uint32_t)((hash >> 32) * n_queues >> 32);
}

#endif
