/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads an interface, a route and a neighbour from the kernel by rtnetlink. Changes nothing. */
#ifndef PW_BENCH_WIRELINK_H
#define PW_BENCH_WIRELINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/frame.h"

struct pw_wirelink_count {
	uint64_t rx_packets, rx_bytes;
	uint64_t tx_packets, tx_bytes, tx_dropped;
	/* The root qdisc's, 0 where there is none. It counts the segments of a GSO train where a
	 * virtual device counts the train as one packet. */
	uint64_t qdisc_packets, qdisc_bytes, qdisc_dropped;
	uint64_t qdisc_waiting; /* frames or trains in it now */
};
/* Of the interface in namespace ns (-1: ours). -ENODEV: there is none of that name. */
int pw_wirelink_count(int ns, const char *name, struct pw_wirelink_count *c, struct pw_err *err);

struct pw_wirelink_route {
	unsigned int index; /* interface that packets leave by */
	bool local;         /* an address of this host */
	bool gateway;       /* not on the link */
	struct pw_addr src; /* what the kernel would send from; family 0: it does not say */
};
/* Where packets to dst go, in our namespace. -ENETUNREACH: nowhere. */
int pw_wirelink_route(
	const struct pw_addr *dst, struct pw_wirelink_route *route, struct pw_err *err);

/* The MAC of addr as the neighbour table of interface `index` has it, in our namespace. -ENOENT: it
 * has none (yet). */
int pw_wirelink_neigh(
	unsigned int index, const struct pw_addr *addr, uint8_t mac[6], struct pw_err *err);

#endif
