/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names of received files: which names are accepted, and the names of their parts. A part is a file that
 * is not complete yet:
 *
 *   a/b          NAME, complete
 *   a/b.part     part 0 of NAME
 *   a/b.3.part   part 3 of NAME: other content that was announced under the same name
 */
#ifndef PW_FILE_OUTNAME_H
#define PW_FILE_OUTNAME_H

#include <stddef.h>

#define PW_PART_SUFFIX      ".part"
#define PW_OUTDIR_MAX_PARTS 16u
#define PW_OUTDIR_TARGET    (-1) /* where a part's number is expected: NAME itself */

/* NULL when a received file may have this name; else the reason, a few words. Looks at the name only. */
const char *pw_outname_fault(const char *name);

/* "NAME.part", "NAME.3.part" or NAME. -ENAMETOOLONG when it does not fit. */
int pw_outname_part(char *buf, size_t len, const char *name, int part);

/* NULL, or the reason why the gap manifest `manifest` excludes the name: NAME or one of its parts would be
 * the manifest or the manifest's ".part", lie below one of them, or take the place of a directory on
 * the way to one of them. Both are relative to the output directory. */
const char *pw_outname_reserved(const char *name, const char *manifest);

/* Finds the path of `path` relative to the directory `dir`, with the symbolic links of both resolved;
 * `path` need not exist. *below is allocated ("a/b"), or NULL when `path` lies elsewhere. -errno. */
int pw_outname_locate(const char *dir, const char *path, char **below);

#endif
