/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The list of files that a session sends: the operands, and all files below operands that are directories.
 * Each has the name that it has on the wire (Content-Location): a file operand its base name, DIR/x/y
 * base(DIR)/x/y. Links below a directory are not followed. Mode and time of last modification are read
 * when the file is found.
 */
#ifndef PW_SEND_FILES_H
#define PW_SEND_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "recv/gaps.h"
#include "send/filenotes.h"
#include "wire/fdt.h"

struct pw_file {
	char *path;
	char *name; /* on the wire */
	uint64_t len_bytes;
	int64_t mtime_ns;        /* since 1970 */
	uint32_t mode;           /* permission bits, 0777 at most */
	struct pw_digest digest; /* kind NONE until computed */
	uint8_t *leaves;         /* of a digest that is a tree; NULL: none. Owned */
	struct pw_digest md5;
	const struct pw_gap_file *gap; /* send only what this lists; NULL = everything */
};

struct pw_files {
	struct pw_file *v;
	size_t n, room;
	uint64_t total_bytes;
	struct pw_filenotes notes;
};

/* Collects the files of the operands. Two files with one name on the wire, a missing file, a device and a
 * pipe are errors. What lies below a directory and is not sent is noted: entries that are neither a file
 * nor a directory, and empty directories. */
int pw_files_collect(
	struct pw_files *f, char *const *operands, size_t n_operands, struct pw_err *err);

/* Keeps what the manifests ask for: the ranges of the files that they list as missing, and, when files
 * were never named, all of each operand file that they do not list. total_bytes becomes the bytes to send.
 * -ENOENT: a file that is missing is not among the operands, or nothing is left to send. -ESTALE: it has
 * another length. gaps must live as long as f. Drops the notes about files that are not sent. */
int pw_files_keep_gaps(struct pw_files *f, const struct pw_gaps *gaps, struct pw_err *err);

/* Notes the names that pagewire's own receiver refuses. */
void pw_files_note_names(struct pw_files *f);

void pw_files_finish(struct pw_files *f); /* accepts a zeroed one */

#endif
