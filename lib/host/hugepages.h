/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host's pools of huge pages, one per NUMA node and page size, and where hugetlbfs is mounted.
 * A free page may be reserved: a program has mapped it and not touched it yet. The kernel counts reserved pages
 * per size, not per node.
 */
#ifndef PW_HOST_HUGEPAGES_H
#define PW_HOST_HUGEPAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "host/sysfs.h"

#define PW_HUGE_POOLS_MAX  128 /* nodes times sizes; x86 has two sizes, arm64 four */
#define PW_HUGE_SIZES_MAX  8
#define PW_HUGE_MOUNTS_MAX 16

struct pw_hugepool {
	int node; /* -1: the kernel knows no nodes */
	uint64_t page_bytes;
	uint64_t n_total, n_free, n_surplus;
};

struct pw_hugesize {
	uint64_t page_bytes;
	uint64_t n_reserved;   /* of the free pages, over all nodes */
	uint64_t n_overcommit; /* pages the kernel may add on demand; it may fail to */
};

struct pw_hugemount {
	char dir[256];
	uint64_t page_bytes;
	uint64_t limit_bytes; /* the mount's size= option, 0 = none */
	bool read_only;
};

struct pw_hugepages {
	struct pw_hugepool pools[PW_HUGE_POOLS_MAX];
	struct pw_hugesize sizes[PW_HUGE_SIZES_MAX];
	struct pw_hugemount mounts[PW_HUGE_MOUNTS_MAX];
	unsigned int n_pools, n_sizes, n_mounts;
	uint64_t default_page_bytes; /* 0: a kernel without huge pages */
};

/* -ENOTSUP: a kernel without huge pages; the struct is then empty. Cold; root may be NULL. */
int pw_hugepages_read(const struct pw_sysroot *root, struct pw_hugepages *hp, struct pw_err *err);

/* Bytes that can be allocated now, over all sizes and nodes: free and not reserved. */
uint64_t pw_hugepages_free_bytes(const struct pw_hugepages *hp);

/* The same in pages of one size. node -1: over all nodes; else at most the free pages of that node. */
uint64_t pw_hugepages_free(const struct pw_hugepages *hp, uint64_t page_bytes, int node);
uint64_t pw_hugepages_total(const struct pw_hugepages *hp, uint64_t page_bytes, int node);

#endif
