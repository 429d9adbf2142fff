/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads a regular file into memory of the caller: with O_DIRECT (the disk's DMA writes the memory) where
 * the file system can, else through the page cache. For the stage and stream providers and for
 * `pagewire stage`. One thread.
 */
#ifndef PW_FILE_FILEREADER_H
#define PW_FILE_FILEREADER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"
#include "file/regfile.h"

#define PW_FILEREADER_ALIGN PW_DIRECT_ALIGN /* of offsets, addresses and buffers */

struct pw_filereader {
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

int pw_filereader_open(
	struct pw_filereader *r, const char *path, const char *action, struct pw_err *err);

/* Switches to reads through the page cache, permanently. False: the kernel refused. */
bool pw_filereader_go_buffered(struct pw_filereader *r);

/* Reads the file's bytes [offset, offset + len) to buf. offset and buf are multiples of
 * PW_FILEREADER_ALIGN, and so is len unless it ends the file; buf has room for len rounded up to it.
 * -ESTALE: the file is shorter than at open; -ECANCELED, -EIO, ... */
int pw_filereader_read(
	struct pw_filereader *r, uint64_t offset, void *buf, uint64_t len, struct pw_err *err);

/* -ESTALE when size or time of modification differ from those at open. */
int pw_filereader_check_unchanged(const struct pw_filereader *r, struct pw_err *err);

void pw_filereader_close(struct pw_filereader *r); /* accepts a zeroed one */

#endif
