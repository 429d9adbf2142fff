/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For --shared-mem: dpdk-dumpcap and other secondary processes map EAL's hugepage files. EAL does not remove
 * those files when it ends, and they would keep their huge pages.
 */
#ifndef PW_DPDK_SHARE_H
#define PW_DPDK_SHARE_H

#include "base/err.h"

/* Called after EAL's start: answers requests to capture. Costs the fast path nothing until one comes. */
int pw_share_start(struct pw_err *err);

/* Removes the hugepage files. Call it before EAL's end, which closes the descriptors that lead to them. */
void pw_share_end(void);

#endif
