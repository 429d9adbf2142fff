/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The SIGBUS guard: a mapped file that another process truncates ends the transfer with an error, not the
 * process with a signal. A fault inside a guarded range maps zero pages over the hole and sets a flag. The
 * thread continues, even inside a driver's memcpy, and the transfer's loop sees the flag at its next burst
 * and stops. A SIGBUS outside all ranges has its previous action.
 *
 * There is one table for the process, because a signal handler gets no argument. Any thread may add and
 * remove ranges; the handler reads the table without a lock.
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
