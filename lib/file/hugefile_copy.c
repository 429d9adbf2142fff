/* SPDX-License-Identifier: BSD-3-Clause */
#include "file/hugefile_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file/filereader.h"
#include "file/regfile.h"
#include "file/window.h"

static int check_target(
	const struct pw_hugefile_copy *c, const struct pw_filereader *in, struct pw_err *err)
{
	struct stat st;

	if (lstat(c->to, &st) < 0)
		return errno == ENOENT ? 0 : pw_err_sys(err, errno, "cannot stage to %s", c->to);
	if (st.st_dev == in->st.st_dev && st.st_ino == in->st.st_ino)
		return pw_err_set(err, EEXIST,
			"cannot stage %s: it is on hugetlbfs already; send it as it is", c->from);
	if (!S_ISREG(st.st_mode))
		return pw_err_set(err, EEXIST,
			"cannot stage to %s: it exists and is not a regular file; name another "
			"directory with --to",
			c->to);
	if (!c->replace)
		return pw_err_set(err, EEXIST,
			"cannot stage to %s: it exists; replace it with --force", c->to);
	return 0;
}

static int create_part(const struct pw_hugefile_copy *c, const struct pw_filereader *in,
	const char *part, struct pw_err *err)
{
	/* The owner can always read and write: send maps the copy read-write. */
	mode_t mode = (in->st.st_mode & 0777) | 0600;
	int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = open(part, flags, mode);

	if (fd < 0 && errno == EEXIST && c->replace && unlink(part) == 0)
		fd = open(part, flags, mode);
	if (fd >= 0)
		return fd;
	if (errno == EEXIST)
		return pw_err_set(err, EEXIST,
			"cannot create %s: it exists, so another stage runs or was killed; replace "
			"it with --force",
			part);
	return pw_err_sys(err, errno, "cannot create %s", part);
}

static int fill(struct pw_hugefile_copy *c, struct pw_filereader *in, int fd, const char *part,
	struct pw_err *err)
{
	uint64_t map_bytes;
	void *map;
	int ret = pw_hugefile_create(fd, part, in->len_bytes, c->page_bytes, &map, &map_bytes, err);

	if (ret < 0)
		return ret;
	c->n_pages = map_bytes / c->page_bytes;
	/* To allocate the pages took a while. */
	if (c->progress && !c->progress(c->progress_ctx, 0, in->len_bytes))
		ret = pw_err_set(err, ECANCELED, "cannot stage %s: interrupted", c->from);
	if (ret == 0)
		ret = pw_filereader_read(in, 0, map, in->len_bytes, err);
	if (map)
		munmap(map, map_bytes);
	return ret < 0 ? ret : pw_filereader_check_unchanged(in, err);
}

static int finish(const struct pw_hugefile_copy *c, const struct pw_filereader *in, int fd,
	const char *part, struct pw_err *err)
{
	const struct timespec times[2] = {in->st.st_atim, in->st.st_mtim};
	struct stat st;

	if (futimens(fd, times) < 0)
		return pw_err_sys(err, errno, "cannot set the times of %s", part);
	if (fstat(fd, &st) < 0)
		return pw_err_sys(err, errno, "cannot stat %s", part);
	if (st.st_size != in->st.st_size)
		return pw_err_set(err, EIO,
			"cannot stage %s: this kernel made the copy %lld bytes long instead of "
			"%lld; use --pages stage when sending",
			c->from, (long long)st.st_size, (long long)in->st.st_size);
	if (renameat2(AT_FDCWD, part, AT_FDCWD, c->to, c->replace ? 0 : RENAME_NOREPLACE) < 0)
		return pw_err_sys(err, errno, "cannot rename %s to %s", part, c->to);
	return 0;
}

int pw_hugefile_copy(struct pw_hugefile_copy *c, struct pw_err *err)
{
	struct pw_filereader in;
	char part[PATH_MAX];
	int64_t page_bytes;
	int fd, ret;

	if (snprintf(part, sizeof(part), "%s.part", c->to) >= (int)sizeof(part))
		return pw_err_sys(err, ENAMETOOLONG, "cannot stage to %s", c->to);
	ret = pw_filereader_open(&in, c->from, "stage", err);
	if (ret < 0)
		return ret;
	in.progress = c->progress;
	in.progress_ctx = c->progress_ctx;
	ret = check_target(c, &in, err);
	if (ret < 0)
		goto close_in;
	fd = create_part(c, &in, part, err);
	if (fd < 0) {
		ret = fd;
		goto close_in;
	}
	page_bytes = pw_regfile_huge_page_bytes(fd);
	if (page_bytes <= 0) {
		ret = pw_err_set(err, EINVAL,
			"cannot stage to %s: not on hugetlbfs; name a directory that is with --to",
			c->to);
		goto drop_part;
	}
	c->page_bytes = (uint64_t)page_bytes;
	c->len_bytes = in.len_bytes;
	ret = fill(c, &in, fd, part, err);
	c->cpu_copies = in.cpu_copies;
	if (ret == 0)
		ret = finish(c, &in, fd, part, err);

drop_part:
	if (ret < 0)
		unlink(part);
	close(fd);
close_in:
	pw_filereader_close(&in);
	return ret;
}
