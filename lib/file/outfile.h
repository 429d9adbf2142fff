/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A file under way in the output directory (file/outdir.h makes and opens it). Its bytes are put in
 * place as they come, in any order and from any thread, into a mapping of the file or, for large
 * files, into chunks that are written past the page cache (file/outdirect.h).
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

#define PW_OUTFILE_LARGE (1ull << 20) /* bytes of a file whose stores go past the CPU's caches */

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
	atomic_bool fresh; /* reads as zeros where nothing was put: zeros need not be written */
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

/* A file that is no more than this memory of the caller's: it has no name, and is never published. */
int pw_outfile_open_memory(
	struct pw_outfile **f, uint8_t *bytes, uint64_t len_bytes, struct pw_err *err);

/* Puts bytes [at, at + len), which lie in the file; len > 0. Any thread; two calls never overlap in
 * bytes. May wait for the disk when the memory for chunks is used up: 30 s at most, with a warning
 * every 5 s. A failure shows in pw_outfile_failed(). Before a thread tells another one that bytes of
 * a large mapped file are there, it calls pw_uncached_fence(), once for many calls. */
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

/* The content is to be received again: what is put from now on replaces what was there. No call of
 * pw_outfile_put() runs meanwhile. */
void pw_outfile_rewrite(struct pw_outfile *f);

/* Takes bytes [from, to), which were all put, into the digest. Returns how far it came. memory_only:
 * it stops where bytes are no longer in memory; otherwise it reads them back from the file. On an
 * error it sets err->code and returns how far it came. Puts to other bytes may go on. */
uint64_t pw_outfile_digest(struct pw_outfile *f, struct pw_digest_state *s, uint64_t from,
	uint64_t to, bool memory_only, struct pw_err *err);

/* Positive errno once bytes were lost (the file was truncated, or a write failed), or 0. Cheap. */
int pw_outfile_failed(const struct pw_outfile *f);

/* Everything put so far is in the file and, with sync, on stable storage. Puts of other bytes may go
 * on meanwhile. The errors of all writes so far are reported: -EIO, -ENOSPC, ... */
int pw_outfile_flush(struct pw_outfile *f, struct pw_err *err);
int pw_outfile_sync(struct pw_outfile *f, struct pw_err *err);

/* Frees all. Nobody puts to it any more. What was neither flushed nor synced may be lost. Accepts
 * NULL. */
void pw_outfile_close(struct pw_outfile *f);

#endif
