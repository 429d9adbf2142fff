/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Starts and ends EAL, DPDK's environment abstraction layer. It starts once in a process, for one port. The
 * calling thread becomes the main lcore and is bound to cfg->set.cores; create threads that must not share
 * its CPU before.
 */
#ifndef PW_DPDK_EAL_H
#define PW_DPDK_EAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "dpdk/config.h"
#include "dpdk/portspec.h"

struct pw_eal_args;

struct pw_eal {
	bool started;
	bool keep;             /* pw_eal_stop() leaves EAL running, see ealkeep.h */
	bool huge;             /* EAL memory is on hugepages */
	bool iova_va;          /* IOVA as VA */
	bool stays_mapped;     /* until the process ends, see pw_driver_traits.leaves_handlers */
	bool shares;           /* secondaries may map its memory */
	int node;              /* NUMA node of the port, -1 = no preference */
	uint64_t memory_bytes; /* preallocated */
	FILE *log_stream;      /* takes EAL's and the drivers' lines */
	const struct pw_log *log;
	struct pw_eal_args *args; /* EAL keeps pointers into its argv */
	char last_line[152];      /* the last of the lines: why a start or a probe failed */
	char last_log[168];       /* see pw_eal_last_log() */
};

const char *pw_dpdk_version(void); /* "DPDK 22.11.11" */

/* true when this build of DPDK has the driver ("net_vhost"), as a plug-in or linked in. Works
 * before pw_eal_start(). */
bool pw_dpdk_has_driver(const char *driver);

/* From now on new pages of the calling thread, and of threads that it starts, come from the port's NUMA
 * node while that has any. pw_eal_start() does the same; this is for threads that are created before. */
void pw_dpdk_prefer_node(const struct pw_portspec *spec);

/* Starts EAL. Falls back to ordinary pages, with a warning that reports the cost, when no hugepage is
 * free and the port allows it. -ENOMEM, -EPERM, -ENODEV with the fix. */
int pw_eal_start(struct pw_eal *eal, const struct pw_dpdk_config *cfg,
	const struct pw_portspec *spec, const struct pw_log *log, struct pw_err *err);

/* From now on EAL's memory may not grow: a peer that has the memory table already (virtio_user) would not
 * see the new part, and no error would show it. */
int pw_eal_freeze_memory(struct pw_err *err);

/* The smallest pages that EAL's memory lies on. */
uint64_t pw_eal_page_bytes(void);

/* Ends EAL: hugepages and runtime files are given back, unless eal->stays_mapped. Does nothing without a start. */
void pw_eal_stop(struct pw_eal *eal);

/* " (DPDK: LINE)" with the last line that EAL or a driver logged, or "". Valid until the next call. */
const char *pw_eal_last_log(struct pw_eal *eal);

#endif
