/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Warns when CPUs or memory that a port uses are on another NUMA node. Each kind is reported once, with its cost:
 *
 *   CPUs that poll    each descriptor, and what is read or written of a packet
 *   EAL's memory      mbufs and headers, and what is staged
 *   a file's pages    every byte that is sent
 *
 * There are no warnings for ports without a node and for hosts with one node.
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
	int node;         /* -1: no warnings */
	unsigned int n_nodes;
	bool reported_memory, reported_file;
};

/* node: the port's, -1 = none. */
void pw_near_init(struct pw_near *n, const struct pw_sysroot *root, const struct pw_log *log,
	const char *port, int node);

/* The CPUs on which the polling threads may run. */
void pw_near_cpus(struct pw_near *n, const cpu_set_t *cpus);
/* Memory of EAL: examines up to PW_NUMA_SAMPLES of its present pages. */
void pw_near_memory(struct pw_near *n, const void *p, uint64_t bytes);
/* The same for a file. Pages that are not in memory yet do not count. */
void pw_near_file(struct pw_near *n, const void *p, uint64_t bytes);

#endif
