/* SPDX-License-Identifier: BSD-3-Clause */
/* A window: the bytes of one file in memory, where the CPU and the device find them.
 *
 *   file   |<------------------------------ len_bytes ----------------------------->|
 *   extents   | extent 0: va, iova; contiguous for CPU and device | extent 1: va, iova | ... |
 *
 * A mapped file has one extent until a port attaches it; the port splits it where the device sees
 * discontiguous pages. A staged file has one for each allocation. A symbol that crosses from one extent to
 * the next needs one more mbuf segment.
 *
 * Ownership: the caller that opened a window closes it, and only when n_out is 0: mbufs in flight point
 * into it. One thread at a time uses a window; each further queue has a copy of its own, with its own n_out.
 */
#ifndef PW_FILE_WINDOW_H
#define PW_FILE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"

enum pw_pages {
	PW_PAGES_AUTO,
	PW_PAGES_HUGEFILE,
	PW_PAGES_PAGECACHE,
	PW_PAGES_STAGE,
	PW_PAGES_STREAM, /* see file/stream.h */
};

/* Whether the pages are borrowed memory (struct pw_stage_mem) into which the file is read. */
static inline bool pw_pages_borrowed(enum pw_pages p)
{
	return p == PW_PAGES_STAGE || p == PW_PAGES_STREAM;
}

const char *pw_pages_name(enum pw_pages p); /* "auto", "hugefile", "pagecache", ... */
/* false when s names no provider */
bool pw_pages_parse(const char *s, enum pw_pages *p);

#define PW_IOVA_NONE UINT64_MAX

struct pw_extent {
	const uint8_t *va;
	uint64_t iova;   /* PW_IOVA_NONE until a port has attached the window */
	uint64_t offset; /* in the file */
	uint64_t len_bytes;
};

struct pw_window {
	enum pw_pages pages;
	uint64_t len_bytes;        /* the file's true length */
	uint64_t map_bytes;        /* what is mapped, a multiple of page_bytes */
	uint64_t page_bytes;       /* 4096, 2 MiB, 1 GiB */
	struct pw_extent *extents; /* n_extents of them, sorted by offset, no holes; owned */
	uint32_t n_extents;        /* 0 for an empty file */
	uint32_t n_out;            /* payload mbufs in flight, counted by the thread that sends */
	uint8_t cpu_copies; /* by the CPU per byte while the file was read: 0, or 1 (buffered) */
	bool writable;      /* mapped PROT_WRITE: VFIO pins pages for writing */
	bool populate;      /* pw_window_populate() must run before pages are sent */
	int fd;             /* of the file, open as long as the window */
	uint64_t mtime_ns;  /* at open; pw_window_check() compares */
	void *map;          /* of the provider */
	void *priv;         /* of the provider */
	/* Frees what `priv` and the extents own. Set by a provider that owns more than `map`. */
	void (*release)(struct pw_window *w);
};

/* Memory for the stage and stream providers. The caller allocates it from EAL: lib/file does not use DPDK. */
struct pw_stage_mem {
	void *(*alloc)(void *ctx, size_t len, size_t align); /* NULL when none is left */
	void (*free)(void *ctx, void *p);
	void *ctx;
	uint64_t max_extent_bytes; /* largest single allocation */
	uint64_t page_bytes;       /* of the pages that it lies on; 0 = 4096 */
};

/* True when path lies on hugetlbfs; *page_bytes is its page size. -errno: statfs() failed. */
int pw_hugefile_probe(
	const char *path, bool *on_hugetlbfs, uint64_t *page_bytes, struct pw_err *err);

/* hugefile: maps the file in place, shared, populated, read-write. va_hint: an address that the device can
 * reach, or NULL; if it is taken the mapping lies above it or elsewhere, see w->map. -EINVAL: not on
 * hugetlbfs. Keeps the file's size, which a mapping that is writable from the start would round up. */
int pw_hugefile_open(struct pw_window *w, const char *path, void *va_hint, struct pw_err *err);

/* pagecache: maps the file in place, shared, read-only. Sets w->populate if the file fits well into memory; the
 * kernel reads a larger file ahead. */
int pw_pagecache_open(struct pw_window *w, const char *path, void *va_hint, struct pw_err *err);

/* False: the file is so large that its end would evict its beginning from the page cache. */
bool pw_pagecache_holds(uint64_t len_bytes);

/* stage: reads the file into extents from mem, with O_DIRECT where the file system supports it (cpu_copies 0),
 * else buffered (cpu_copies 1). An extent is a multiple of symbol_len and 4096 if one fits into
 * max_extent_bytes, else of 4096. If an allocation fails, half its size is tried, down to about 1 MiB. progress may be NULL; it returns false to cancel (-ECANCELED). */
int pw_stage_open(struct pw_window *w, const char *path, uint32_t symbol_len,
	const struct pw_stage_mem *mem, bool (*progress)(void *ctx, uint64_t done, uint64_t total),
	void *progress_ctx, struct pw_err *err);

/* A window of len_bytes in memory from mem, without a file: not initialized. Each extent is a multiple of unit_bytes.
 * path: of the file that it is for, in messages. */
int pw_stage_alloc(struct pw_window *w, uint64_t len_bytes, uint32_t unit_bytes,
	const struct pw_stage_mem *mem, const char *path, struct pw_err *err);

/* Reads [offset, offset + len) of a mapped file into memory; offset is a multiple of the page.
 * -EIO when a page cannot be read. */
int pw_window_populate(
	struct pw_window *w, uint64_t offset, uint64_t len, const char *path, struct pw_err *err);

/* -ESTALE: the file was truncated or modified since it was opened; its removal is allowed. Always 0 for a
 * staged window: it is a copy, and was compared when it was complete. */
int pw_window_check(const struct pw_window *w, const char *path, struct pw_err *err);

/* Unmaps and closes; accepts a zeroed window. n_out must be 0. */
void pw_window_close(struct pw_window *w);

/* Gives the file fd on hugetlbfs exactly len_bytes, allocates its huge pages, and maps it read-write. For
 * `pagewire stage` and the receiver. fd is open read-write; a file of at most len_bytes keeps its content. The
 * caller unmaps; *map is NULL for length 0. -ENOSPC: too few huge pages. */
int pw_hugefile_create(int fd, const char *path, uint64_t len_bytes, uint64_t page_bytes,
	void **map, uint64_t *map_bytes, struct pw_err *err);

/* The same, but all huge pages except the last are only reserved, which takes no time: to clear a gigabyte takes
 * a second. The kernel allocates each page when it is first touched. */
int pw_hugefile_reserve(int fd, const char *path, uint64_t len_bytes, uint64_t page_bytes,
	void **map, uint64_t *map_bytes, struct pw_err *err);

#endif
