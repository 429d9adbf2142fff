/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens received files, and the state that the open files of one output directory share: the thread that faults
 * in pages and the pool of disk chunks. The directory (outdir.c) owns it. */
#ifndef PW_FILE_OUTFILE_PRIVATE_H
#define PW_FILE_OUTFILE_PRIVATE_H

#include <pthread.h>
#include <sys/stat.h>

#include "base/log.h"
#include "file/outfile.h"

struct pw_prefault;
struct pw_outpool;

struct pw_outfile_shared {
	const char *dir; /* its path, for messages */
	int dir_fd;
	uint64_t huge_page_bytes; /* 0: not on hugetlbfs */
	uint64_t memory_bytes;    /* of all chunks */
	enum pw_outdir_write write;
	const struct pw_log *log;
	struct pw_prefault *ahead; /* makes huge pages; NULL: not on hugetlbfs */

	pthread_mutex_t lock;     /* over all below */
	struct pw_outfile *files; /* that are open */
	struct pw_outpool *pool;  /* made for the first file that needs it */
	bool pool_failed;         /* no pool could be made: all files are mapped */
	bool warned_mapped;       /* the user was warned once that a file is mapped */
};

void pw_outfile_shared_init(struct pw_outfile_shared *s);
/* All files are closed. Accepts one that was only initialized. */
void pw_outfile_shared_finish(struct pw_outfile_shared *s);

static inline bool pw_outfile_id_matches(const struct stat *st, const struct pw_outfile_id *id)
{
	return (uint64_t)st->st_dev == id->dev && (uint64_t)st->st_ino == id->ino;
}

/* Whether the file is open here. */
bool pw_outfile_is_open(struct pw_outfile_shared *s, const struct stat *st);

/* fd: open read-write (is_target: read-only) and of len_bytes; it stays the caller's. new_part: the file
 * holds nothing yet, and may be written past the page cache. */
struct pw_outfile_open {
	const char *name;
	unsigned int part;
	uint64_t len_bytes;
	uint32_t symbol_len;
	bool new_part, is_target;
};
int pw_outfile_open(struct pw_outfile **f, struct pw_outfile_shared *s, int fd,
	const struct pw_outfile_open *how, struct pw_err *err);

#endif
