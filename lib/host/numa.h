/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory on the right node. Nodes are those of /sys/devices/system/node; -1 means "any". */
#ifndef PW_HOST_NUMA_H
#define PW_HOST_NUMA_H

#include <stdint.h>

#include "base/err.h"
#include "host/sysfs.h"

#define PW_NUMA_SAMPLES 32

/* Nodes of this host, at least 1. */
unsigned int pw_numa_n_nodes(const struct pw_sysroot *root);

/* From now on the calling thread's new pages, huge ones and page cache included, come from node
 * while it has any. -1 goes back to where the thread runs. */
void pw_numa_prefer(int node);

/* Where the pages of memory lie that are there: looks at up to PW_NUMA_SAMPLES of them, spread over it,
 * and brings none in. counts[n_nodes] as below; all are 0 where none was there. -errno where the kernel
 * does not tell. */
int pw_numa_of_memory(const void *p, uint64_t bytes, unsigned int *counts, unsigned int n_nodes);

/* Where the pages of a file on hugetlbfs lie: looks at up to PW_NUMA_SAMPLES of them, spread over
 * the file. counts[n_nodes] is how many of the samples each node holds. Allocates nothing: -ENODATA
 * when the file is empty or has holes. */
int pw_numa_of_hugefile(const char *path, uint64_t page_bytes, unsigned int *counts,
	unsigned int n_nodes, struct pw_err *err);

#endif
