/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A VFIO container of our own, for maps that the device may only read.
 *
 *   EAL's default container    maps for reading and writing; its file descriptor is private to EAL
 *   rte_vfio_container_create  returns the descriptor; the caller makes all maps in it: EAL's memory,
 *                              read-write, and the files' pages, read-only
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

/* Call it after EAL's start and before the probe of the device at this PCI address. Takes the device's group
 * and maps EAL's memory, which may not grow from now on. */
int pw_vfio_open(struct pw_vfio *v, const char *address, struct pw_err *err);

/* Whole pages; the device sees them at iova and can read them. -errno. */
int pw_vfio_map(const struct pw_vfio *v, const void *va, uint64_t iova, uint64_t len_bytes);
void pw_vfio_unmap(const struct pw_vfio *v, uint64_t iova, uint64_t len_bytes);

/* Call it after EAL has closed the device. Accepts a zeroed struct. */
void pw_vfio_close(struct pw_vfio *v);

#endif
