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

/* How far the disk is behind. */
struct pw_outdisk_backlog {
	uint64_t memory_bytes; /* of all chunks */
	uint64_t behind_bytes; /* of chunks that wait for the disk, or are being written */
	uint64_t waited_ns;    /* since the start, in which a thread waited for a free chunk */
};

/* Makes the pool and starts its thread. memory_bytes: of all chunks, 8 MiB or more. */
int pw_outdisk_start(struct pw_outpool **pool, uint64_t memory_bytes, const struct pw_log *log,
	struct pw_err *err);
/* All files of the pool are closed. Waits for writes under way, 30 s at most. Accepts NULL. */
void pw_outdisk_stop(struct pw_outpool *pool);
/* Any thread. */
void pw_outdisk_backlog(struct pw_outpool *pool, struct pw_outdisk_backlog *backlog);

#endif
