/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ways that the bench compares: every way to send a file from this machine, and the wires on which it runs.
 *
 *   kernel   an entry of lib/kernel's table
 *   bypass   a poll-mode driver and where its pages come from
 */
#ifndef PW_BENCH_WAY_H
#define PW_BENCH_WAY_H

#include "bench/result.h"
#include "file/window.h"
#include "kernel/way.h"

struct pw_bench_way {
	const char *name;            /* "udp_gso", "dpdk_vhost": what --ways takes */
	const char *label;           /* "dpdk_vhost stage": what tables say */
	const char *summary;         /* the calls it makes, or the driver and its pages */
	const struct pw_way *kernel; /* NULL: bypass */
	const char *port;            /* bypass: PORT's prefix, "vhost:" */
	const char *sink_port;       /* bypass on vhost: the receiver's prefix */
	enum pw_pages pages;         /* bypass: the provider */
	unsigned int wires;          /* 1 << enum pw_wire_kind, where it can run */
	bool takes_device; /* bypass on a NIC's PCI function, which the kernel's driver gives away */
	bool unseen_copy;  /* the driver copies payload where no probe sees it: not measured */
};

#define PW_BENCH_WAYS_MAX 48

/* Fills ways[PW_BENCH_WAYS_MAX] and returns how many there are. Strings live as long as the
 * program. */
size_t pw_bench_ways(struct pw_bench_way *ways);

bool pw_bench_way_is_stream(const struct pw_bench_way *way);

/* What the kernel's source, or the driver's, says that the way costs there; docs/bench-method.md has
 * the derivations. */
struct pw_expected pw_bench_expect(
	const struct pw_bench_way *way, enum pw_wire_kind wire, bool cold);

#endif
