/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The output directory: creates, opens, publishes and removes received files (file/outname.h: how they are
 * named). Every path is resolved from the directory's descriptor, through no symbolic link and never
 * above it.
 *
 * Any thread may call. All names have passed pw_outname_fault() and pw_outdir_reserved().
 */
#ifndef PW_FILE_OUTDIR_H
#define PW_FILE_OUTDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "file/outdisk.h"
#include "file/outfile.h"
#include "file/outname.h"

#define PW_OUTDIR_MEMORY    (192ull << 20) /* of all chunks; the default */
#define PW_OUTDIR_MEMORY_LO (8ull << 20)
#define PW_OUTDIR_MEMORY_HI (256ull << 20)

struct pw_outdir_config {
	const char *path;          /* must exist; copied */
	const char *manifest_path; /* the gap manifest, or NULL; copied */
	enum pw_outdir_write write;
	uint64_t write_memory_bytes; /* of all chunks together, at most; 0 = PW_OUTDIR_MEMORY */
	uint64_t max_made;           /* files and directories that may be made; 0 = 1,000,000 */
	const struct pw_log *log;    /* may be NULL; must outlive the directory */
};

struct pw_outdir; /* opaque */

enum pw_outdir_kind {
	PW_OUTDIR_ABSENT,
	PW_OUTDIR_FILE, /* regular, one link */
	PW_OUTDIR_DIR,
	PW_OUTDIR_OTHER, /* a symbolic link, a device, or a file with several names */
};

struct pw_outfile_attr {
	bool has_mode;
	uint32_t mode;
	bool has_mtime;
	int64_t mtime_ns; /* since 1970; may be negative */
};

/* Locks the directory (flock). -EBUSY: another process receives into it. */
int pw_outdir_open(struct pw_outdir **d, const struct pw_outdir_config *cfg, struct pw_err *err);
/* Every file of it must be closed. Accepts NULL. */
void pw_outdir_close(struct pw_outdir *d);

/* pw_outname_reserved() with the manifest of this directory. */
const char *pw_outdir_reserved(const struct pw_outdir *d, const char *name);

/* In which threads waited for the disk, since the start: of files that are written past the page cache. Any thread. */
uint64_t pw_outdir_disk_waited_ns(struct pw_outdir *d);

/* UINT64_MAX: the file system does not report it. */
int pw_outdir_free_bytes(const struct pw_outdir *d, uint64_t *bytes, struct pw_err *err);

/* Reports what has the name now. part: PW_OUTDIR_TARGET = NAME itself, 0 = NAME.part, k = NAME.k.part.
 * -errno: the path cannot be resolved. */
int pw_outdir_look(const struct pw_outdir *d, const char *name, int part, enum pw_outdir_kind *kind,
	uint64_t *len_bytes);

/* Makes a new sparse part of len_bytes, and its directories. Takes the lowest number that is not in the mask
 * keep_parts and whose name is free, or is that of a file or link that is neither open here nor locked: the
 * file is removed, never opened for writing. A file with a symbol_len below 512 is always mapped. On
 * hugetlbfs the pages are reserved. */
int pw_outdir_create(struct pw_outdir *d, const char *name, uint64_t len_bytes, uint32_t symbol_len,
	uint32_t keep_parts, struct pw_outfile **f, struct pw_err *err);

/* Maps an existing part. -ESTALE: it is not a regular file with one link and len_bytes, or, with an id, not
 * that file. */
int pw_outdir_reopen(struct pw_outdir *d, const char *name, unsigned int part, uint64_t len_bytes,
	const struct pw_outfile_id *id, struct pw_outfile **f, struct pw_err *err);
/* Maps NAME itself read-only. -ESTALE as above. */
int pw_outdir_open_target(struct pw_outdir *d, const char *name, uint64_t len_bytes,
	struct pw_outfile **f, struct pw_err *err);

/* Removes the part; with an id, only if it is that file. Errors are ignored. */
void pw_outdir_remove_part(
	struct pw_outdir *d, const char *name, unsigned int part, const struct pw_outfile_id *id);

/* Gives the part its mode (at most 0777, less the umask; its owner can always read and write) and its
 * time, and renames it to NAME. -EEXIST when there is a NAME and not `force`, or NAME is the gap
 * manifest; -ESTALE when the part is not the file `id`. attr may be NULL. Syncs no directory. */
int pw_outdir_publish(struct pw_outdir *d, const char *name, unsigned int part,
	const struct pw_outfile_id *id, bool force, const struct pw_outfile_attr *attr,
	struct pw_err *err);

/* Makes the names durable: syncs each directory from their parents up to the output directory. More
 * than 16 directories: syncs the file system. */
int pw_outdir_sync_names(
	struct pw_outdir *d, const char *const *names, size_t n, struct pw_err *err);
int pw_outdir_sync_all(struct pw_outdir *d, struct pw_err *err); /* the file system */

/* Whether the error `code` (positive) concerns one file only. False: the next file would fail as well: ENOMEM,
 * EMFILE, ENFILE, EBADF, ENODEV. */
bool pw_outdir_is_refusal(int code);

#endif
