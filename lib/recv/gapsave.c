/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes a gap manifest: to PATH.part, which is synced and renamed. It is written as text and not as a tree of
 * jansson, because a million ranges are normal.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/utf8.h"
#include "file/window.h"
#include "recv/gaps.h"

/* Where the manifest goes. The directory is opened once, so later changes of its path have no effect. */
struct place {
	const char *path; /* for messages */
	int dir_fd;
	const char *base; /* of path */
	char *tmp;        /* base.part */
};

/* putc_unlocked(): no other thread uses the stream, and a lock for each character would take most of the
 * time. */
static void write_hex(FILE *f, unsigned int byte)
{
	static const char digits[] = "0123456789ABCDEF";

	putc_unlocked(digits[byte >> 4], f);
	putc_unlocked(digits[byte & 15], f);
}

static void write_plain(FILE *f, char c)
{
	if (c == '"' || c == '\\')
		putc_unlocked('\\', f);
	putc_unlocked(c, f);
}

/* s is UTF-8. Control characters are escaped, also DEL and those of C1: a terminal would obey them. */
static void write_utf8(FILE *f, const char *s)
{
	for (; *s; s++) {
		const size_t n = pw_control_len(s);

		if (n == 0) {
			write_plain(f, *s);
			continue;
		}
		s += n - 1; /* the last byte of a C1 character is its code */
		fputs("\\u00", f);
		write_hex(f, (unsigned char)*s);
	}
}

static void write_percent(FILE *f, const char *s)
{
	for (; *s; s++) {
		if (*s >= ' ' && *s <= '~' && *s != '%') {
			write_plain(f, *s);
		} else {
			putc_unlocked('%', f);
			write_hex(f, (unsigned char)*s);
		}
	}
}

static void write_name(FILE *f, const char *name, bool utf8)
{
	fputc('"', f);
	if (utf8)
		write_utf8(f, name);
	else
		write_percent(f, name);
	fputc('"', f);
}

static void write_file(FILE *f, const struct pw_gap_file *file)
{
	const bool utf8 = pw_utf8_valid(file->name);
	char digest[PW_DIGEST_TEXT_MAX];
	size_t i;

	fputs(utf8 ? "{\"name\": " : "{\"name_bytes\": ", f);
	write_name(f, file->name, utf8);
	fprintf(f, ", \"bytes\": %" PRIu64, file->len_bytes);
	if (file->digest.kind != PW_DIGEST_NONE)
		fprintf(f, ", \"digest\": \"%s\"",
			pw_digest_format(digest, sizeof(digest), &file->digest));
	if (file->part)
		fprintf(f, ", \"part\": %u", file->part);
	fputs(",\n  \"missing\": [", f);
	for (i = 0; i < file->n_missing; i++)
		fprintf(f, "%s[%" PRIu64 ", %" PRIu64 "]", i ? ", " : "", file->missing[i].from,
			file->missing[i].to);
	fputs("]}", f);
}

/* One of the two lists of named files; an empty one is left out. */
static void write_named(FILE *f, const struct pw_gaps *g, bool utf8)
{
	const char *before = utf8 ? ",\n\"named\": [\n " : ",\n\"named_bytes\": [\n ";
	size_t i, n = 0;

	for (i = 0; i < g->n_named && ftello(f) <= (off_t)PW_GAPS_MAX_BYTES; i++) {
		if (pw_utf8_valid(g->named[i]) != utf8)
			continue;
		fputs(n++ ? ",\n " : before, f);
		write_name(f, g->named[i], utf8);
	}
	fputs(n ? "]" : "", f);
}

/* EFBIG means that our own bounds are passed. A limit on file sizes (ulimit -f) gets another code. */
static int stream_error(void)
{
	if (errno == EFBIG)
		return -EDQUOT;
	return errno ? -errno : -EIO;
}

/* -EFBIG when the reader would refuse it; -errno of f. */
static int write_text(FILE *f, const struct pw_gaps *g)
{
	size_t i;

	errno = 0;
	fprintf(f, "{\"schema\": \"%s\", \"tsi\": %" PRIu64 ", \"files\": [", PW_GAPS_SCHEMA,
		g->tsi);
	for (i = 0; i < g->n_files; i++) {
		fputs(i ? ",\n " : "\n ", f);
		write_file(f, &g->files[i]);
		if (ferror(f))
			return stream_error();
		if (ftello(f) > (off_t)PW_GAPS_MAX_BYTES)
			return -EFBIG;
	}
	fputs("\n]", f);
	if (g->n_unnamed) {
		fprintf(f, ",\n\"unnamed\": %" PRIu64, g->n_unnamed);
		write_named(f, g, true);
		write_named(f, g, false);
	}
	fputs("}\n", f);
	if (fflush(f) != 0 || ferror(f))
		return stream_error();
	return ftello(f) > (off_t)PW_GAPS_MAX_BYTES ? -EFBIG : 0;
}

static int check_bounds(const struct pw_gaps *g)
{
	size_t i, n_ranges = 0;

	for (i = 0; i < g->n_files; i++)
		n_ranges += g->files[i].n_missing;
	return g->n_files > PW_GAPS_MAX_FILES || g->n_named > PW_GAPS_MAX_FILES ||
			       n_ranges > PW_GAPS_MAX_RANGES
		       ? -EFBIG
		       : 0;
}

