/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/kernel: a second mapping of a window's file, with room for headers directly in front. The
 * kernel takes header and page from one registered area: the UMEM of AF_XDP, a fixed buffer of io_uring.
 *
 *   area   | room: private memory | the file's own pages, shared |
 *                                   on a boundary of its pages
 *
 * The file is mapped for writing, because the kernel pins registered pages for writing. Nothing is written.
 */
#ifndef PW_KERNEL_BESIDE_H
#define PW_KERNEL_BESIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "file/window.h"

struct pw_beside {
	uint8_t *area; /* on a page; NULL: not mapped */
	uint64_t room_bytes;
	uint64_t bytes; /* of room and file */
	uint64_t page_bytes;
	uint64_t dev, ino; /* which file it is */
	void *reserved;
	uint64_t reserved_bytes;
};

/* what: the way, for messages. room_bytes: a multiple of 4096. -EOPNOTSUPP: the window is a copy, or its
 * file may not be written. */
int pw_beside_map(struct pw_beside *b, const struct pw_window *win, uint64_t room_bytes,
	const char *what, struct pw_err *err);
void pw_beside_unmap(struct pw_beside *b); /* accepts a zeroed one */

/* -EOPNOTSUPP: the window is of another file. */
int pw_beside_check(const struct pw_beside *b, const struct pw_window *win, const char *what,
	struct pw_err *err);

static inline uint8_t *pw_beside_file(const struct pw_beside *b)
{
	return b->area + b->room_bytes;
}

#endif
