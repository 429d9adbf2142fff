/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The output directory: the one place where received names become paths. Every path is resolved
 * from the directory's descriptor, through no symbolic link and never above it; a file under way is
 * NAME.part. Descriptors are closed before a call returns: what stays open is a mapping.
 * Thread-safe: calls share only the directory's descriptor.
 */
#ifndef PW_XFER_OUTPUT_H
#define PW_XFER_OUTPUT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "xfer/direct.h"

#define PW_PART_SUFFIX ".part"

/* How new files are written: mapped, so that the kernel writes them back from the page cache when it
 * will, or past it (xfer/direct.h). AUTO: past it from PW_DIRECT_MIN on. */
enum pw_write { PW_WRITE_AUTO, PW_WRITE_MAPPED, PW_WRITE_DIRECT };

struct pw_direct;

struct pw_output {
	int dir_fd;               /* > 2: a zeroed struct owns nothing */
	bool walk_only;           /* no openat2(2): parents are walked one component at a time */
	uint64_t huge_page_bytes; /* 0: not on hugetlbfs */
	enum pw_write write;
	struct pw_direct_config direct; /* for files that are written past the page cache */
	const char *dir;                /* as the user wrote it, for messages; the caller's */
};

/* A file's bytes in memory, read-write, guarded against truncation. */
struct pw_mapping {
	uint8_t *base;   /* NULL: none */
	uint64_t lo, hi; /* of the file: what may be written to at once */
	uint64_t map_bytes;
	uint64_t dev, ino;        /* which file it is, kept when unmapped */
	int guard;                /* slot, or negative */
	struct pw_direct *direct; /* NULL: mapped */
};

enum pw_output_kind {
	PW_OUTPUT_ABSENT,
	PW_OUTPUT_FILE, /* ordinary, one link */
	PW_OUTPUT_DIR,
	PW_OUTPUT_OTHER, /* a symbolic link, device, or a file with several names */
};

int pw_output_open(struct pw_output *o, const char *dir, struct pw_err *err);
void pw_output_close(struct pw_output *o); /* accepts a zeroed one */

/* NULL when name may be a file of ours; else why not, in a few words. */
const char *pw_output_name_fault(const char *name);

/* Bytes a new file may take at most. UINT64_MAX when the file system does not say. */
int pw_output_free_bytes(const struct pw_output *o, uint64_t *bytes, struct pw_err *err);

/* What NAME (or NAME.part) is now. -errno: its path cannot be walked; see pw_output_refusal(). */
int pw_output_look(const struct pw_output *o, const char *name, bool part,
	enum pw_output_kind *kind, uint64_t *len_bytes);

/* Creates NAME.part of len_bytes (> 0), its directories too, in place of whatever file or link has
 * that name, and maps it. On hugetlbfs pages are reserved, and made when they are touched. */
int pw_output_create(const struct pw_output *o, const char *name, uint64_t len_bytes,
	struct pw_mapping *m, struct pw_err *err);

/* Maps NAME.part (or NAME), which must be an ordinary file of exactly len_bytes (> 0). With m->ino
 * set, it must be that very file. -ESTALE when it is not. */
int pw_output_reopen(const struct pw_output *o, const char *name, bool part, uint64_t len_bytes,
	struct pw_mapping *m, struct pw_err *err);

/* Creates NAME.part of 0 bytes. */
int pw_output_create_empty(const struct pw_output *o, const char *name, struct pw_err *err);

/* Removes NAME.part, if it can. */
void pw_output_remove_part(const struct pw_output *o, const char *name);

/* NAME.part -> NAME. -EEXIST when there is a NAME and not `force`. */
int pw_output_rename(const struct pw_output *o, const char *name, bool force, struct pw_err *err);

/* Unmaps; dev and ino stay. Returns true when a page of it had been lost (truncated under us, or not
 * written). */
bool pw_mapping_close(struct pw_mapping *m);

/* true when error `code` (positive) is about this one name, false when it is about the disk or the
 * process and the next file would fare no better. */
bool pw_output_is_refusal(int code);

#endif
