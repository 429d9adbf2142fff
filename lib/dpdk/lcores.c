/* SPDX-License-Identifier: BSD-3-Clause */
/* CPUs and DPDK lcores of the threads behind a port's queues; see lcores.h. */
#include "dpdk/lcores.h"

#include <pthread.h>
#include <rte_errno.h>
#include <rte_lcore.h>

static bool pin(const cpu_set_t *cpus, unsigned int index)
{
	cpu_set_t one;
	int cpu;

	CPU_ZERO(&one);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, cpus) && index-- == 0)
			break;
	if (cpu == CPU_SETSIZE)
		return false;
	CPU_SET(cpu, &one);
	return pthread_setaffinity_np(pthread_self(), sizeof(one), &one) == 0;
}

/* With --core the user has reserved these CPUs for us. Without, other programs run on them, and a pinned thread
 * would wait for those. */
void pw_lcores_init(struct pw_lcores *l, uint16_t n_queues, bool ours, const struct pw_eal *eal,
	const struct pw_log *log)
{
	unsigned int n_cpus;

	l->shared = eal->shares;
	l->log = log;
	if (n_queues == 1 || pthread_getaffinity_np(pthread_self(), sizeof(l->cpus), &l->cpus))
		return;
	n_cpus = (unsigned int)CPU_COUNT(&l->cpus);
	if (n_cpus < n_queues)
		pw_warn(log,
			"%u queues share %u CPUs, which is slower than a queue for each; lower "
			"--queues, or name more in --core",
			n_queues, n_cpus);
	else if (ours)
		l->pinned = pin(&l->cpus, 0);
}

/* An lcore gives a thread its mempool caches. Where secondary processes may attach, DPDK has no lcores for
 * threads, and each mbuf goes through the pool's ring, which is slower. */
void pw_lcores_enter(const struct pw_lcores *l, uint16_t index)
{
	if (index == 0)
		return;
	if (l->pinned)
		pin(&l->cpus, index);
	if (!l->shared && rte_thread_register())
		pw_warn(l->log, "queue %u has no lcore: %s; it is slower", index,
			rte_strerror(rte_errno));
}

void pw_lcores_leave(const struct pw_lcores *l, uint16_t index)
{
	if (index && !l->shared)
		rte_thread_unregister();
}
