/* SPDX-License-Identifier: BSD-3-Clause */
/* Warns once when CPUs, EAL memory or file pages are on another NUMA node than the port. */
#include "host/near.h"

#include <string.h>

#include "host/cpu.h"
#include "host/numa.h"

#define NODES_MAX 64

void pw_near_init(struct pw_near *n, const struct pw_sysroot *root, const struct pw_log *log,
	const char *port, int node)
{
	memset(n, 0, sizeof(*n));
	n->root = root;
	n->log = log;
	n->port = port;
	n->n_nodes = pw_numa_n_nodes(root);
	n->node = n->n_nodes > 1 && node < NODES_MAX ? node : -1;
}

void pw_near_cpus(struct pw_near *n, const cpu_set_t *cpus)
{
	char far_list[64], near_list[64];
	cpu_set_t near, far;

	if (n->node < 0 || pw_cpu_of_node(n->root, n->node, &near))
		return;
	CPU_AND(&far, cpus, &near);
	CPU_XOR(&far, &far, cpus);
	if (CPU_COUNT(&far) == 0)
		return;
	pw_warn(n->log,
		"%s is on NUMA node %d, and the CPUs that poll it (%s) are not: each descriptor "
		"and "
		"packet header crosses the interconnect; give --core CPUs of %s (pagewire doctor: "
		"nic.numa)",
		n->port, n->node, pw_cpu_list_format(&far, far_list, sizeof(far_list)),
		pw_cpu_list_format(&near, near_list, sizeof(near_list)));
}

/* How many of the examined pages are on another node; *all: how many were present. */
static unsigned int count_far(
	const struct pw_near *n, const void *p, uint64_t bytes, unsigned int *all)
{
	unsigned int counts[NODES_MAX], i;

	*all = 0;
	if (pw_numa_of_memory(p, bytes, counts, NODES_MAX) < 0)
		return 0;
	for (i = 0; i < NODES_MAX; i++)
		*all += counts[i];
	return *all - counts[n->node];
}

void pw_near_memory(struct pw_near *n, const void *p, uint64_t bytes)
{
	unsigned int far, all;

	if (n->node < 0 || n->reported_memory)
		return;
	far = count_far(n, p, bytes, &all);
	if (far == 0)
		return;
	n->reported_memory = true;
	pw_warn(n->log,
		"%s is on NUMA node %d, and %u of %u pages of EAL's memory looked at are not: each "
		"packet header crosses the interconnect, and with it all that is staged; reserve "
		"huge pages there (pagewire doctor: nic.numa)",
		n->port, n->node, far, all);
}

void pw_near_file(struct pw_near *n, const void *p, uint64_t bytes)
{
	unsigned int far, all;

	if (n->node < 0 || n->reported_file)
		return;
	far = count_far(n, p, bytes, &all);
	if (far == 0)
		return;
	n->reported_file = true;
	pw_warn(n->log,
		"%s is on NUMA node %d, and %u of %u pages looked at of a file are not: every byte "
		"of theirs crosses the interconnect; stage it there, `numactl --membind=%d "
		"pagewire "
		"stage` (pagewire doctor: file.numa)",
		n->port, n->node, far, all, n->node);
}
