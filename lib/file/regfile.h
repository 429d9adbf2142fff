/* SPDX-License-Identifier: BSD-3-Clause */
/* A regular file: opens it safely, reports what its file system can do, and maps it. */
#ifndef PW_FILE_REGFILE_H
#define PW_FILE_REGFILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"

/* Of offsets, addresses and lengths with O_DIRECT; enough for any block of 4 KiB or less. */
#define PW_DIRECT_ALIGN 4096u

struct pw_regfile {
	int fd; /* > 2: a zeroed struct owns nothing */
	uint64_t len_bytes;
	uint64_t mtime_ns;
	uint64_t huge_page_bytes; /* 0: not on hugetlbfs */
};

/* Opens a regular file. Directories, devices, FIFOs and sockets are refused before they are opened.
 * action: the verb of the error message ("map", "stage"). */
int pw_regfile_open(
	struct pw_regfile *f, const char *path, int flags, const char *action, struct pw_err *err);
void pw_regfile_close(struct pw_regfile *f); /* accepts a zeroed one */

uint64_t pw_regfile_mtime_ns(const struct stat *st);

/* The page size of the hugetlbfs that has the file, 0 on another file system, -errno. */
int64_t pw_regfile_huge_page_bytes(int fd);

/* Whether reads and writes of this file can bypass the page cache, aligned to PW_DIRECT_ALIGN. */
bool pw_regfile_takes_direct(int fd);

/* Maps map_bytes, a multiple of page_bytes, at hint; if that range is taken, above it; if nothing is free
 * there, at any address. Returns MAP_FAILED and sets errno as mmap() does. */
void *pw_regfile_mmap(
	void *hint, uint64_t map_bytes, uint64_t page_bytes, int prot, int flags, int fd);

/* Faults all pages of the mapping in for reading. -ENOMEM, -EFAULT (a part has no page), -EIO. A kernel
 * before 5.14 cannot: the mapping stays as it is, and this returns 0. */
int pw_regfile_populate(void *map, uint64_t map_bytes);

#endif
