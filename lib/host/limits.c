/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads the limits and capabilities of this process, the kernel's lockdown and the available memory. */
#include "host/limits.h"

#include <cap-ng.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static bool has(unsigned int capability)
{
	return capng_have_capability(CAPNG_EFFECTIVE, capability) == 1;
}

void pw_limits_read(struct pw_limits *limits)
{
	struct rlimit r;

	memset(limits, 0, sizeof(*limits));
	if (getrlimit(RLIMIT_MEMLOCK, &r) == 0) {
		limits->memlock_bytes =
			r.rlim_cur == RLIM_INFINITY ? PW_MEMLOCK_UNLIMITED : r.rlim_cur;
		limits->memlock_max_bytes =
			r.rlim_max == RLIM_INFINITY ? PW_MEMLOCK_UNLIMITED : r.rlim_max;
	}
	if (capng_get_caps_process())
		return;
	limits->ipc_lock = has(CAP_IPC_LOCK);
	limits->sys_admin = has(CAP_SYS_ADMIN);
	limits->sys_rawio = has(CAP_SYS_RAWIO);
	limits->net_admin = has(CAP_NET_ADMIN);
	limits->net_raw = has(CAP_NET_RAW);
	limits->bpf = has(CAP_BPF) || limits->sys_admin;
}

/* "none [integrity] confidentiality" */
enum pw_lockdown pw_lockdown_read(const struct pw_sysroot *root)
{
	char text[64];

	pw_sysfs_read(root, text, sizeof(text), "/sys/kernel/security/lockdown");
	if (strstr(text, "[integrity]"))
		return PW_LOCKDOWN_INTEGRITY;
	if (strstr(text, "[confidentiality]"))
		return PW_LOCKDOWN_CONFIDENTIALITY;
	return PW_LOCKDOWN_NONE;
}

static int find_available(void *ctx, char *line)
{
	unsigned long long kib;

	if (sscanf(line, "MemAvailable: %llu kB", &kib) != 1)
		return 0;
	*(uint64_t *)ctx = (uint64_t)kib << 10;
	return 1;
}

uint64_t pw_memory_available(const struct pw_sysroot *root)
{
	uint64_t bytes = 0;

	pw_sysfs_each_line(root, "/proc/meminfo", find_available, &bytes);
	return bytes;
}
