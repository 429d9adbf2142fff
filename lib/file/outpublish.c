/* SPDX-License-Identifier: BSD-3-Clause */
/* Names in the output directory: reports which file has a name, renames a complete part to its name, and syncs
 * directories so that the name is on the disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "file/outdir_private.h"
#include "wire/fdt.h"

/* If there are more directories than this, the whole file system is synced. */
#define SYNC_DIRS 16u

int pw_outdir_look(const struct pw_outdir *d, const char *name, int part, enum pw_outdir_kind *kind,
	uint64_t *len_bytes)
{
	struct pw_outpath p;
	struct stat st;
	/* The root does not change: nothing is made. */
	struct pw_outroot *root = (struct pw_outroot *)&d->root;
	int ret = pw_outpath_open(&p, root, name, part, false);

	*kind = PW_OUTDIR_ABSENT;
	*len_bytes = 0;
	if (ret < 0)
		return ret == -ENOENT ? 0 : ret;
	if (fstatat(p.dir_fd, p.base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		ret = errno == ENOENT ? 0 : -errno;
	else if (S_ISREG(st.st_mode) && st.st_nlink == 1)
		*kind = PW_OUTDIR_FILE;
	else
		*kind = S_ISDIR(st.st_mode) ? PW_OUTDIR_DIR : PW_OUTDIR_OTHER;
	if (*kind == PW_OUTDIR_FILE)
		*len_bytes = (uint64_t)st.st_size;
	pw_outpath_close(&p, root);
	return ret;
}

void pw_outdir_remove_part(
	struct pw_outdir *d, const char *name, unsigned int part, const struct pw_outfile_id *id)
{
	struct pw_outpath p;
	struct stat st;

	if (pw_outpath_open(&p, &d->root, name, (int)part, false) < 0)
		return;
	if (!id || (fstatat(p.dir_fd, p.base, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			   pw_outfile_id_matches(&st, id)))
		unlinkat(p.dir_fd, p.base, 0);
	pw_outpath_close(&p, &d->root);
}

static int set_attr(int fd, const struct pw_outdir *d, const struct pw_outfile_attr *attr)
{
	const int64_t second = (int64_t)PW_NS_PER_S;
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};

	if (attr->has_mode && fchmod(fd, ((mode_t)attr->mode & 0777 & ~d->umask) | 0600) < 0)
		return -errno;
	if (!attr->has_mtime)
		return 0;
	times[1].tv_sec = attr->mtime_ns / second;
	times[1].tv_nsec = attr->mtime_ns % second;
	if (times[1].tv_nsec < 0) {
		times[1].tv_sec--;
		times[1].tv_nsec += second;
	}
	return futimens(fd, times) < 0 ? -errno : 0;
}

/* RENAME_NOREPLACE, or stat() and rename() if the file system does not support it. */
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

/* Compares the files: the manifest may have a second name, by a case-insensitive file system or a second
 * mount. */
static bool is_manifest(const struct pw_outdir *d, const struct stat *st)
{
	struct stat m;

	return d->manifest && lstat(d->manifest, &m) == 0 && m.st_dev == st->st_dev &&
	       m.st_ino == st->st_ino;
}

static int publish_error(const struct pw_outdir *d, const char *name, int code, struct pw_err *err)
{
	if (code == ESTALE || code == ENOENT)
		return pw_err_set(err, ESTALE,
			"cannot rename the partial file of %s/%s: another process replaced or "
			"removed it; do not change the output directory while recv runs",
			d->path, name);
	if (code == EISDIR || code == ENOTEMPTY)
		return pw_err_set(err, EISDIR,
			"cannot rename the partial file of %s/%s: the name is that of a directory; "
			"remove the directory",
			d->path, name);
	return pw_err_sys(err, code, "cannot rename the partial file of %s/%s", d->path, name);
}

/* Opens the part. -ESTALE: it is no longer that file. */
static int open_part(const struct pw_outpath *p, const char *part, const struct pw_outfile_id *id)
{
	struct stat st;
	int fd = openat(p->dir_fd, part, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return errno == ELOOP ? -ESTALE : -errno;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
		pw_outfile_id_matches(&st, id))
		return fd;
	close(fd);
	return -ESTALE;
}

/* 0: the name may be given to the part. */
static int check_target(const struct pw_outdir *d, const struct pw_outpath *p, const char *name,
	bool force, struct pw_err *err)
{
	struct stat st;

	if (fstatat(p->dir_fd, p->base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : publish_error(d, name, errno, err);
	if (is_manifest(d, &st))
		return pw_err_set(err, EEXIST,
			"cannot rename the partial file of %s/%s: a received file does not replace "
			"the gap manifest; give another --gaps",
			d->path, name);
	if (!force)
		return pw_err_set(err, EEXIST,
			"cannot rename the partial file of %s/%s: the name exists; replace it with "
			"--force",
			d->path, name);
	return 0;
}

int pw_outdir_publish(struct pw_outdir *d, const char *name, unsigned int part,
	const struct pw_outfile_id *id, bool force, const struct pw_outfile_attr *attr,
	struct pw_err *err)
{
	char from[NAME_MAX + 1];
	struct pw_outpath p;
	int fd, ret = pw_outpath_open(&p, &d->root, name, PW_OUTDIR_TARGET, false);

	if (ret < 0)
		return publish_error(d, name, -ret, err);
	ret = check_target(d, &p, name, force, err);
	if (ret < 0)
		goto close_path;
	ret = pw_outname_part(from, sizeof(from), p.base, (int)part);
	fd = ret < 0 ? ret : open_part(&p, from, id);
	ret = fd < 0 ? fd : 0;
	if (fd >= 0 && attr)
		ret = set_attr(fd, d, attr);
	if (ret == 0 && force)
		ret = renameat(p.dir_fd, from, p.dir_fd, p.base) < 0 ? -errno : 0;
	else if (ret == 0)
		ret = rename_new(p.dir_fd, from, p.base);
	if (ret == -EEXIST && !force) /* the file appeared after the check */
		check_target(d, &p, name, force, err);
	else if (ret < 0)
		ret = publish_error(d, name, -ret, err);
	if (fd >= 0)
		close(fd);
close_path:
	pw_outpath_close(&p, &d->root);
	return ret;
}

int pw_outdir_sync_all(struct pw_outdir *d, struct pw_err *err)
{
	if (syncfs(d->root.fd) < 0)
		return pw_err_sys(err, errno, "cannot sync the file system of %s", d->path);
	return 0;
}

struct dir_set {
	char *v[SYNC_DIRS]; /* "" is the output directory */
	unsigned int n;
};

/* 1: the set is full. */
static int add_dir(struct dir_set *s, const char *dir, size_t len)
{
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (strlen(s->v[i]) == len && memcmp(s->v[i], dir, len) == 0)
			return 0;
	if (s->n == SYNC_DIRS)
		return 1;
	s->v[s->n] = strndup(dir, len);
	if (!s->v[s->n])
		return -ENOMEM;
	s->n++;
	return 0;
}

/* Adds all directories on the way to the name. */
static int add_parents(struct dir_set *s, const char *name)
{
	const char *slash;
	int ret = add_dir(s, "", 0);

	for (slash = strchr(name, '/'); slash && ret == 0; slash = strchr(slash + 1, '/'))
		ret = add_dir(s, name, (size_t)(slash - name));
	return ret;
}

static int sync_dir(struct pw_outdir *d, const char *dir)
{
	char inside[PW_NAME_MAX + 4];
	struct pw_outpath p;
	int fd, ret;

	if (!dir[0])
		return fsync(d->root.fd) < 0 ? -errno : 0;
	/* The path of any name in it opens the directory. */
	snprintf(inside, sizeof(inside), "%s/x", dir);
	ret = pw_outpath_open(&p, &d->root, inside, PW_OUTDIR_TARGET, false);
	if (ret < 0)
		return ret;
	fd = openat(p.dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret = fd < 0 || fsync(fd) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	pw_outpath_close(&p, &d->root);
	return ret;
}

int pw_outdir_sync_names(
	struct pw_outdir *d, const char *const *names, size_t n, struct pw_err *err)
{
	struct dir_set s = {.n = 0};
	unsigned int k;
	size_t i;
	int ret = 0;

	for (i = 0; i < n && ret == 0; i++)
		ret = add_parents(&s, names[i]);
	/* Parents first: the name of a directory is durable before its content. */
	for (k = 0; k < s.n && ret == 0; k++)
		ret = sync_dir(d, s.v[k]);
	for (k = 0; k < s.n; k++)
		free(s.v[k]);
	/* Too many directories, or the file system cannot sync one. */
	if (ret == 1 || ret == -EINVAL)
		return pw_outdir_sync_all(d, err);
	return ret < 0 ? pw_err_sys(err, -ret, "cannot sync the directories of %s", d->path) : 0;
}
