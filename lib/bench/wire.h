/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes the wires of the comparison. Their network namespaces have no names, so they end with the last
 * process that holds their descriptors, even if it is killed. Programs that the bench starts inherit the
 * descriptors, under the same numbers, and keep the wire until they end.
 *
 *   loopback  | source + sink, lo |                         TCP and UDP
 *   sink      | source, ifb, static neighbour |             no receiver: the device counts
 *   veth      | source, pwa | ===== | pwb, sink |           two namespaces
 *   tap       | source, pwt | ==fd== DPDK net_tap, sink     one namespace
 *   vhost     | source | == unix socket == | sink |         no namespace: DPDK on both ends
 *   null      | source |                                    no wire: what pagewire itself costs
 *   nic:NAME  | source, NAME | ---- a remote pagewire recv  or, taken from the kernel, its PCI function
 */
#ifndef PW_BENCH_WIRE_H
#define PW_BENCH_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/frame.h"

enum pw_wire_kind {
	PW_WIRE_LOOPBACK,
	PW_WIRE_SINK,
	PW_WIRE_VETH,
	PW_WIRE_TAP,
	PW_WIRE_VHOST,
	PW_WIRE_NULL,
	PW_WIRE_NIC,
	PW_WIRE_N
};

struct pw_wire {
	enum pw_wire_kind kind;
	char text[64]; /* "veth", "nic:eth1" */
	uint32_t mtu;  /* of the interfaces */
	int source_ns; /* network namespace of the sender, -1 = ours */
	int sink_ns;   /* of the receiver, -1 = ours; the same descriptor where it is the same */
	char source_if[16];  /* where frames leave; "" = none */
	char sink_if[16];    /* tap: the sink's device, which the sink makes */
	struct pw_flow flow; /* complete: addresses, UDP port, MACs, ttl */
	char socket[96];     /* vhost: the unix socket's path */
	char pci[16];        /* nic: its PCI function, "" = none */
	bool bifurcated;     /* nic: its poll-mode driver works beside the kernel's */
};

const char *pw_wire_name(enum pw_wire_kind k); /* "loopback" */
/* What a reader must know beside this wire's figures; one line. */
const char *pw_wire_caveat(enum pw_wire_kind k);

/* "veth", "nic:eth1". text is PW_WIRE's name for the error. */
int pw_wire_parse(const char *text, enum pw_wire_kind *k, const char **nic, struct pw_err *err);

/* Makes namespaces and interfaces; work_dir is for the socket. nic: the interface, `to` its remote
 * receiver (both NULL otherwise); the MAC is asked of the kernel's neighbour table. -EPERM, -ENODEV,
 * -EOPNOTSUPP: this host lacks what the wire needs; err has the reason. */
int pw_wire_open(struct pw_wire *w, enum pw_wire_kind kind, const char *nic,
	const struct pw_addr *to, uint32_t mtu, const char *work_dir, struct pw_err *err);
/* tap: the sink has made its device; gives it addresses and the neighbour. Others: nothing. */
int pw_wire_sink_ready(struct pw_wire *w, struct pw_err *err);
/* In a child, before threads: enter the namespace; -1: nothing. */
int pw_wire_enter(int ns, struct pw_err *err);

/* The device's own counters since it was made: what `sink` and `nic` deliver by. Frames without FCS.
 * Segments of a GSO train are counted one by one by the queue before the device; some drivers take a
 * train for one, some count late. -EOPNOTSUPP: vhost, null. */
struct pw_wire_count {
	uint64_t packets;
	uint64_t bytes;
	uint64_t dropped;
	uint64_t waiting;                    /* nic: in the queue now */
	uint64_t queue_packets, queue_bytes; /* of the queue, which some ways go past */
};
/* What came between two readings: a way is counted whole by the device or by its queue. */
struct pw_wire_count pw_wire_between(
	const struct pw_wire_count *before, const struct pw_wire_count *after);
int pw_wire_count(const struct pw_wire *w, struct pw_wire_count *c, struct pw_err *err);

/* True when a packet tap (tcpdump, lldpd: ETH_P_ALL) hears the source's namespace: every way would
 * pay for its copies. who gets the text of the line of /proc/net/ptype. */
bool pw_wire_has_tap(const struct pw_wire *w, char *who, size_t len);

void pw_wire_close(struct pw_wire *w); /* accepts a zeroed one whose ns are -1 */

#endif
