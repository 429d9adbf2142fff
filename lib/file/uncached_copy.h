/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A copy past the cache, for bytes that nobody here reads again soon: whole cache lines of the target
 * are written without being read first, which an ordinary copy to memory has to do.
 */
#ifndef PW_FILE_UNCACHED_COPY_H
#define PW_FILE_UNCACHED_COPY_H

#include <stddef.h>

/* As memcpy(). This thread sees the bytes at once, another one after pw_uncached_fence(). */
void pw_uncached_copy(void *to, const void *from, size_t len);
void pw_uncached_fence(void);

#endif
