/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Is what a port works with on the port's NUMA node? What is not is said once, with what it costs:
 *
 *   CPUs that poll    each descriptor, and what is read or written of a packet
 *   EAL's memory      mbufs and headers, and what is staged
 *   a file's pages    every byte that is sent
 *
 * Ports without a node, and hosts with one, have nothing far.
 */
#ifndef PW_HOST_NEAR_H
#define PW_HOST_NEAR_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "host/sysfs.h"

struct pw_near {
	const struct pw_sysroot *root; /* NULL: this host's */
	const struct pw_log *log;
	const char *port; /* as the user wrote it; the caller's */
	int node;         /* -1: there is nothing to tell */
	unsigned int n_nodes;
	bool told_memory, told_file;
};

/* node: the port's, -1 = none. */
void pw_near_init(struct pw_near *n, const struct pw_sysroot *root, const struct pw_log *log,
	const char *port, int node);

/* Where the polling threads may run; with more than one of them, where one may run. */
void pw_near_cpus(struct pw_near *n, const cpu_set_t *cpus);
/* Memory of EAL: its pages that are there are looked at, up to PW_NUMA_SAMPLES. */
void pw_near_memory(struct pw_near *n, const void *p, uint64_t bytes);
/* The same of a file; those of one that is not in memory yet tell nothing. */
void pw_near_file(struct pw_near *n, const void *p, uint64_t bytes);

#endif
