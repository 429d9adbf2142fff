/* SPDX-License-Identifier: BSD-3-Clause */
/* The transmitter's queues, and the threads that drive those behind the first. */
#include <pthread.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <string.h>

#include "dpdk/txdev.h"

void *pw_dpdk_tx_queue(struct pw_dpdk_tx *tx, uint16_t i)
{
	return i ? &tx->more[i - 1] : &tx->q;
}

uint16_t pw_dpdk_tx_n_queues(const struct pw_dpdk_tx *tx)
{
	return tx->port.n_queues;
}

/* Each word whole; they are of one moment only while no thread sends. */
void pw_dpdk_tx_sum(struct pw_dpdk_tx *tx, struct pw_tx_counters *sum)
{
	enum { N_WORDS = sizeof(*sum) / sizeof(uint64_t) };
	uint64_t *to = (uint64_t *)sum;
	uint16_t i, w;

	static_assert(sizeof(*sum) % sizeof(uint64_t) == 0, "counters are words");
	memset(sum, 0, sizeof(*sum));
	for (i = 0; i < tx->port.n_queues; i++) {
		const struct pw_txq *q = pw_dpdk_tx_queue(tx, i);
		const uint64_t *from = (const uint64_t *)&q->c;

		for (w = 0; w < N_WORDS; w++)
			to[w] += __atomic_load_n(&from[w], __ATOMIC_RELAXED);
	}
}

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

/* With --core the user has given us these CPUs; else other programs run on them, too, and a thread
 * that cannot move waits for them. */
void pw_txqueues_pin(struct pw_dpdk_tx *tx, bool ours)
{
	const unsigned int n = tx->port.n_queues;
	unsigned int n_cpus;

	if (n == 1 || pthread_getaffinity_np(pthread_self(), sizeof(tx->cpus), &tx->cpus))
		return;
	n_cpus = (unsigned int)CPU_COUNT(&tx->cpus);
	if (n_cpus < n)
		pw_warn(tx->log,
			"%u queues share %u CPUs, which is slower than a queue for each; lower "
			"--queues, or name more in --core",
			n, n_cpus);
	else if (ours)
		tx->pinned = pin(&tx->cpus, 0);
}

/* An lcore of its own gives a thread its mempool caches. Where secondary processes may attach, DPDK
 * has none to give, and each mbuf goes through the pool's ring: correct, and slower. */
void pw_txqueues_enter(void *path)
{
	const struct pw_txq *q = path;

	if (q->queue_id == 0)
		return;
	if (q->dev->pinned)
		pin(&q->dev->cpus, q->queue_id);
	if (!q->dev->eal.shares && rte_thread_register())
		pw_warn(q->dev->log, "queue %u has no lcore: %s; it is slower", q->queue_id,
			rte_strerror(rte_errno));
}

void pw_txqueues_leave(void *path)
{
	const struct pw_txq *q = path;

	if (q->queue_id && !q->dev->eal.shares)
		rte_thread_unregister();
}
