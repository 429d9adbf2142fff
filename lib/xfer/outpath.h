/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to output.c: from a received name to the directory that holds it. */
#ifndef PW_XFER_OUTPATH_H
#define PW_XFER_OUTPATH_H

#include <limits.h>
#include <stdbool.h>

#include "xfer/output.h"

struct pw_outpath {
	int dir_fd;              /* of the parent directory */
	char base[NAME_MAX + 1]; /* the last component, with the suffix where asked */
};

/* Resolves name's parent beneath o->dir_fd through no symbolic link. make: directories that are
 * missing are made. -ENOENT, -ELOOP, -ENOTDIR, ... */
int pw_outpath_open(
	struct pw_outpath *p, const struct pw_output *o, const char *name, bool part, bool make);
void pw_outpath_close(struct pw_outpath *p, const struct pw_output *o);

#endif
