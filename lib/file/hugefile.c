/* SPDX-License-Identifier: BSD-3-Clause */
/* Files on hugetlbfs: the hugefile provider maps one to send it in place; stage and recv create them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/units.h"
#include "file/regfile.h"
#include "file/window_private.h"

/* A signal ends fallocate() on hugetlbfs with EINTR. Bounded: signals may never stop coming. */
#define MAX_INTERRUPTED 1000

int pw_hugefile_probe(
	const char *path, bool *on_hugetlbfs, uint64_t *page_bytes, struct pw_err *err)
{
	struct statfs fs;

	if (statfs(path, &fs) < 0)
		return pw_err_sys(err, errno, "cannot stat %s", path);
	*on_hugetlbfs = fs.f_type == HUGETLBFS_MAGIC;
	*page_bytes = (uint64_t)fs.f_bsize;
	return 0;
}

static int no_pages(const char *action, const char *path, uint64_t map_bytes, uint64_t page_bytes,
	int code, struct pw_err *err)
{
	char size[32];

	return pw_err_set(err, code,
		"cannot %s %s: it needs %llu huge pages of %s, and fewer are free; add some "
		"(pagewire doctor: hugepages.free)",
		action, path, (unsigned long long)(map_bytes / page_bytes),
		pw_units_size(size, sizeof(size), page_bytes));
}

/*
 * Read-write, but mapped read-only first: hugetlbfs rounds the file's size up to whole pages when
 * a mapping is writable from the start. Being shared, the pages are not copied when the
 * protection is raised.
 */
static int map_exact(int fd, const char *path, void *va_hint, uint64_t map_bytes,
	uint64_t page_bytes, bool populate, void **map, struct pw_err *err)
{
	void *p = pw_regfile_mmap(va_hint, map_bytes, page_bytes, PROT_READ, MAP_SHARED, fd);
	int ret;

	if (p == MAP_FAILED)
		return errno == ENOMEM ? no_pages("map", path, map_bytes, page_bytes, ENOMEM, err)
				       : pw_err_sys(err, errno, "cannot map %s", path);
	/* Not MAP_POPULATE, which does not report a missing page. */
	ret = populate ? pw_regfile_populate(p, map_bytes) : 0;
	if (ret == -ENOMEM) {
		no_pages("map", path, map_bytes, page_bytes, ENOMEM, err);
		goto unmap;
	}
	if (ret == -EFAULT) {
		/* A hole in the file: no free page fills it, or it is a last, partial page, which the
		 * kernel does not fill. */
		pw_err_set(err, EFAULT,
			"cannot map %s: a huge page of it is missing; stage it again, or add huge "
			"pages (pagewire doctor: hugepages.free)",
			path);
		goto unmap;
	}
	if (ret < 0) {
		pw_err_sys(err, -ret, "cannot fault in the huge pages of %s", path);
		goto unmap;
	}
	if (mprotect(p, map_bytes, PROT_READ | PROT_WRITE) < 0) {
		ret = pw_err_sys(err, errno, "cannot map %s read-write", path);
		goto unmap;
	}
	*map = p;
	return 0;

unmap:
	munmap(p, map_bytes);
	return ret;
}

int pw_hugefile_open(struct pw_window *w, const char *path, void *va_hint, struct pw_err *err)
{
	struct pw_regfile f;
	bool huge = false;
	uint64_t page_bytes;
	int ret;

	*w = (struct pw_window){0};
	/* Read-write only on hugetlbfs: elsewhere, a read-only file gets the error below instead. */
	ret = pw_hugefile_probe(path, &huge, &page_bytes, NULL);
	ret = pw_regfile_open(&f, path, ret == 0 && huge ? O_RDWR : O_RDONLY, "map", err);
	if (ret < 0)
		return ret;
	if (!f.huge_page_bytes) {
		pw_regfile_close(&f);
		return pw_err_set(err, EINVAL,
			"cannot map %s: not on hugetlbfs; use --pages pagecache or stage it with "
			"`pagewire stage FILE`",
			path);
	}
	w->pages = PW_PAGES_HUGEFILE;
	w->fd = f.fd;
	w->len_bytes = f.len_bytes;
	w->mtime_ns = f.mtime_ns;
	w->page_bytes = f.huge_page_bytes;
	w->writable = true;
	if (w->len_bytes == 0)
		return 0;
	w->map_bytes = pw_align_up(w->len_bytes, w->page_bytes);
	ret = map_exact(w->fd, path, va_hint, w->map_bytes, w->page_bytes, true, &w->map, err);
	if (ret == 0)
		ret = pw_window_add_map(w, path, err);
	if (ret < 0)
		pw_window_close(w);
	return ret;
}

static int allocate(int fd, uint64_t from, uint64_t len_bytes)
{
	int i;

	for (i = 0; i < MAX_INTERRUPTED; i++) {
		if (fallocate(fd, 0, (off_t)from, (off_t)(len_bytes - from)) == 0)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
	return -EINTR;
}

/* The mapping reserves all pages. The last page is always allocated, because its fallocate() sets the exact
 * size. */
static int create(int fd, const char *path, uint64_t len_bytes, uint64_t page_bytes, bool populate,
	void **map, uint64_t *map_bytes, struct pw_err *err)
{
	struct stat st;
	uint64_t kept;
	int ret;

	*map = NULL;
	*map_bytes = 0;
	if (len_bytes > INT64_MAX - page_bytes)
		return pw_err_sys(err, EFBIG, "cannot allocate %s", path);
	if (fstat(fd, &st) < 0)
		return pw_err_sys(err, errno, "cannot allocate %s", path);
	/* hugetlbfs truncates to multiples of the page size only; fallocate() below sets the exact size. */
	if ((uint64_t)st.st_size > len_bytes) {
		if (ftruncate(fd, 0) < 0)
			return pw_err_sys(err, errno, "cannot truncate %s", path);
		st.st_size = 0;
	}
	if (len_bytes == 0)
		return 0;
	*map_bytes = pw_align_up(len_bytes, page_bytes);
	ret = allocate(fd, populate ? 0 : *map_bytes - page_bytes, len_bytes);
	if (ret == 0)
		ret = map_exact(fd, path, NULL, *map_bytes, page_bytes, populate, map, err);
	else if (ret == -ENOSPC || ret == -ENOMEM)
		no_pages("allocate", path, *map_bytes, page_bytes, ENOSPC, err);
	else
		pw_err_sys(err, -ret, "cannot allocate %s", path);
	if (ret == 0)
		return 0;
	/* A failed fallocate() leaves the pages that it allocated beyond the end of the file. */
	kept = pw_align_up((uint64_t)st.st_size, page_bytes);
	if (kept < *map_bytes)
		(void)!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)kept,
			(off_t)(*map_bytes - kept));
	*map_bytes = 0;
	return ret == -ENOMEM ? -ENOSPC : ret;
}

int pw_hugefile_create(int fd, const char *path, uint64_t len_bytes, uint64_t page_bytes,
	void **map, uint64_t *map_bytes, struct pw_err *err)
{
	return create(fd, path, len_bytes, page_bytes, true, map, map_bytes, err);
}

int pw_hugefile_reserve(int fd, const char *path, uint64_t len_bytes, uint64_t page_bytes,
	void **map, uint64_t *map_bytes, struct pw_err *err)
{
	return create(fd, path, len_bytes, page_bytes, false, map, map_bytes, err);
}
