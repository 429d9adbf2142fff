/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes the files of a bench: the same bytes in each place from which a way may send them:
 *
 *   hugetlbfs   in place for the bypass, and for every kernel call that takes it
 *   tmpfs       for sendfile and splice, which refuse hugetlbfs, and where no hugepages are free
 *   a disk      cold: dropped from the page cache before each run
 *
 * hugetlbfs and tmpfs are mounted in a mount namespace of our own: they end with the process.
 */
#ifndef PW_BENCH_STORE_H
#define PW_BENCH_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "wire/fdt.h"

#define PW_STORE_SIZES 16

struct pw_store_file {
	uint64_t len_bytes;
	struct pw_digest digest;
	char huge[160]; /* "" = no hugepages for it */
	char tmpfs[160];
	char disk[512]; /* "" = no cold run wanted */
};

struct pw_store {
	char dir[64]; /* the work directory */
	bool own_mounts;
	bool huge;                 /* hugetlbfs is mounted, with room for files and EAL */
	char huge_why[PW_ERR_MAX]; /* else the reason and the fix */
	struct pw_store_file files[PW_STORE_SIZES];
	uint32_t n_files;
};

/* Makes a file of each size, or copies the user's (then n_sizes is 1 and sizes[0] its length). Fewer
 * places when the host has no hugepages or we are not root. */
int pw_store_make(struct pw_store *s, const uint64_t *sizes, uint32_t n_sizes,
	const char *user_file, const char *cold_dir, uint64_t eal_bytes, struct pw_err *err);

/* Writes back and drops the file's pages from the page cache; -EBUSY when they do not go. */
int pw_store_drop(const char *path, struct pw_err *err);

void pw_store_remove(struct pw_store *s); /* accepts a zeroed one */

#endif
