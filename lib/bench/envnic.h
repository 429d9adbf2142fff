/* SPDX-License-Identifier: BSD-3-Clause */
/* What a network interface is and does for the CPU, as items of the environment. */
#ifndef PW_BENCH_ENVNIC_H
#define PW_BENCH_ENVNIC_H

#include "bench/env.h"
#include "host/sysfs.h"

/* Firmware and offloads are known of this host's interfaces only. */
void pw_envnic_read(struct pw_env *env, const struct pw_sysroot *root, const char *nic);

#endif
