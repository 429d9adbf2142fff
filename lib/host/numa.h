/* SPDX-License-Identifier: BSD-3-Clause */
/* NUMA nodes: where new memory comes from, and where existing pages are. Nodes are those of /sys/devices/system/node; -1 means "any". */
#ifndef PW_HOST_NUMA_H
#define PW_HOST_NUMA_H

#include <stdint.h>

#include "base/err.h"
#include "host/sysfs.h"

#define PW_NUMA_SAMPLES 32

/* Nodes of this host, at least 1. */
unsigned int pw_numa_n_nodes(const struct pw_sysroot *root);

/* From now on new pages of the calling thread, including huge pages and page cache, come from node while it has
 * free pages. -1: from the node on which the thread runs. */
void pw_numa_prefer(int node);

/* Finds the nodes of memory: examines up to PW_NUMA_SAMPLES present pages, spread over it, and reads none in.
 * counts[n_nodes] as below; all are 0 if no page was present. -errno if the kernel does not know. */
int pw_numa_of_memory(const void *p, uint64_t bytes, unsigned int *counts, unsigned int n_nodes);

/* Finds the nodes of a file on hugetlbfs: examines up to PW_NUMA_SAMPLES of its pages, spread over
 * the file. counts[n_nodes] is how many of the samples each node holds. Allocates nothing: -ENODATA
 * when the file is empty or has holes. */
int pw_numa_of_hugefile(const char *path, uint64_t page_bytes, unsigned int *counts,
	unsigned int n_nodes, struct pw_err *err);

#endif
