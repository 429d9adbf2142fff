/* SPDX-License-Identifier: BSD-3-Clause */
#include "file/outdir.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/bytes.h"
#include "file/guard.h"
#include "file/outdir_private.h"
#include "file/prefault.h"

#define MAX_MADE 1000000u

static int dir_error(const char *dir, int code, struct pw_err *err)
{
	if (code == ENOENT)
		return pw_err_set(err, code,
			"cannot open output directory %s: it does not exist; mkdir -p %s", dir,
			dir);
	if (code == ENOTDIR)
		return pw_err_set(err, code,
			"cannot open output directory %s: not a directory; name a directory with "
			"--out",
			dir);
	return pw_err_sys(err, code, "cannot open output directory %s", dir);
}

/* Not umask(2), which can only read the mask by changing it for all threads. */
static mode_t read_umask(void)
{
	char line[128];
	unsigned int mask = 022;
	FILE *f = fopen("/proc/self/status", "re");

	if (!f)
		return (mode_t)mask;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Umask: %o", &mask) == 1)
			break;
	fclose(f);
	return (mode_t)(mask & 0777);
}

/* A file system without locks is used without a lock. NFS is one: it needs a descriptor that is open for writing,
 * which a directory cannot be. */
static int lock_dir(const struct pw_outdir *d, struct pw_err *err)
{
	while (flock(d->root.fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EINTR)
			continue;
		if (errno == EWOULDBLOCK)
			return pw_err_set(err, EBUSY,
				"cannot open output directory %s: another pagewire recv writes to "
				"%s; wait for it, or give another --out",
				d->path, d->path);
		pw_warn(d->files.log,
			"cannot lock output directory %s: %s; do not start a second recv on it",
			d->path, strerror(errno));
		break;
	}
	return 0;
}

static int open_root(struct pw_outdir *d, struct pw_err *err)
{
	struct statfs fs;
	int ret, fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return dir_error(d->path, errno, err);
	/* Above 2: a process that was started without standard streams must not print into the directory. */
	d->root.fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	d->files.dir_fd = d->root.fd;
	ret = d->root.fd < 0 ? -errno : 0;
	close(fd);
	if (ret == 0 && (faccessat(d->root.fd, ".", W_OK | X_OK, AT_EACCESS) < 0 ||
				fstatfs(d->root.fd, &fs) < 0))
		ret = -errno;
	if (ret < 0)
		return dir_error(d->path, -ret, err);
	if (fs.f_type == HUGETLBFS_MAGIC)
		d->files.huge_page_bytes = (uint64_t)fs.f_bsize;
	return lock_dir(d, err);
}

static void find_openat2(struct pw_outdir *d)
{
	struct pw_outpath p;

	d->root.walk_only = false;
	if (pw_outpath_open(&p, &d->root, "./x", PW_OUTDIR_TARGET, false) < 0)
		d->root.walk_only = true;
	else
		pw_outpath_close(&p, &d->root);
}

static int set_manifest(struct pw_outdir *d, const char *path, struct pw_err *err)
{
	int ret;

	if (!path)
		return 0;
	d->manifest = strdup(path);
	ret = d->manifest ? pw_outname_locate(d->path, path, &d->manifest_below) : -ENOMEM;
	if (ret < 0)
		return pw_err_sys(
			err, -ret, "cannot resolve the path of the gap manifest %s", path);
	return 0;
}

static int check_memory(struct pw_outdir *d, struct pw_err *err)
{
	if (d->files.memory_bytes == 0)
		d->files.memory_bytes = PW_OUTDIR_MEMORY;
	if (d->files.memory_bytes < PW_OUTDIR_MEMORY_LO ||
		d->files.memory_bytes > PW_OUTDIR_MEMORY_HI)
		return pw_err_set(err, EINVAL,
			"cannot open output directory %s: %llu bytes of memory for writing; give "
			"8MiB to 256MiB",
			d->path, (unsigned long long)d->files.memory_bytes);
	return 0;
}

int pw_outdir_open(struct pw_outdir **out, const struct pw_outdir_config *cfg, struct pw_err *err)
{
	struct pw_outdir *d = calloc(1, sizeof(*d));
	int ret;

	*out = NULL;
	if (!d)
		return pw_err_sys(err, ENOMEM, "cannot open output directory %s", cfg->path);
	pw_outfile_shared_init(&d->files);
	d->root.fd = -1;
	d->root.max_made = cfg->max_made ? cfg->max_made : MAX_MADE;
	d->files.write = cfg->write;
	d->files.memory_bytes = cfg->write_memory_bytes;
	d->files.log = cfg->log;
	d->umask = read_umask();
	d->path = strdup(cfg->path);
	d->files.dir = d->path;
	ret = d->path ? check_memory(d, err)
		      : pw_err_sys(err, ENOMEM, "cannot open output directory %s", cfg->path);
	if (ret == 0)
		ret = pw_guard_init(err);
	if (ret == 0)
		ret = open_root(d, err);
	if (ret == 0)
		ret = set_manifest(d, cfg->manifest_path, err);
	if (ret == 0 && d->files.huge_page_bytes)
		ret = pw_prefault_create(&d->files.ahead, err);
	if (ret < 0) {
		pw_outdir_close(d);
		return ret;
	}
	find_openat2(d);
	*out = d;
	return 0;
}

