/* SPDX-License-Identifier: BSD-3-Clause */
/* The limits and capabilities of this process, the kernel's lockdown, and the available memory. */
#ifndef PW_HOST_LIMITS_H
#define PW_HOST_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "host/sysfs.h"

#define PW_MEMLOCK_UNLIMITED UINT64_MAX

struct pw_limits {
	uint64_t memlock_bytes;     /* RLIMIT_MEMLOCK's soft limit; CAP_IPC_LOCK lifts it */
	uint64_t memlock_max_bytes; /* the hard limit: `ulimit -l` goes up to it without root */
	bool ipc_lock, sys_admin, sys_rawio, net_admin, net_raw, bpf; /* effective capabilities */
};

enum pw_lockdown {
	PW_LOCKDOWN_NONE, /* also where the kernel has no lockdown, or hides it */
	PW_LOCKDOWN_INTEGRITY,
	PW_LOCKDOWN_CONFIDENTIALITY,
};

/* Of this process; there is no root for tests. libcap-ng keeps state: call this from one thread only. */
void pw_limits_read(struct pw_limits *limits);

enum pw_lockdown pw_lockdown_read(const struct pw_sysroot *root);

/* Memory that can be allocated without swapping; 0: unknown. */
uint64_t pw_memory_available(const struct pw_sysroot *root);

#endif
