/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SIGBUS on a mapped file (somebody truncated it) must end in a clear error, not in a crash. While
 * a range is guarded, a fault inside it maps fresh zero pages over the hole and sets a flag; the
 * thread goes on (in the middle of a driver's memcpy, say) and the transfer's loop sees the flag at
 * its next burst and stops. A SIGBUS outside every range has the default action.
 *
 * One process-wide table (a signal handler can reach nothing else): add and remove from any thread,
 * the handler reads it without locks.
 */
#ifndef PW_FILE_GUARD_H
#define PW_FILE_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Installs the SIGBUS handler, once. */
int pw_guard_init(struct pw_err *err);

/* Guards [base, base + len). page_bytes: granule of the mapping. Returns a slot >= 0 or -ENOSPC
 * when the table (4096 ranges) is full: then the range is simply not guarded. */
int pw_guard_add(const void *base, size_t len, uint64_t page_bytes);
/* true when a page of the slot's range was lost; slot -1 is never lost. */
bool pw_guard_lost(int slot);
/* true when any guarded range has lost a page since pw_guard_init(): one relaxed load, for loops.
 */
bool pw_guard_any_lost(void);
void pw_guard_remove(int slot);

#endif
