/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A session for a program that chooses the symbols itself (libpagewire), in place of pw_send_run(): opens
 * files, sends their table and the symbols that the caller names; no passes, no rate, no clock. Up to
 * PW_SEND_GROUP files, none of them streamed, on lane 0. One thread.
 */
#ifndef PW_SEND_DIRECT_H
#define PW_SEND_DIRECT_H

#include "send/send.h"

/* A file and its pages. */
struct pw_send_file_view {
	uint64_t n_symbols, len_bytes;
	const void *pages; /* NULL: empty, or in several extents */
};

/* Opens all files and builds their table. */
int pw_send_open(struct pw_send *s, struct pw_err *err);
/* False when there is no open file i. */
bool pw_send_view(const struct pw_send *s, size_t i, struct pw_send_file_view *view);
/* Sends the table; waits while the path is full. The first call sends it twice, the lead apart. */
int pw_send_announce(struct pw_send *s, struct pw_err *err);
/* Symbols [first, first + n) of file i; n is 1..PW_BURST. Returns how many the path took, from the front:
 * 0 when it is full, fewer than n at the end of a block. -EINVAL: not in the file; -EIO: a file was
 * truncated, and its pages are lost. */
int pw_send_burst(struct pw_send *s, size_t i, uint64_t first, unsigned int n, struct pw_err *err);
/* Ends the session for the receivers, and waits until the driver has released the pages. -EIO: as above. */
int pw_send_close(struct pw_send *s, struct pw_err *err);

#endif
