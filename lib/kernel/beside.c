/* SPDX-License-Identifier: BSD-3-Clause */
/* Maps a file again, with room for headers in front of it. */
#include "kernel/beside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"

/* The window's own descriptor may be for reading only. */
static int open_again(const struct pw_window *win, const char *what, struct pw_err *err)
{
	char path[32];
	int fd;

	if (win->pages != PW_PAGES_HUGEFILE && win->pages != PW_PAGES_PAGECACHE)
		return pw_err_set(err, EOPNOTSUPP,
			"cannot open %s: it sends a file from its own pages, and this one is a "
			"copy in memory; send a file on hugetlbfs or tmpfs",
			what);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", win->fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return pw_err_set(err, EOPNOTSUPP,
			"cannot open %s: the kernel pins only pages that may be written, and this "
			"user may not write the file (%s); send a copy that may be written",
			what, strerror(errno));
	return fd;
}

/* Replaces the reservation by room and file. hugetlbfs makes a file longer that is mapped writable beyond its
 * end: it is mapped read-only, and made writable then. */
static int fill(struct pw_beside *b, int fd, uint64_t map_bytes)
{
	void *file = pw_beside_file(b);

	if (mmap(b->area, b->room_bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1, 0) == MAP_FAILED)
		return -1;
	if (map_bytes == 0)
		return 0;
	if (mmap(file, map_bytes, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		return -1;
	return mprotect(file, map_bytes, PROT_READ | PROT_WRITE);
}

static int map(struct pw_beside *b, const struct pw_window *win, int fd, uint64_t room_bytes)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	b->dev = st.st_dev;
	b->ino = st.st_ino;
	b->page_bytes = win->page_bytes;
	b->room_bytes = room_bytes;
	b->bytes = room_bytes + win->map_bytes;
	b->reserved_bytes = b->bytes + win->page_bytes;
	b->reserved = mmap(NULL, b->reserved_bytes, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (b->reserved == MAP_FAILED) {
		b->reserved = NULL;
		return -1;
	}
	b->area = (uint8_t *)pw_align_up((uintptr_t)b->reserved + room_bytes, win->page_bytes) -
		  room_bytes;
	return fill(b, fd, win->map_bytes);
}

int pw_beside_map(struct pw_beside *b, const struct pw_window *win, uint64_t room_bytes,
	const char *what, struct pw_err *err)
{
	int fd, ret = 0;

	if (!win)
		return pw_err_set(err, EINVAL, "cannot open %s: no file is named", what);
	fd = open_again(win, what, err);
	if (fd < 0)
		return fd;
	if (map(b, win, fd, room_bytes) < 0) {
		ret = pw_err_sys(err, errno, "cannot open %s: cannot map the file", what);
		pw_beside_unmap(b);
	}
	close(fd);
	return ret;
}

void pw_beside_unmap(struct pw_beside *b)
{
	if (b->reserved)
		munmap(b->reserved, b->reserved_bytes);
	b->reserved = NULL;
	b->area = NULL;
}

int pw_beside_check(const struct pw_beside *b, const struct pw_window *win, const char *what,
	struct pw_err *err)
{
	struct stat st;

	if (fstat(win->fd, &st) == 0 && st.st_dev == b->dev && st.st_ino == b->ino)
		return 0;
	return pw_err_set(err, EOPNOTSUPP,
		"cannot send by %s: it sends one file only, the one that it was opened with; send "
		"the others one by one",
		what);
}
