/* SPDX-License-Identifier: BSD-3-Clause */
/* Adds a network interface to the environment of a bench: driver, PCI address, MTU, firmware, offloads. */
#ifndef PW_BENCH_ENVNIC_H
#define PW_BENCH_ENVNIC_H

#include "bench/env.h"
/* Reads /sys below root ("" = the host's). Firmware and offloads are read with root "" only. */
void pw_envnic_read(struct pw_env *env, const char *root, const char *nic);

#endif
