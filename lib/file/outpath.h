/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to the output directory: from a received name to the directory that holds it. */
#ifndef PW_FILE_OUTPATH_H
#define PW_FILE_OUTPATH_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "file/outdir.h"

struct pw_outdir_root {
	int fd;
	bool walk_only; /* no openat2(2): parents are walked one component at a time */
	uint64_t max_made;
	_Atomic uint64_t n_made; /* files and directories */
};

struct pw_outdir_path {
	int dir_fd;              /* of the parent directory, O_PATH, or the root's */
	char base[NAME_MAX + 1]; /* the last component, with the part's suffix */
};

/* One more file or directory is about to be made. False: that would be too many. */
bool pw_outdir_root_count(struct pw_outdir_root *root);

/* Resolves the parent of name's part (PW_OUTDIR_TARGET: of NAME itself) beneath the root, through no
 * symbolic link. make: directories that are missing are made. -ENOENT, -ELOOP, -ENOTDIR,
 * -ENAMETOOLONG; -EDQUOT when too many were made. */
int pw_outdir_path_open(struct pw_outdir_path *p, struct pw_outdir_root *root, const char *name,
	int part, bool make);
void pw_outdir_path_close(struct pw_outdir_path *p, const struct pw_outdir_root *root);

/* "NAME.part", "NAME.3.part" or NAME. -ENAMETOOLONG when it does not fit. */
int pw_outdir_part_name(char *buf, size_t len, const char *name, int part);

/* Where `path` lies below the directory `dir`, both with their symbolic links resolved and whether or
 * not `path` is there yet: "a/b", allocated. *below is NULL when it lies elsewhere. */
int pw_outdir_locate(const char *dir, const char *path, char **below);

#endif
