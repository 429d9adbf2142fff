/* SPDX-License-Identifier: BSD-3-Clause */
/* Counts NUMA nodes, sets where new memory comes from, and finds the nodes of existing pages. */
#include "host/numa.h"

#include <errno.h>
#include <fcntl.h>
#include <numa.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"

static int count_node(void *ctx, const char *name)
{
	int node;

	*(unsigned int *)ctx += sscanf(name, "node%d", &node) == 1;
	return 0;
}

unsigned int pw_numa_n_nodes(const struct pw_sysroot *root)
{
	unsigned int n = 0;

	pw_sysfs_each_entry(root, "/sys/devices/system/node", count_node, &n);
	return n ? n : 1;
}

void pw_numa_prefer(int node)
{
	if (numa_available() < 0)
		return;
	if (node < 0)
		numa_set_localalloc();
	else
		numa_set_preferred(node);
}

/* A page has a node once it is in this process's page table. Unlike a read, MADV_POPULATE_READ does not cause
 * SIGBUS when another program truncates the file. */
static int sample(void *map, uint64_t n_pages, uint64_t page_bytes, unsigned int *counts,
	unsigned int n_nodes)
{
	uint64_t n = pw_min_u64(n_pages, PW_NUMA_SAMPLES);
	uint64_t i;

	for (i = 0; i < n; i++) {
		void *page = (char *)map + i * n_pages / n * page_bytes;
		int node = -1;

		if (madvise(page, page_bytes, MADV_POPULATE_READ))
			return -errno;
		if (numa_move_pages(0, 1, &page, NULL, &node, 0))
			return -errno;
		if (node < 0)
			return node;
		if ((unsigned int)node < n_nodes)
			counts[node]++;
	}
	return 0;
}

int pw_numa_of_memory(const void *p, uint64_t bytes, unsigned int *counts, unsigned int n_nodes)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	const uintptr_t first = (uintptr_t)p & ~(page - 1);
	const uint64_t n_pages = bytes ? ((uintptr_t)p + bytes - first + page - 1) / page : 0;
	const unsigned int n = (unsigned int)pw_min_u64(n_pages, PW_NUMA_SAMPLES);
	void *pages[PW_NUMA_SAMPLES];
	int nodes[PW_NUMA_SAMPLES];
	unsigned int i;

	memset(counts, 0, n_nodes * sizeof(*counts));
	for (i = 0; i < n; i++) {
		pages[i] = (void *)(first + i * n_pages / n * page);
		nodes[i] = -1;
	}
	if (n && numa_move_pages(0, n, pages, NULL, nodes, 0))
		return -errno;
	for (i = 0; i < n; i++)
		if (nodes[i] >= 0 && (unsigned int)nodes[i] < n_nodes)
			counts[nodes[i]]++;
	return 0;
}

int pw_numa_of_hugefile(const char *path, uint64_t page_bytes, unsigned int *counts,
	unsigned int n_nodes, struct pw_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t n_pages;
	struct stat st;
	void *map;
	int ret;

	memset(counts, 0, n_nodes * sizeof(*counts));
	if (fd < 0)
		return pw_err_sys(err, errno, "cannot find the NUMA node of %s", path);
	if (fstat(fd, &st)) {
		ret = pw_err_sys(err, errno, "cannot find the NUMA node of %s", path);
		goto close_fd;
	}
	n_pages = pw_div_ceil((uint64_t)st.st_size, page_bytes);
	if (n_pages == 0 || (uint64_t)st.st_blocks * 512 < n_pages * page_bytes) {
		ret = pw_err_set(err, ENODATA,
			"cannot find the NUMA node of %s: it has no pages, or holes", path);
		goto close_fd;
	}
	map = mmap(NULL, n_pages * page_bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		ret = pw_err_sys(err, errno, "cannot find the NUMA node of %s: map it", path);
		goto close_fd;
	}
	ret = sample(map, n_pages, page_bytes, counts, n_nodes);
	if (ret)
		pw_err_sys(err, -ret, "cannot find the NUMA node of %s", path);
	munmap(map, n_pages * page_bytes);

close_fd:
	close(fd);
	return ret;
}
