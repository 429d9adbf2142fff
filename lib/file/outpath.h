/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Paths in the output directory: opens the directory in which a received file lies. A path goes through no
 * symbolic link and never above the output directory.
 */
#ifndef PW_FILE_OUTPATH_H
#define PW_FILE_OUTPATH_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "file/outname.h"

/* The output directory as all paths share it. */
struct pw_outroot {
	int fd;
	bool walk_only; /* no openat2(2): parents are opened one component at a time */
	uint64_t max_made;
	_Atomic uint64_t n_made; /* files and directories */
};

struct pw_outpath {
	int dir_fd;              /* of the parent directory, O_PATH, or the root's */
	char base[NAME_MAX + 1]; /* the last component, with the part's suffix */
};

/* Call before a file or directory is made. False: max_made were made already. */
bool pw_outroot_count(struct pw_outroot *root);

/* Opens the parent directory of NAME's part, and sets p->base. make: missing directories are made.
 * -ENOENT, -ELOOP, -ENOTDIR, -ENAMETOOLONG; -EDQUOT: max_made is reached. */
int pw_outpath_open(
	struct pw_outpath *p, struct pw_outroot *root, const char *name, int part, bool make);
/* Sets p->base to the name of another part. -ENAMETOOLONG. */
int pw_outpath_set_part(struct pw_outpath *p, const char *name, int part);
void pw_outpath_close(struct pw_outpath *p, const struct pw_outroot *root);

#endif
