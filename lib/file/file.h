/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/file: opening an ordinary file safely, and what file system it lies on. */
#ifndef PW_FILE_FILE_H
#define PW_FILE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"

struct pw_file {
	int fd; /* > 2: a zeroed struct owns nothing */
	uint64_t len_bytes;
	uint64_t mtime_ns;
	uint64_t huge_page_bytes; /* 0: not on hugetlbfs */
};

/* Opens an ordinary file; directories, devices, FIFOs and sockets are refused without touching
 * them. action: the verb of the error message ("map", "stage"). */
int pw_file_open(
	struct pw_file *f, const char *path, int flags, const char *action, struct pw_err *err);
void pw_file_close(struct pw_file *f); /* accepts a zeroed one */

uint64_t pw_file_mtime_ns(const struct stat *st);

/* The page size of the hugetlbfs that fd lies on, 0 when on another file system, -errno. */
int64_t pw_file_huge_page(int fd);

/* Maps page_bytes * n at hint or, when that is taken, a little above it; anywhere when nothing is
 * free there. As mmap() otherwise: MAP_FAILED and errno. */
void *pw_file_mmap(
	void *hint, uint64_t map_bytes, uint64_t page_bytes, int prot, int flags, int fd);

/* Faults the mapping in for reading. -ENOMEM, -EFAULT (no page behind a part of it), -EIO.
 * Where the kernel cannot (< 5.14), it is left unpopulated and this returns 0. */
int pw_file_populate(void *map, uint64_t map_bytes);

#endif
