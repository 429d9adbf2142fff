/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A received file that is open (file/outdir.h creates and opens it). Any thread puts its bytes in place, in any
 * order: into a mapping of the file or, for a large file, into chunks that are written past the page cache
 * (file/outdirect.h).
 */
#ifndef PW_FILE_OUTFILE_H
#define PW_FILE_OUTFILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "file/digest.h"
#include "file/uncached_copy.h"

#define PW_OUTFILE_LARGE \
	(1ull << 20) /* bytes of a file from which on stores bypass the CPU's caches */

/* How a new file is written: mapped, so that the kernel writes it back later, or past the page cache
 * (file/outdirect.h). AUTO: past it from 64 MiB on, where that is possible. */
enum pw_outdir_write { PW_OUTDIR_AUTO, PW_OUTDIR_MAPPED, PW_OUTDIR_DIRECT };

struct pw_outfile_id {
	uint64_t dev, ino;
};

struct pw_outdirect;
struct pw_outfile_shared;

struct pw_outfile {
	uint8_t *base;     /* mapped: where byte 0 lies; NULL: not mapped (direct, or empty) */
	bool is_large;     /* non-temporal stores */
	atomic_bool fresh; /* a new file reads as zeros, so zeros need not be written */
	unsigned int part;
	uint64_t len_bytes;
	struct pw_outfile_id id;
	struct pw_outdirect *direct; /* NULL: mapped, or empty */

	/* private */
	struct pw_outfile_shared *shared; /* NULL: memory of the caller */
	char *name;                       /* as received; owned */
	uint64_t map_bytes;               /* 0: not our mapping */
	int guard;                        /* slot, or negative */
	bool is_target;
	struct pw_outfile *next; /* in shared->files */
};

/* Of pw_outfile_put(): bytes of a file that is not mapped. */
void pw_outfile_put_direct(struct pw_outfile *f, uint64_t at, const uint8_t *data, uint32_t len);

/* A file that consists of memory of the caller: it has no name, and is never published. */
int pw_outfile_open_memory(
	struct pw_outfile **f, uint8_t *bytes, uint64_t len_bytes, struct pw_err *err);

/* Puts bytes [at, at + len), which lie in the file; len > 0. Any thread; two calls never overlap in
 * bytes. When all chunks are in use it waits
 * for the disk, 30 s at most, with a warning every 5 s. pw_outfile_failed() reports a failure. A thread calls
 * pw_uncached_fence() before it reports to another thread that bytes were put; once for many calls. */
static inline void pw_outfile_put(
	struct pw_outfile *f, uint64_t at, const uint8_t *data, uint32_t len)
{
	if (!f->base) {
		pw_outfile_put_direct(f, at, data, len);
		return;
	}
	if (atomic_load_explicit(&f->fresh, memory_order_relaxed) && pw_is_zero(data, len))
		return;
	if (f->is_large)
		pw_uncached_copy(f->base + at, data, len);
	else
		memcpy(f->base + at, data, len);
}

/* The content is received again: bytes that are put from now on replace the old ones. No pw_outfile_put() runs
 * at the same time. */
void pw_outfile_rewrite(struct pw_outfile *f);

/* Adds bytes [from, to), which were all put, to the digest. Returns the end of the bytes that it added.
 * memory_only: stops where bytes are no longer in memory; otherwise reads them back from the file. On an error
 * it sets err->code. Other threads may put other bytes. */
uint64_t pw_outfile_digest(struct pw_outfile *f, struct pw_digest_state *s, uint64_t from,
	uint64_t to, bool memory_only, struct pw_err *err);

/* Bytes [from, to), which were all put and whose puts have returned: in place, or copied to buf[to - from].
 * NULL: they cannot be read back, see err. Other threads may put other bytes. */
const uint8_t *pw_outfile_read(
	struct pw_outfile *f, uint64_t from, uint64_t to, uint8_t *buf, struct pw_err *err);

/* A positive errno after bytes were lost (the file was truncated, or a write failed), else 0. Cheap. */
int pw_outfile_failed(const struct pw_outfile *f);

/* Writes all bytes that were put to the file; sync: to stable storage. Other threads may put other bytes. Reports
 * the errors of all writes so far: -EIO, -ENOSPC, ... */
int pw_outfile_flush(struct pw_outfile *f, struct pw_err *err);
int pw_outfile_sync(struct pw_outfile *f, struct pw_err *err);

/* No thread uses the file any more. Bytes that were neither flushed nor synced may be lost. Accepts NULL. */
void pw_outfile_close(struct pw_outfile *f);

#endif
