/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading a whole file into memory of one's own: by O_DIRECT (the disk's DMA) where the file system
 * really does that, else buffered. Used by the stage provider and by `pagewire stage`. One thread.
 */
#ifndef PW_FILE_READIN_H
#define PW_FILE_READIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"

#define PW_READIN_ALIGN \
	4096u /* of offsets, addresses and room; enough for any block size <= 4 KiB */

struct pw_readin {
	int fd; /* > 2 while open */
	uint64_t len_bytes;
	uint64_t done_bytes;
	struct stat st; /* at open */
	bool direct;
	const char *action; /* the verb of messages: "stage", "stream" */
	uint8_t cpu_copies; /* per byte, so far: 0, or 1 once anything was read buffered */
	const char *path;   /* the caller's */
	/* May be NULL; false cancels. */
	bool (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *progress_ctx;
};

int pw_readin_open(struct pw_readin *r, const char *path, const char *action, struct pw_err *err);

/* Ends O_DIRECT for good; false when the kernel does not let us. */
bool pw_readin_buffered(struct pw_readin *r);

/* Reads the file's bytes [offset, offset + len) to buf. offset and buf are multiples of
 * PW_READIN_ALIGN, and so is len unless it ends the file; buf has room for len rounded up to it.
 * -ESTALE when the file turned out shorter, -ECANCELED, -EIO, ... */
int pw_readin_read(
	struct pw_readin *r, uint64_t offset, void *buf, uint64_t len, struct pw_err *err);

/* -ESTALE when size or time of modification differ from those at open. */
int pw_readin_unchanged(const struct pw_readin *r, struct pw_err *err);

void pw_readin_close(struct pw_readin *r); /* accepts a zeroed one */

#endif
