/* SPDX-License-Identifier: BSD-3-Clause */
/* What a sender has to say about the files that it was given, before it sends them: none of it is an
 * error, but the receiver will not have all that the user sees. Bounded: a tree may have a million
 * such files. */
#ifndef PW_SEND_FILENOTES_H
#define PW_SEND_FILENOTES_H

#include <stddef.h>

#define PW_FILENOTES_KEPT 20u

struct pw_filenotes {
	char *text[PW_FILENOTES_KEPT]; /* the first ones; printable; owned */
	size_t n;                      /* all, those that were not kept, too */
};

__attribute__((format(printf, 2, 3))) void pw_filenotes_add(
	struct pw_filenotes *notes, const char *fmt, ...);
/* How many texts there are. */
size_t pw_filenotes_kept(const struct pw_filenotes *notes);
void pw_filenotes_finish(struct pw_filenotes *notes); /* accepts a zeroed one */

/* Why pagewire's own receiver refuses the name, NULL when it takes it. */
const char *pw_filenotes_name_fault(const char *name);

/* Notes a regular file of 0 bytes that has content all the same: one of /proc, /sys or a cgroup. */
void pw_filenotes_empty_file(struct pw_filenotes *notes, const char *path);

#endif
