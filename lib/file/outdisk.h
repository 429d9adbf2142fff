/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The thread that writes chunks of received files to the disk, past the page cache. All files of an output
 * directory share one thread and one pool of chunks.
 */
#ifndef PW_FILE_OUTDISK_H
#define PW_FILE_OUTDISK_H

#include <stdint.h>

#include "base/err.h"
#include "base/log.h"

struct pw_outpool;

/* Makes the pool and starts its thread. memory_bytes: of all chunks, 8 MiB or more. */
int pw_outdisk_start(struct pw_outpool **pool, uint64_t memory_bytes, const struct pw_log *log,
	struct pw_err *err);
/* All files of the pool are closed. Waits for writes under way, 30 s at most. Accepts NULL. */
void pw_outdisk_stop(struct pw_outpool *pool);
/* Since the start, in which a thread waited for a free chunk. Any thread. */
uint64_t pw_outdisk_waited_ns(struct pw_outpool *pool);

#endif
