/* SPDX-License-Identifier: BSD-3-Clause */
#include "xfer/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "page/guard.h"
#include "page/window.h"
#include "wire/fdt.h"
#include "xfer/direct.h"
#include "xfer/outpath.h"

/* fallocate() gives up at a signal; a storm of them must not keep us here for good. */
#define MAX_INTERRUPTED 1000

bool pw_output_is_refusal(int code)
{
	switch (code) {
	case ELOOP:
	case EEXIST:
	case ENOTDIR:
	case EISDIR:
	case EINVAL:
	case ENAMETOOLONG:
	case EACCES:
	case EPERM:
	case ENXIO:
	case EFBIG:
	case EXDEV:
	case ENOTEMPTY:
	case ETXTBSY:
		return true;
	default:
		return false;
	}
}

bool pw_mapping_close(struct pw_mapping *m)
{
	bool lost = pw_guard_lost(m->guard);

	if (!m->base)
		return false;
	if (m->direct) {
		lost = pw_direct_close(m->direct) != 0;
		*m = (struct pw_mapping){.dev = m->dev, .ino = m->ino, .guard = -1};
		return lost;
	}
	pw_guard_remove(m->guard);
	munmap(m->base, m->map_bytes);
	m->base = NULL;
	m->hi = 0;
	m->map_bytes = 0;
	m->guard = -1;
	return lost;
}

static int allocate(int fd, uint64_t len_bytes)
{
	int i;

	for (i = 0; i < MAX_INTERRUPTED; i++) {
		if (fallocate(fd, 0, 0, (off_t)len_bytes) == 0)
			return 0;
		if (errno != EINTR)
			break;
	}
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
	/* Then a full disk shows only when a page is written back: as SIGBUS, or not at all. */
	return ftruncate(fd, (off_t)len_bytes) < 0 ? -errno : 0;
}

static int map_file(const struct pw_output *o, int fd, const char *name, uint64_t len_bytes,
	struct pw_mapping *m, struct pw_err *err)
{
	void *base;
	struct stat st;
	uint64_t page = o->huge_page_bytes ? o->huge_page_bytes : (uint64_t)sysconf(_SC_PAGESIZE);
	int ret;

