/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A memory copy that bypasses the CPU's caches (non-temporal stores), for bytes that are not read again soon.
 * Whole cache lines are written without being read first, which halves the memory traffic of the target.
 */
#ifndef PW_FILE_UNCACHED_COPY_H
#define PW_FILE_UNCACHED_COPY_H

#include <stddef.h>

/* As memcpy(). Other threads see the bytes only after this thread has called pw_uncached_fence(). */
void pw_uncached_copy(void *to, const void *from, size_t len);
void pw_uncached_fence(void);

#endif
