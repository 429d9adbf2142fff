/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A file that is written past the page cache while its symbols come, in bounded memory.
 *
 *   symbol --memcpy--> chunk of 2 MiB at base + offset, on a huge page where the kernel has one
 *                        |  all its symbols are there, or memory is short
 *                        '--O_DIRECT, io_uring--> disk;   the chunk's memory goes back
 *
 * The address space is the file's, so a symbol is placed as into a mapping; what is in memory is what is
 * under way. Symbols in several places at once are fine, as long as those are fewer than the chunks
 * that memory holds. One that is late, whose chunk has been written with a hole, is written by
 * itself.
 *
 * One thread at a time: the receiver's, then the finisher's.
 */
#ifndef PW_XFER_DIRECT_H
#define PW_XFER_DIRECT_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/log.h"

#define PW_DIRECT_FILES  2u             /* at once; others are mapped */
#define PW_DIRECT_MEMORY (192ull << 20) /* of each, at most, unless asked for */

#define PW_DIRECT_MEMORY_LO (8ull << 20)
#define PW_DIRECT_MEMORY_HI (256ull << 20)

#define PW_DIRECT_MIN (64ull << 20) /* of a file, unless asked for: less is soon written anyway */

struct pw_direct; /* opaque */
struct pw_part;

struct pw_direct_config {
	uint64_t memory_bytes;    /* of a file, at most; 0 = PW_DIRECT_MEMORY */
	atomic_uint *n_open;      /* counts such files; NULL: there are none */
	const struct pw_log *log; /* is told of a disk that does not answer; may be NULL */
};

/* fd: open read-write, len_bytes long; it stays the caller's. -EOPNOTSUPP, -EMFILE and others: map it
 * instead. */
int pw_direct_open(
	struct pw_direct **d, int fd, uint64_t len_bytes, const struct pw_direct_config *cfg);

/* Where the file's byte 0 would lie. */
uint8_t *pw_direct_base(struct pw_direct *d);

/* Puts bytes that part->map.lo and hi do not take, and sets those for the ones that follow. Their
 * symbol's bit is set. Waits for the disk when memory is full, 30 s at most. Gives up the part's digest when it
 * holds on to memory. */
void pw_direct_put(struct pw_part *part, uint64_t at, const uint8_t *data, uint32_t len);

/* Positive errno once a write has failed, or 0. */
int pw_direct_failed(const struct pw_direct *d);

/* Writes what is in memory, waits for the disk, frees all. Positive errno when the file is not what it
 * should be. */
int pw_direct_close(struct pw_direct *d);

#endif
