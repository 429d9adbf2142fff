/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A received file that is written past the page cache while its bytes come, through chunks that all files of
 * the output directory share. Only for file/outfile.c.
 *
 *   put --memcpy--> chunk of 2 MiB, on a huge page if the kernel has one
 *                     |  it is complete                           |  it is old, and memory is short
 *                     '--O_DIRECT, io_uring, one thread--> disk <-'  only the bytes that it has
 *
 * A written chunk stays in memory for the digest until its memory is needed. If a chunk has left memory, the
 * thread that puts later bytes of it writes them to the file itself.
 */
#ifndef PW_FILE_OUTDIRECT_H
#define PW_FILE_OUTDIRECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "file/digest.h"

#define PW_OUTDIRECT_MIN (64ull << 20) /* bytes of a file, unless asked for */

struct pw_outdirect; /* a file */
struct pw_outpool;

/* fd: open read-write, len_bytes (> 0) long, empty; it stays the caller's. dir/name is
 * for messages. -EOPNOTSUPP, -EMFILE, -ENOMEM and others: the file has to be mapped instead. */
int pw_outdirect_open(struct pw_outdirect **d, struct pw_outpool *pool, int fd, const char *dir,
	const char *name, uint64_t len_bytes, uint32_t symbol_len);
/* Does not wait. Bytes that were not flushed are lost. Accepts NULL. */
void pw_outdirect_close(struct pw_outdirect *d);

/* These are as pw_outfile_...() in file/outfile.h. Bytes that do not begin and end at symbols are written to the file at once. */
void pw_outdirect_put(struct pw_outdirect *d, uint64_t at, const uint8_t *data, uint32_t len);
void pw_outdirect_rewrite(struct pw_outdirect *d);
uint64_t pw_outdirect_digest(struct pw_outdirect *d, struct pw_digest_state *s, uint64_t from,
	uint64_t to, bool memory_only, struct pw_err *err);
/* Copies bytes [from, to), which were all put, to buf. Returns the end of those that it copied. */
uint64_t pw_outdirect_read(
	struct pw_outdirect *d, uint64_t from, uint64_t to, uint8_t *buf, struct pw_err *err);
int pw_outdirect_failed(const struct pw_outdirect *d);
int pw_outdirect_flush(struct pw_outdirect *d, struct pw_err *err);
int pw_outdirect_sync(struct pw_outdirect *d, struct pw_err *err);

#endif