void pw_outdir_close(struct pw_outdir *d)
{
	if (!d)
		return;
	pw_outfile_shared_finish(&d->files);
	if (d->root.fd >= 0)
		close(d->root.fd);
	free(d->path);
	free(d->manifest);
	free(d->manifest_below);
	free(d);
}

/* A hugetlbfs that was mounted without a size does not report it: it may use all free pages of the pool. */
static uint64_t huge_pool_free(uint64_t page_bytes)
{
	char path[96];
	unsigned long long n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%llukB/free_hugepages",
		(unsigned long long)(page_bytes >> 10));
	f = fopen(path, "re");
	if (!f)
		return UINT64_MAX;
	if (fscanf(f, "%llu", &n) != 1 || n > UINT64_MAX / page_bytes)
		n = UINT64_MAX / page_bytes;
	fclose(f);
	return n * page_bytes;
}

uint64_t pw_outdir_disk_waited_ns(struct pw_outdir *d)
{
	struct pw_outpool *pool;

	pthread_mutex_lock(&d->files.lock);
	pool = d->files.pool; /* stays until the directory is closed */
	pthread_mutex_unlock(&d->files.lock);
	return pool ? pw_outdisk_waited_ns(pool) : 0;
}

int pw_outdir_free_bytes(const struct pw_outdir *d, uint64_t *bytes, struct pw_err *err)
{
	struct statvfs fs;

	if (fstatvfs(d->root.fd, &fs) < 0)
		return pw_err_sys(err, errno, "cannot read the free space of %s", d->path);
	if (fs.f_blocks == 0)
		*bytes = d->files.huge_page_bytes ? huge_pool_free(d->files.huge_page_bytes)
						  : UINT64_MAX;
	else if (__builtin_mul_overflow(fs.f_bavail, fs.f_frsize, bytes))
		*bytes = UINT64_MAX;
	return 0;
}

static int create_error(const struct pw_outdir *d, const char *name, uint64_t len_bytes, int code,
	struct pw_err *err)
{
	if (code == EDQUOT && atomic_load(&d->root.n_made) >= d->root.max_made)
		return pw_err_set(err, code,
			"cannot create %s/%s: %llu files and directories were made already; raise "
			"--max-files",
			d->path, name, (unsigned long long)d->root.max_made);
	if (code == ENOSPC || code == EDQUOT)
		return pw_err_set(err, code,
			"cannot create %s/%s: %s, up to %llu bytes are needed; free some space and "
			"continue with --resume",
			d->path, name, code == ENOSPC ? "disk full" : "disk quota used up",
			(unsigned long long)len_bytes);
	if (code == EISDIR)
		return pw_err_set(err, code,
			"cannot create %s/%s: all %u names for its partial file exist; remove some "
			"of them",
			d->path, name, PW_OUTDIR_MAX_PARTS);
	return pw_err_sys(err, code, "cannot create %s/%s", d->path, name);
}

