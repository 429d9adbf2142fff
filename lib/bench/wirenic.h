/* SPDX-License-Identifier: BSD-3-Clause */
/* The wire that is not ours: an interface that is there, and a receiver on another host. */
#ifndef PW_BENCH_WIRENIC_H
#define PW_BENCH_WIRENIC_H

#include "bench/wire.h"

/* Fills w->source_if, mtu and flow from interface nic and its route to `to`; changes nothing but
 * the neighbour table, which a datagram to port 9 (discard) fills. At most 3 s. mtu 0: the
 * interface's. */
int pw_wirenic_open(struct pw_wire *w, const char *nic, const struct pw_addr *to, uint32_t mtu,
	struct pw_err *err);

#endif
