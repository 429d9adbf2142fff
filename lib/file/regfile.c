/* SPDX-License-Identifier: BSD-3-Clause */
#include "file/regfile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"

/* Addresses above the hint that are tried: usually one for each file that is already mapped there. */
#define MAX_HINTS 256

uint64_t pw_regfile_mtime_ns(const struct stat *st)
{
	return (uint64_t)st->st_mtim.tv_sec * PW_NS_PER_S + (uint64_t)st->st_mtim.tv_nsec;
}

int64_t pw_regfile_huge_page_bytes(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return -errno;
	return fs.f_type == HUGETLBFS_MAGIC ? (int64_t)fs.f_bsize : 0;
}

/* tmpfs and others accept O_DIRECT but copy with the CPU: such a copy must be counted. */
bool pw_regfile_takes_direct(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0 || fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC ||
		fs.f_type == HUGETLBFS_MAGIC)
		return false;
#ifdef STATX_DIOALIGN
	{
		struct statx sx = {0};

		if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) == 0 &&
			(sx.stx_mask & STATX_DIOALIGN))
			return sx.stx_dio_offset_align > 0 &&
			       sx.stx_dio_offset_align <= PW_DIRECT_ALIGN &&
			       sx.stx_dio_mem_align <= PW_DIRECT_ALIGN;
	}
#endif
	return true;
}

static int check_mode(const char *path, mode_t mode, const char *action, struct pw_err *err)
{
	if (S_ISREG(mode))
		return 0;
	if (S_ISDIR(mode))
		return pw_err_set(err, EISDIR,
			"cannot %s %s: it is a directory; name the files in it", action, path);
	return pw_err_set(err, EINVAL,
		"cannot %s %s: it is a %s; copy its content into a regular file", action, path,
		S_ISFIFO(mode)   ? "FIFO"
		: S_ISSOCK(mode) ? "socket"
				 : "device");
}

static int open_error(const char *path, int code, int flags, const char *action, struct pw_err *err)
{
	if ((code == EACCES || code == EROFS || code == EPERM) && (flags & O_ACCMODE) == O_RDWR)
		return pw_err_sys(err, code,
			"cannot %s %s read-write, which a device needs (chmod u+w, or --pages "
			"pagecache)",
			action, path);
	return pw_err_sys(err, code, "cannot %s %s", action, path);
}

/* Moves the descriptor above 2: a zeroed struct pw_regfile must not own standard input. */
static int above_stdio(int fd)
{
	int up;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	up = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close(fd);
	return up;
}

int pw_regfile_open(
	struct pw_regfile *f, const char *path, int flags, const char *action, struct pw_err *err)
{
	struct stat st;
	int64_t huge;
	int fd, ret;

	*f = (struct pw_regfile){0};
	/* stat() before open(): to open a device or a FIFO has side effects. */
	if (stat(path, &st) < 0)
		return pw_err_sys(err, errno, "cannot %s %s", action, path);
	ret = check_mode(path, st.st_mode, action, err);
	if (ret < 0)
		return ret;
	fd = above_stdio(open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
	if (fd < 0)
		return open_error(path, errno, flags, action, err);
	if (fstat(fd, &st) < 0) {
		ret = pw_err_sys(err, errno, "cannot %s %s", action, path);
		goto close_fd;
	}
	ret = check_mode(path, st.st_mode, action, err);
	if (ret < 0)
		goto close_fd;
	huge = pw_regfile_huge_page_bytes(fd);
	if (huge < 0) {
		ret = pw_err_sys(err, (int)-huge, "cannot %s %s", action, path);
		goto close_fd;
	}
	f->fd = fd;
	f->len_bytes = (uint64_t)st.st_size;
	f->mtime_ns = pw_regfile_mtime_ns(&st);
	f->huge_page_bytes = (uint64_t)huge;
	return 0;

close_fd:
	close(fd);
	return ret;
}

void pw_regfile_close(struct pw_regfile *f)
{
	if (f->fd > STDERR_FILENO)
		close(f->fd);
	*f = (struct pw_regfile){0};
}

void *pw_regfile_mmap(
	void *hint, uint64_t map_bytes, uint64_t page_bytes, int prot, int flags, int fd)
{
	uintptr_t at = pw_align_up((uintptr_t)hint, page_bytes);
	void *map;
	int i;

	for (i = 0; hint && i < MAX_HINTS; i++) {
		map = mmap((void *)at, map_bytes, prot, flags | MAP_FIXED_NOREPLACE, fd, 0);
		if (map != MAP_FAILED)
			return map;
		if (errno != EEXIST)
			break;
		at += map_bytes;
	}
	return mmap(NULL, map_bytes, prot, flags, fd, 0);
}

int pw_regfile_populate(void *map, uint64_t map_bytes)
{
	if (madvise(map, map_bytes, MADV_POPULATE_READ) == 0 || errno == EINVAL)
		return 0;
	return -errno;
}
