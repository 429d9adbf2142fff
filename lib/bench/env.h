/* SPDX-License-Identifier: BSD-3-Clause */
/* Describes the machine that a bench ran on, so that another lab can compare its results. */
#ifndef PW_BENCH_ENV_H
#define PW_BENCH_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PW_ENV_MAX 56

struct pw_env_item {
	char key[32];    /* "kernel", "cpu_model", "governor", "mitigations", "hugepages_2M" ... */
	char value[512]; /* "" is "unknown" */
};

struct pw_env {
	struct pw_env_item items[PW_ENV_MAX];
	size_t n;
};

/* Reads /proc and /sys below root ("" = the host's): kernel, CPU model, CPUs, governor, turbo,
 * mitigations, SMT, memory, hugepages, THP, NUMA nodes, hypervisor, clock source, lockdown, versions of
 * pagewire, libc, liburing, DPDK (dpdk_version: "" without), date in UTC, git revision of the build.
 * A value that cannot be read is "". bench/envnic.h adds a network interface. */
void pw_env_read(struct pw_env *env, const char *root, const char *dpdk_version);
/* A key that is there already gets the new value; beyond PW_ENV_MAX keys are dropped. */
void pw_env_add(struct pw_env *env, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
const char *pw_env_get(const struct pw_env *env, const char *key); /* NULL: not there */
/* What a reader must know beside every figure of this host, or NULL: an emulated CPU keeps no time. */
const char *pw_env_caveat(const struct pw_env *env);

extern const char pw_env_revision[]; /* `git describe` of the build, "-dirty" with changes; "" */

#endif
