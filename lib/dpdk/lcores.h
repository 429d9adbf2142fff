/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Gives the threads behind a port's queues, one for each, a CPU and a DPDK lcore. The first queue belongs to
 * the thread that started EAL.
 */
#ifndef PW_DPDK_LCORES_H
#define PW_DPDK_LCORES_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "dpdk/eal.h"

struct pw_lcores {
	cpu_set_t cpus; /* that threads may use */
	bool pinned;    /* each queue's thread has one of them for itself */
	bool shared;    /* secondary processes may attach: no lcores for threads */
	const struct pw_log *log;
};

/* Called by the first queue's thread. ours: the CPUs are for this process alone. */
void pw_lcores_init(struct pw_lcores *l, uint16_t n_queues, bool ours, const struct pw_eal *eal,
	const struct pw_log *log);

/* A thread calls them before it drives queue `index`, and after. They do nothing for queue 0. */
void pw_lcores_enter(const struct pw_lcores *l, uint16_t index);
void pw_lcores_leave(const struct pw_lcores *l, uint16_t index);

#endif