/* Sets err for ret, which it returns. */
static int report(const char *path, int ret, struct pw_err *err)
{
	if (ret == -EFBIG)
		return pw_err_set(err, EFBIG,
			"cannot write the gap manifest %s: it would have more than %u files, %u "
			"ranges or %u bytes, which nothing can read; receive the session again",
			path, PW_GAPS_MAX_FILES, PW_GAPS_MAX_RANGES, PW_GAPS_MAX_BYTES);
	return ret < 0 ? pw_err_sys(err, -ret, "cannot write the gap manifest %s", path) : 0;
}

int pw_gaps_text(const struct pw_gaps *g, size_t most, char **text, size_t *len, struct pw_err *err)
{
	FILE *f = open_memstream(text, len);
	int ret = f ? write_text(f, g) : -ENOMEM;

	if (f && fclose(f) != 0 && ret == 0)
		ret = -ENOMEM;
	if (ret == 0 && *len > most)
		ret = -EFBIG;
	if (ret == 0)
		return 0;
	if (f)
		free(*text);
	*text = NULL;
	return pw_err_sys(err, -ret, "cannot write the gap manifest as text");
}

/* hugetlbfs has no write(2), only mappings: the text is written to memory first. */
static int map_text(
	int fd, const char *path, const struct pw_gaps *g, uint64_t page_bytes, struct pw_err *err)
{
	char *text = NULL;
	size_t len = 0;
	uint64_t map_bytes = 0;
	void *map = NULL;
	int ret = pw_gaps_text(g, SIZE_MAX, &text, &len, NULL);

	if (ret == 0)
		ret = pw_hugefile_create(fd, path, len, page_bytes, &map, &map_bytes, err);
	else
		report(path, ret, err);
	if (ret == 0) {
		memcpy(map, text, len);
		munmap(map, map_bytes);
	}
	free(text);
	return ret;
}

static int stream_text(int fd, const struct pw_gaps *g)
{
	const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	FILE *f = copy < 0 ? NULL : fdopen(copy, "w");
	int ret = f ? 0 : -errno;

	if (!f) {
		if (copy >= 0)
			close(copy);
		return ret;
	}
	ret = write_text(f, g);
	if (fclose(f) != 0 && ret == 0)
		ret = -errno;
	return ret;
}

static int store(int fd, const char *path, const struct pw_gaps *g, struct pw_err *err)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC)
		return map_text(fd, path, g, (uint64_t)fs.f_bsize, err);
	return report(path, stream_text(fd, g), err);
}

/* NFS and quotas report some failures only when the file is closed. */
static int sync_and_close(int fd, const char *path, struct pw_err *err)
{
	int ret = fsync(fd) < 0 ? -errno : 0;

	if (close(fd) < 0 && ret == 0)
		ret = -errno;
	return report(path, ret, err);
}

static int report_directory(const char *path, const char *suffix, struct pw_err *err)
{
	return pw_err_set(err, EISDIR,
		"cannot write the gap manifest %s: a directory stands at %s%s; move it away", path,
		path, suffix);
}

/* Removes an old base.part. A directory at either name is an error, before anything is written. */
static int clear_way(const struct place *at, struct pw_err *err)
{
	struct stat st;

	if (fstatat(at->dir_fd, at->base, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		return report_directory(at->path, "", err);
	if (fstatat(at->dir_fd, at->tmp, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		return report_directory(at->path, ".part", err);
	if (unlinkat(at->dir_fd, at->tmp, 0) < 0 && errno != ENOENT)
		return pw_err_sys(err, errno,
			"cannot remove %s.part, which is in the way of the gap manifest", at->path);
	return 0;
}

/* Some file systems cannot sync a directory, and a directory without read permission cannot be opened for it.
 * Neither is an error. */
static int sync_dir(const struct place *at, struct pw_err *err)
{
	if (fsync(at->dir_fd) == 0 || errno == EINVAL || errno == ENOTSUP || errno == EBADF)
		return 0;
	return report(at->path, -errno, err);
}

static int replace(const struct place *at, const struct pw_gaps *g, struct pw_err *err)
{
	int ret = clear_way(at, err), fd;

	if (ret < 0)
		return ret;
	fd = openat(at->dir_fd, at->tmp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd < 0)
		return report(at->path, -errno, err);
	ret = store(fd, at->path, g, err);
	if (ret == 0)
		ret = sync_and_close(fd, at->path, err);
	else
		close(fd);
	if (ret == 0 && renameat(at->dir_fd, at->tmp, at->dir_fd, at->base) < 0)
		ret = report(at->path, -errno, err);
	if (ret < 0)
		unlinkat(at->dir_fd, at->tmp, 0);
	return ret < 0 ? ret : sync_dir(at, err);
}

static int open_place(struct place *at, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int ret = 0;

	*at = (struct place){.path = path, .dir_fd = -1, .base = slash ? slash + 1 : path};
	if (!dir || asprintf(&at->tmp, "%s.part", at->base) < 0) {
		at->tmp = NULL;
		ret = -ENOMEM;
	} else {
		at->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (at->dir_fd < 0 && errno == EACCES)
			at->dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		ret = at->dir_fd < 0 ? -errno : 0;
	}
	free(dir);
	return ret;
}

int pw_gaps_save(const char *path, const struct pw_gaps *g, struct pw_err *err)
{
	struct place at;
	int ret = open_place(&at, path);

	if (ret == 0)
		ret = check_bounds(g);
	ret = ret < 0 ? report(path, ret, err) : replace(&at, g, err);
	if (at.dir_fd >= 0)
		close(at.dir_fd);
	free(at.tmp);
	return ret;
}
