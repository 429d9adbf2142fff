/* SPDX-License-Identifier: BSD-3-Clause */
/* The host's CPUs: which are online, their nodes, which are isolated, and their frequency governors. */
#ifndef PW_HOST_CPU_H
#define PW_HOST_CPU_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "host/sysfs.h"

/* "0-3,7" -> a set. Refuses empty lists, backward ranges and CPUs beyond CPU_SETSIZE (1024); what:
 * how errors name the list ("--core"). */
int pw_cpu_list_parse(const char *what, const char *s, cpu_set_t *set, struct pw_err *err);
/* A set -> "0-3,7"; it ends in "..." when buf is too short. Returns buf. */
char *pw_cpu_list_format(const cpu_set_t *set, char *buf, size_t len);

/* Sets from the kernel's lists. -errno when the host has no such list; the set is then empty. */
int pw_cpu_online(const struct pw_sysroot *root, cpu_set_t *set);
int pw_cpu_of_node(const struct pw_sysroot *root, int node, cpu_set_t *set);
int pw_cpu_isolated(const struct pw_sysroot *root, cpu_set_t *set); /* isolcpus= */

/* NUMA node of a CPU, -1 when unknown. */
int pw_cpu_node(const struct pw_sysroot *root, int cpu);

/* "performance", "schedutil"; -ENOENT where the kernel does not scale frequencies (most guests). */
int pw_cpu_governor(const struct pw_sysroot *root, int cpu, char *buf, size_t len);

/* "KVMKVMKVM", "TCGTCGTCGTCG": how the hypervisor of this virtual CPU calls itself; "": it does not. Not for
 * the CPU of a bare host, where the answer has no meaning. */
void pw_cpu_hypervisor(char name[13]);

/* The CPUs of node that the calling thread may run on. If there are none, or node is -1: all CPUs that
 * it may run on. */
int pw_cpu_allowed(int node, cpu_set_t *set, struct pw_err *err);

#endif
