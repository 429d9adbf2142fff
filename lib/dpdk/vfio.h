/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A VFIO container of our own, for maps that the device may only read.
 *
 *   EAL's default container    maps for reading and writing; its file descriptor is not told
 *   rte_vfio_container_create  gives the descriptor away, and the maps in it are its owner's care:
 *                              EAL's memory, read-write, and the files' pages, read-only
 *
 * VFIO pins what it maps. Pages of the page cache can be pinned for reading, not for writing.
 */
#ifndef PW_DPDK_VFIO_H
#define PW_DPDK_VFIO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct pw_vfio {
	bool open;
	int container;
};

/* After EAL's start and before its probe of the device at this PCI address: takes the device's group
 * and maps EAL's memory, which may not grow from now on. */
int pw_vfio_open(struct pw_vfio *v, const char *address, struct pw_err *err);

/* Whole pages; the device sees them at iova and can read them. -errno. */
int pw_vfio_map(const struct pw_vfio *v, const void *va, uint64_t iova, uint64_t len_bytes);
void pw_vfio_unmap(const struct pw_vfio *v, uint64_t iova, uint64_t len_bytes);

/* After EAL has let go of the device. Accepts a zeroed struct. */
void pw_vfio_close(struct pw_vfio *v);

#endif
