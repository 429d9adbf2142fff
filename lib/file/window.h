/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A page window: one file's bytes in memory, where the CPU and the device find them.
 *
 *   file   |<------------------------------ len_bytes ----------------------------->|
 *   extents   | run 0: va, iova, contiguous for both | run 1: va, iova | ...           |
 *
 * One run in VA mode; more where physical pages (PA mode) or staged extents are discontiguous. A
 * symbol that crosses from one run to the next becomes one more mbuf segment.
 *
 * Ownership: the provider that opened a window closes it, and only when n_out is 0: mbufs in
 * flight point into it.
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

/* Pages that are not the file's own but borrowed memory (struct pw_stage_mem) that it was read to. */
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
	uint32_t n_out;            /* payload mbufs in flight; the transmitting thread only */
	uint8_t cpu_copies;        /* copies per byte on the way in: 0, or 1 for a buffered stage */
	bool writable;             /* mapped PROT_WRITE, as VFIO's pinning wants it */
	bool populate;     /* pages are to be brought in by pw_window_populate() before they go */
	int fd;            /* open while the window is; the file can be watched through it */
	uint64_t mtime_ns; /* at open; pw_window_check() compares */
	void *map;         /* of the provider */
	void *priv;        /* of the provider */
	/* Frees what `priv` and the extents own. Set by a provider that owns more than `map`. */
	void (*release)(struct pw_window *w);
};

/* Memory for the stage provider comes from whoever owns EAL; lib/file knows no DPDK. */
struct pw_stage_mem {
	void *(*alloc)(void *ctx, size_t len, size_t align); /* NULL when none is left */
	void (*free)(void *ctx, void *p);
	void *ctx;
	uint64_t max_extent_bytes; /* largest single allocation */
	uint64_t page_bytes;       /* of the pages that it lies on; 0 = 4096 */
};

/* True when path lies on hugetlbfs; *page_bytes is its page size. -errno when it can't be told. */
int pw_hugefile_probe(
	const char *path, bool *on_hugetlbfs, uint64_t *page_bytes, struct pw_err *err);

/* hugefile: O_RDWR, MAP_SHARED, populated, in place. va_hint: where the device can reach it, or
 * NULL; the mapping goes there or, when that is taken, a little above (look at w->map: it is only a
 * wish). -EINVAL when path is not on hugetlbfs. The file's size is left as it is (a PROT_WRITE
 * mapping of hugetlbfs would round it up: map PROT_READ, then mprotect()). */
int pw_hugefile_open(struct pw_window *w, const char *path, void *va_hint, struct pw_err *err);

/* pagecache: O_RDONLY, MAP_SHARED, PROT_READ, in place. w->populate when it fits memory well; a
 * larger file is left to read-ahead. */
int pw_pagecache_open(struct pw_window *w, const char *path, void *va_hint, struct pw_err *err);

/* False for a file so large that it would push its own beginning out of memory. */
bool pw_pagecache_holds(uint64_t len_bytes);

/* stage: read into extents from mem, with O_DIRECT where the file system takes it (cpu_copies 0),
 * else buffered (cpu_copies 1). Extents hold a whole number of symbol_len where a multiple of both
 * it and 4096 fits max_extent_bytes, else of 4096. Pieces are asked for in halved sizes, down to
 * about 1 MiB, before -ENOMEM. progress may be NULL; it returns false to cancel (-ECANCELED). */
int pw_stage_open(struct pw_window *w, const char *path, uint32_t symbol_len,
	const struct pw_stage_mem *mem, bool (*progress)(void *ctx, uint64_t done, uint64_t total),
	void *progress_ctx, struct pw_err *err);

/* Brings [offset, offset + len) of a mapped file into memory; offset is a multiple of the page.
 * -EIO when a page cannot be read. */
int pw_window_populate(
	struct pw_window *w, uint64_t offset, uint64_t len, const char *path, struct pw_err *err);

/* -ESTALE when the file was truncated or modified since open (removed is fine). A staged window is
 * a copy, compared when it was complete: always 0. */
int pw_window_check(const struct pw_window *w, const char *path, struct pw_err *err);

/* Unmaps and closes; accepts a zeroed window. n_out must be 0. */
void pw_window_close(struct pw_window *w);

/* Creates path on hugetlbfs with exactly len_bytes, its huge pages allocated, mapped read-write.
 * For `stage` (the command) and the receiver. -ENOSPC when the pool has too few pages.
 * fallocate() sets an exact size that ftruncate() refuses. fd is open read-write; a file no longer
 * than len_bytes keeps its content (resume). The caller unmaps. *map is NULL for len 0. */
int pw_hugefile_create(int fd, const char *path, uint64_t len_bytes, uint64_t page_bytes,
	void **map, uint64_t *map_bytes, struct pw_err *err);

/* The same, but for the last one its huge pages are only reserved: at once, where a gigabyte of them
 * takes a second to clear. Each is made when it is touched first, and until then is a hole. */
int pw_hugefile_reserve(int fd, const char *path, uint64_t len_bytes, uint64_t page_bytes,
	void **map, uint64_t *map_bytes, struct pw_err *err);

#endif
