/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Collects warnings about the operands of `send`: the job is valid, but the receiver will not get all that
 * the user sees, for example no empty directories. Only the first ones are kept: a directory may have a
 * million such files.
 */
#ifndef PW_SEND_FILENOTES_H
#define PW_SEND_FILENOTES_H

#include <stddef.h>

#define PW_FILENOTES_KEPT 20u

struct pw_filenotes {
	char *text[PW_FILENOTES_KEPT]; /* the first ones; printable; owned */
	size_t n;                      /* all of them, also those that were not kept */
};

__attribute__((format(printf, 2, 3))) void pw_filenotes_add(
	struct pw_filenotes *notes, const char *fmt, ...);
/* How many texts were kept. */
size_t pw_filenotes_kept(const struct pw_filenotes *notes);
void pw_filenotes_finish(struct pw_filenotes *notes); /* accepts a zeroed one */

/* Why pagewire's own receiver refuses the name, NULL when it takes it. */
const char *pw_filenotes_name_fault(const char *name);

/* Notes a regular file that has 0 bytes but has content: one of /proc, /sys or a cgroup. */
void pw_filenotes_empty_file(struct pw_filenotes *notes, const char *path);

#endif
