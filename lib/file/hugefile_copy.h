/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies a regular file to hugetlbfs, for `pagewire stage`. The copy has the file's exact size, its mode and its
 * time of modification. It is written as TO.part and renamed when it is complete; a failure leaves no file.
 */
#ifndef PW_FILE_HUGEFILE_COPY_H
#define PW_FILE_HUGEFILE_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct pw_hugefile_copy {
	const char *from;
	const char *to; /* a name in a directory on hugetlbfs */
	bool replace;   /* an existing `to`, and a `to`.part that another run left */
	/* May be NULL; false cancels (-ECANCELED). */
	bool (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *progress_ctx;
	/* results */
	uint64_t len_bytes;
	uint64_t page_bytes;
	uint64_t n_pages;
	uint8_t cpu_copies; /* by the CPU per byte: 0 if the disk's DMA wrote the pages, else 1 */
};

/* -EEXIST, -ENOSPC (too few huge pages), -ESTALE (`from` changed while it was read), ... */
int pw_hugefile_copy(struct pw_hugefile_copy *c, struct pw_err *err);

#endif
