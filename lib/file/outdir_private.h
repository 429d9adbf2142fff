/* SPDX-License-Identifier: BSD-3-Clause */
/* The state of the output directory: for outdir.c, which opens it and its files, and outpublish.c, which gives
 * files their names. */
#ifndef PW_FILE_OUTDIR_PRIVATE_H
#define PW_FILE_OUTDIR_PRIVATE_H

#include <sys/stat.h>

#include "file/outdir.h"
#include "file/outfile_private.h"
#include "file/outpath.h"

struct pw_outdir {
	struct pw_outroot root;
	struct pw_outfile_shared files;
	char *path;
	char *manifest;       /* the gap manifest's path as the user wrote it, or NULL */
	char *manifest_below; /* its path relative to this directory; NULL: it lies elsewhere */
	mode_t umask;         /* of the process, when the directory was opened */
};

#endif
