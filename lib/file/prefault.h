/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Huge pages of a new file, made by a thread ahead of the symbols: the kernel clears 2 MiB for each,
 * and for a large file that takes longer than its packets do. Who comes first to a page makes it.
 */
#ifndef PW_FILE_PREFAULT_H
#define PW_FILE_PREFAULT_H

#include <stdint.h>

#include "base/err.h"

struct pw_prefault; /* opaque */

int pw_prefault_create(struct pw_prefault **a, struct pw_err *err);
/* [base, base + bytes), from its beginning; page_bytes: of the mapping. When too many ranges wait
 * already, it is left to the symbols. */
void pw_prefault_add(struct pw_prefault *a, uint8_t *base, uint64_t bytes, uint64_t page_bytes);
/* The range may be unmapped when this returns: it waits for one page at most. Accepts a NULL a, and a
 * base that is not there. */
void pw_prefault_remove(struct pw_prefault *a, const uint8_t *base);
void pw_prefault_destroy(struct pw_prefault *a); /* accepts NULL */

#endif
