/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A thread that faults in the huge pages of new files before the receiver writes to them: the kernel clears
 * each page, and for a large file that takes longer than to receive it. If the receiver is first at a page,
 * its own write faults the page in.
 */
#ifndef PW_FILE_PREFAULT_H
#define PW_FILE_PREFAULT_H

#include <stdint.h>

#include "base/err.h"

struct pw_prefault; /* opaque */

int pw_prefault_create(struct pw_prefault **a, struct pw_err *err);
/* Queues [base, base + bytes). page_bytes: of the mapping. If too many ranges wait, the range is ignored, and the
 * receiver faults its pages in. */
void pw_prefault_add(struct pw_prefault *a, uint8_t *base, uint64_t bytes, uint64_t page_bytes);
/* The range may be unmapped when this returns; it waits for one page at most. Accepts NULL, and a base that is
 * not queued. */
void pw_prefault_remove(struct pw_prefault *a, const uint8_t *base);
void pw_prefault_destroy(struct pw_prefault *a); /* accepts NULL */

#endif
