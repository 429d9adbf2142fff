/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a primary process that shares its memory owes: dpdk-dumpcap and other secondaries map its
 * hugepage files, and EAL leaves those behind, full, when it ends.
 */
#ifndef PW_DPDK_SHARE_H
#define PW_DPDK_SHARE_H

#include "base/err.h"

/* After EAL's start: answers requests to capture. Costs the fast path nothing until one comes. */
int pw_share_start(struct pw_err *err);

/* Ends EAL, and removes the hugepage files that it had. */
void pw_share_end_eal(void);

#endif