	if (o->huge_page_bytes) {
		ret = pw_hugefile_reserve(fd, name, len_bytes, page, &base, &m->map_bytes, err);
		if (ret < 0)
			return ret;
	} else {
		m->map_bytes = len_bytes;
		base = mmap(NULL, len_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (base == MAP_FAILED)
			return pw_err_sys(err, errno, "map %s/%s", o->dir, name);
	}
	if (fstat(fd, &st) < 0) {
		ret = pw_err_sys(err, errno, "map %s/%s", o->dir, name);
		munmap(base, m->map_bytes);
		return ret;
	}
	m->base = base;
	m->hi = len_bytes;
	m->dev = (uint64_t)st.st_dev;
	m->ino = (uint64_t)st.st_ino;
	m->guard = pw_guard_add(base, m->map_bytes, page);
	return 0;
}

/* Whether the new file is written past the page cache; if not, it is mapped. */
static bool open_direct(const struct pw_output *o, int fd, uint64_t len_bytes, struct pw_mapping *m)
{
	struct stat st;

	if (o->write == PW_WRITE_MAPPED || !o->direct.n_open || o->huge_page_bytes ||
		(o->write == PW_WRITE_AUTO && len_bytes < PW_DIRECT_MIN) || fstat(fd, &st) < 0 ||
		pw_direct_open(&m->direct, fd, len_bytes, &o->direct) < 0)
		return false;
	m->base = pw_direct_base(m->direct);
	m->map_bytes = len_bytes;
	m->dev = (uint64_t)st.st_dev;
	m->ino = (uint64_t)st.st_ino;
	return true;
}

static int create_error(
	const struct pw_output *o, const char *name, uint64_t len, int code, struct pw_err *err)
{
	if (code == ENOSPC || code == EDQUOT)
		return pw_err_set(err, code,
			"allocate %s/%s.part: %s, %llu bytes are needed; make room and go on with "
			"--resume",
			o->dir, name, code == ENOSPC ? "disk full" : "disk quota used up",
			(unsigned long long)len);
	return pw_err_sys(err, code, "create %s/%s.part", o->dir, name);
}

/* A fresh file under the name base.part in directory dfd. What was there is unlinked, never opened:
 * it may be a link to somewhere else. */
static int make_part(int dfd, const char *base)
{
	int fd;

	if (unlinkat(dfd, base, 0) < 0 && errno != ENOENT)
		return errno == EISDIR || errno == EPERM ? -EISDIR : -errno;
	fd = openat(dfd, base, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	return fd < 0 ? -errno : fd;
}

int pw_output_create(const struct pw_output *o, const char *name, uint64_t len_bytes,
	struct pw_mapping *m, struct pw_err *err)
{
	struct pw_outpath p;
	int fd, ret;

	*m = (struct pw_mapping){.guard = -1};
	ret = pw_outpath_open(&p, o, name, true, true);
	if (ret < 0)
		return create_error(o, name, len_bytes, -ret, err);
	fd = make_part(p.dir_fd, p.base);
	ret = fd;
	if (fd >= 0 && !o->huge_page_bytes)
		ret = allocate(fd, len_bytes);
	if (ret < 0)
		create_error(o, name, len_bytes, -ret, err);
	else if (!open_direct(o, fd, len_bytes, m))
		ret = map_file(o, fd, name, len_bytes, m, err);
	if (fd >= 0) {
		close(fd);
		/* Nothing is in it, and its blocks may be what the gap manifest needs. */
		if (ret < 0)
			unlinkat(p.dir_fd, p.base, 0);
	}
	pw_outpath_close(&p, o);
	return ret;
}

int pw_output_create_empty(const struct pw_output *o, const char *name, struct pw_err *err)
{
	struct pw_outpath p;
	int fd, ret = pw_outpath_open(&p, o, name, true, true);

	if (ret < 0)
		return create_error(o, name, 0, -ret, err);
	fd = make_part(p.dir_fd, p.base);
	pw_outpath_close(&p, o);
	if (fd < 0)
		return create_error(o, name, 0, -fd, err);
	close(fd);
	return 0;
}

void pw_output_remove_part(const struct pw_output *o, const char *name)
{
	struct pw_outpath p;

	if (pw_outpath_open(&p, o, name, true, false) < 0)
		return;
	unlinkat(p.dir_fd, p.base, 0);
	pw_outpath_close(&p, o);
}

static int stale(const struct pw_output *o, const char *name, struct pw_err *err)
{
	return pw_err_set(err, ESTALE,
		"map %s/%s: somebody replaced or truncated it; leave the output directory alone "
		"while receiving",
		o->dir, name);
}

int pw_output_reopen(const struct pw_output *o, const char *name, bool part, uint64_t len_bytes,
	struct pw_mapping *m, struct pw_err *err)
{
	uint64_t dev = m->dev, ino = m->ino;
	struct pw_outpath p;
	struct stat st;
	int fd, ret = pw_outpath_open(&p, o, name, part, false);

	*m = (struct pw_mapping){.guard = -1, .dev = dev, .ino = ino};
	if (ret < 0)
		return ret == -ENOENT ? stale(o, name, err)
				      : pw_err_sys(err, -ret, "open %s/%s", o->dir, name);
	fd = openat(p.dir_fd, p.base, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ret = fd < 0 ? -errno : 0;
	pw_outpath_close(&p, o);
	if (ret < 0)
		return ret == -ENOENT ? stale(o, name, err)
				      : pw_err_sys(err, -ret, "open %s/%s", o->dir, name);
	if (fstat(fd, &st) < 0)
		ret = pw_err_sys(err, errno, "open %s/%s", o->dir, name);
	else if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || (uint64_t)st.st_size != len_bytes ||
		 (ino && ((uint64_t)st.st_ino != ino || (uint64_t)st.st_dev != dev)))
		ret = stale(o, name, err);
	else
		ret = map_file(o, fd, name, len_bytes, m, err);
	close(fd);
	return ret;
}

static int exists(const struct pw_output *o, const char *name, struct pw_err *err)
{
	return pw_err_set(
		err, EEXIST, "rename %s/%s.part: the name is taken; give --force", o->dir, name);
}

/* RENAME_NOREPLACE where the file system has it, else a look before the leap. */
static int rename_new(int dfd, const char *part, const char *base)
{
	struct stat st;

	if (renameat2(dfd, part, dfd, base, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (fstatat(dfd, base, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return renameat(dfd, part, dfd, base) < 0 ? -errno : 0;
}

int pw_output_rename(const struct pw_output *o, const char *name, bool force, struct pw_err *err)
{
	char part[NAME_MAX + sizeof(PW_PART_SUFFIX)];
	struct pw_outpath p;
	int ret = pw_outpath_open(&p, o, name, false, false);

	if (ret < 0)
		return pw_err_sys(err, -ret, "rename %s/%s.part", o->dir, name);
	snprintf(part, sizeof(part), "%s%s", p.base, PW_PART_SUFFIX);
	if (force)
		ret = renameat(p.dir_fd, part, p.dir_fd, p.base) < 0 ? -errno : 0;
	else
		ret = rename_new(p.dir_fd, part, p.base);
	pw_outpath_close(&p, o);
	if (ret == -EEXIST && !force)
		return exists(o, name, err);
	if (ret < 0)
		return pw_err_sys(err, -ret, "rename %s/%s.part", o->dir, name);
	return 0;
}

int pw_output_look(const struct pw_output *o, const char *name, bool part,
	enum pw_output_kind *kind, uint64_t *len_bytes)
{
	struct pw_outpath p;
	struct stat st;
	int ret = pw_outpath_open(&p, o, name, part, false);

	*kind = PW_OUTPUT_ABSENT;
	*len_bytes = 0;
	if (ret < 0)
		return ret == -ENOENT ? 0 : ret;
	if (fstatat(p.dir_fd, p.base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		ret = errno == ENOENT ? 0 : -errno;
	else if (S_ISREG(st.st_mode) && st.st_nlink == 1)
		*kind = PW_OUTPUT_FILE;
	else
		*kind = S_ISDIR(st.st_mode) ? PW_OUTPUT_DIR : PW_OUTPUT_OTHER;
	if (*kind == PW_OUTPUT_FILE)
		*len_bytes = (uint64_t)st.st_size;
	pw_outpath_close(&p, o);
	return ret;
}
