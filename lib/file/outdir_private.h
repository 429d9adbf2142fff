/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to outdir.c, outname.c and outfile.c. */
#ifndef PW_FILE_OUTDIR_PRIVATE_H
#define PW_FILE_OUTDIR_PRIVATE_H

#include <pthread.h>
#include <sys/stat.h>

#include "file/outdir.h"
#include "file/outpath.h"

struct pw_outdirect_pool;

struct pw_outdir {
	struct pw_outdir_root root;
	char *path;
	char *manifest;           /* as the user wrote it, or NULL */
	char *manifest_below;     /* its name below this directory; NULL: it lies elsewhere */
	uint64_t huge_page_bytes; /* 0: not on hugetlbfs */
	uint64_t memory_bytes;
	enum pw_outdir_write write;
	mode_t umask; /* of the process, when the directory was opened */
	const struct pw_log *log;
	struct pw_ahead *ahead; /* makes huge pages; NULL: not on hugetlbfs */

	pthread_mutex_t lock;            /* over all below */
	struct pw_outfile *files;        /* that are open */
	struct pw_outdirect_pool *pool;  /* made for the first file that needs it */
	bool pool_failed, warned_mapped; /* there is no pool; the user was told */
};

/* The file is in d->files from here until pw_outdir_forget(). */
void pw_outdir_remember(struct pw_outdir *d, struct pw_outfile *f);
void pw_outdir_forget(struct pw_outdir *d, struct pw_outfile *f);

/* -ESTALE: NAME is not the file that it was. */
int pw_outdir_stale(const struct pw_outdir *d, const char *name, struct pw_err *err);

bool pw_outdir_same_file(const struct stat *st, const struct pw_outfile_id *id);

/* In outfile.c. fd: open read-write (is_target: read-only) and of len_bytes; it stays the
 * caller's. new_part: it holds nothing yet, and may be written past the page cache. */
struct pw_outfile_open {
	const char *name;
	unsigned int part;
	uint64_t len_bytes;
	uint32_t symbol_len;
	bool new_part, is_target;
};
int pw_outfile_open(struct pw_outfile **f, struct pw_outdir *d, int fd,
	const struct pw_outfile_open *how, struct pw_err *err);

#endif
