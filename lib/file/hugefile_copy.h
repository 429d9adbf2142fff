/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A copy of an ordinary file on hugetlbfs, for `pagewire stage`: exact size, mode and time of
 * modification kept. It grows under TO.part and gets its name when it is complete; on any failure
 * nothing is left behind.
 */
#ifndef PW_FILE_HUGEFILE_COPY_H
#define PW_FILE_HUGEFILE_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct pw_hugefile_copy {
	const char *from;
	const char *to; /* a name in a directory on hugetlbfs */
	bool replace;   /* an existing `to`, and a `to`.part that somebody left */
	/* May be NULL; false cancels (-ECANCELED). */
	bool (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *progress_ctx;
	/* results */
	uint64_t len_bytes;
	uint64_t page_bytes;
	uint64_t n_pages;
	uint8_t cpu_copies; /* per byte: 0 where the disk's DMA wrote the pages, else 1 */
};

/* -EEXIST, -ENOSPC (too few huge pages), -ESTALE (`from` changed meanwhile), ... */
int pw_hugefile_copy(struct pw_hugefile_copy *c, struct pw_err *err);

#endif