static bool is_locked(int dir_fd, const char *base)
{
	int fd = openat(dir_fd, base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	bool locked;

	if (fd < 0)
		return false;
	locked = flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	close(fd);
	return locked;
}

/* Makes the name free. 1: it is; 0: the file that has it must stay; -errno. */
static int clear_name(struct pw_outdir *d, int dir_fd, const char *base)
{
	struct stat st;

	if (fstatat(dir_fd, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 1 : -errno;
	if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return 0;
	if (S_ISREG(st.st_mode) && (pw_outfile_is_open(&d->files, &st) || is_locked(dir_fd, base)))
		return 0;
	if (unlinkat(dir_fd, base, 0) < 0 && errno != ENOENT)
		return errno == EISDIR ? 0 : -errno;
	return 1;
}

/* Returns the new part's descriptor. 0: the number is taken. Never opens an existing file, which may be a link to
 * another place. */
static int make_part(struct pw_outdir *d, int dir_fd, const char *base)
{
	int fd, ret = clear_name(d, dir_fd, base);

	if (ret <= 0)
		return ret;
	if (!pw_outroot_count(&d->root))
		return -EDQUOT;
	fd = openat(dir_fd, base, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd < 0)
		return errno == EEXIST ? 0 : -errno;
	/* Descriptor 0 would mean `taken`. */
	if (fd == 0) {
		fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		close(0);
	}
	return fd < 0 ? -errno : fd;
}

/* Returns the descriptor and sets p->base and *part. -EISDIR: all numbers are taken. */
static int make_any_part(struct pw_outdir *d, struct pw_outpath *p, const char *name,
	uint32_t keep_parts, unsigned int *part)
{
	unsigned int k;
	int fd, ret;

	for (k = 0; k < PW_OUTDIR_MAX_PARTS; k++) {
		if (keep_parts & 1u << k)
			continue;
		ret = pw_outpath_set_part(p, name, (int)k);
		if (ret < 0)
			return ret;
		fd = make_part(d, p->dir_fd, p->base);
		if (fd == 0)
			continue;
		*part = k;
		return fd;
	}
	return -EISDIR;
}

int pw_outdir_create(struct pw_outdir *d, const char *name, uint64_t len_bytes, uint32_t symbol_len,
	uint32_t keep_parts, struct pw_outfile **f, struct pw_err *err)
{
	struct pw_outfile_open how = {
		.name = name, .len_bytes = len_bytes, .symbol_len = symbol_len, .new_part = true};
	struct pw_outpath p;
	int fd, ret;

	*f = NULL;
	if (len_bytes > INT64_MAX)
		return create_error(d, name, len_bytes, EFBIG, err);
	ret = pw_outpath_open(&p, &d->root, name, 0, true);
	if (ret < 0)
		return create_error(d, name, len_bytes, -ret, err);
	fd = make_any_part(d, &p, name, keep_parts, &how.part);
	ret = fd < 0 ? fd : 0;
	/* Sparse: missing symbols take no space. On hugetlbfs, mapping the file sets its length. */
	if (ret == 0 && !d->files.huge_page_bytes && ftruncate(fd, (off_t)len_bytes) < 0)
		ret = -errno;
	if (ret < 0)
		create_error(d, name, len_bytes, -ret, err);
	else
		ret = pw_outfile_open(f, &d->files, fd, &how, err);
	if (fd >= 0) {
		close(fd);
		if (ret < 0)
			unlinkat(p.dir_fd, p.base, 0);
	}
	pw_outpath_close(&p, &d->root);
	return ret;
}

static int report_stale(const struct pw_outdir *d, const char *name, struct pw_err *err)
{
	return pw_err_set(err, ESTALE,
		"cannot open %s/%s: another process replaced or truncated it; do not change the "
		"output directory while recv runs",
		d->path, name);
}

static int open_existing(struct pw_outdir *d, const char *name, int part, int flags,
	const struct pw_outfile_id *id, uint64_t len_bytes, struct pw_err *err)
{
	struct pw_outpath p;
	struct stat st;
	int fd, ret = pw_outpath_open(&p, &d->root, name, part, false);

	if (ret == 0) {
		fd = openat(
			p.dir_fd, p.base, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		ret = fd < 0 ? -errno : fd;
		pw_outpath_close(&p, &d->root);
	}
	if (ret == -ENOENT)
		return report_stale(d, name, err);
	if (ret < 0)
		return pw_err_sys(err, -ret, "cannot open %s/%s", d->path, name);
	fd = ret;
	if (fstat(fd, &st) < 0)
		ret = pw_err_sys(err, errno, "cannot open %s/%s", d->path, name);
	else if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || (uint64_t)st.st_size != len_bytes ||
		 (id && !pw_outfile_id_matches(&st, id)))
		ret = report_stale(d, name, err);
	if (ret < 0)
		close(fd);
	return ret;
}

int pw_outdir_reopen(struct pw_outdir *d, const char *name, unsigned int part, uint64_t len_bytes,
	const struct pw_outfile_id *id, struct pw_outfile **f, struct pw_err *err)
{
	struct pw_outfile_open how = {.name = name, .part = part, .len_bytes = len_bytes};
	int ret, fd;

	*f = NULL;
	fd = open_existing(d, name, (int)part, O_RDWR, id, len_bytes, err);
	if (fd < 0)
		return fd;
	ret = pw_outfile_open(f, &d->files, fd, &how, err);
	close(fd);
	return ret;
}

int pw_outdir_open_target(struct pw_outdir *d, const char *name, uint64_t len_bytes,
	struct pw_outfile **f, struct pw_err *err)
{
	struct pw_outfile_open how = {.name = name, .len_bytes = len_bytes, .is_target = true};
	int ret, fd;

	*f = NULL;
	fd = open_existing(d, name, PW_OUTDIR_TARGET, O_RDONLY, NULL, len_bytes, err);
	if (fd < 0)
		return fd;
	ret = pw_outfile_open(f, &d->files, fd, &how, err);
	close(fd);
	return ret;
}

const char *pw_outdir_reserved(const struct pw_outdir *d, const char *name)
{
	return d->manifest_below ? pw_outname_reserved(name, d->manifest_below) : NULL;
}

bool pw_outdir_is_refusal(int code)
{
	return code != ENOMEM && code != EMFILE && code != ENFILE && code != EBADF &&
	       code != ENODEV;
}
