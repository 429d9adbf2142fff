/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads small files of /proc and /sys, or of a directory that stands for them in tests. */
#include "host/sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LINES (1u << 20) /* modules.dep has ten thousand, a table of routes a few more */

bool pw_sysroot_is_real(const struct pw_sysroot *root)
{
	return !root || !root->root || root->root[0] == '\0';
}

static int make_path(char *path, const struct pw_sysroot *root, const char *fmt, va_list ap)
{
	const char *base = pw_sysroot_is_real(root) ? "" : root->root;
	int n = snprintf(path, PW_SYSFS_PATH_MAX, "%s", base);
	int room = PW_SYSFS_PATH_MAX - n;

	if (room <= 0 || vsnprintf(path + n, (size_t)room, fmt, ap) >= room)
		return -ENAMETOOLONG;
	return 0;
}

static int read_file(const char *path, char *buf, size_t len)
{
	size_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int ret = 0;

	if (fd < 0)
		return -errno;
	while (n < len - 1) {
		ssize_t r = read(fd, buf + n, len - 1 - n);

		if (r < 0)
			ret = -errno;
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	close(fd);
	if (ret)
		n = 0;
	while (n > 0 && strchr(" \t\n", buf[n - 1]))
		n--;
	buf[n] = '\0';
	return ret ? ret : (int)n;
}

int pw_sysfs_read(const struct pw_sysroot *root, char *buf, size_t len, const char *fmt, ...)
{
	char path[PW_SYSFS_PATH_MAX];
	va_list ap;
	int r;

	buf[0] = '\0';
	va_start(ap, fmt);
	r = make_path(path, root, fmt, ap);
	va_end(ap);
	return r ? r : read_file(path, buf, len);
}

int pw_sysfs_read_number(const struct pw_sysroot *root, long long *value, const char *fmt, ...)
{
	char path[PW_SYSFS_PATH_MAX], text[32], *end;
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = make_path(path, root, fmt, ap);
	va_end(ap);
	if (r == 0)
		r = read_file(path, text, sizeof(text));
	if (r < 0)
		return r;
	errno = 0;
	*value = strtoll(text, &end, 0);
	return end == text || *end || errno ? -EINVAL : 0;
}

int pw_sysfs_read_link(const struct pw_sysroot *root, char *buf, size_t len, const char *fmt, ...)
{
	char path[PW_SYSFS_PATH_MAX], target[PATH_MAX];
	const char *last;
	va_list ap;
	ssize_t n;
	int r;

	buf[0] = '\0';
	va_start(ap, fmt);
	r = make_path(path, root, fmt, ap);
	va_end(ap);
	if (r)
		return r;
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	last = strrchr(target, '/');
	return snprintf(buf, len, "%s", last ? last + 1 : target);
}

bool pw_sysfs_exists(const struct pw_sysroot *root, const char *fmt, ...)
{
	char path[PW_SYSFS_PATH_MAX];
	struct stat st;
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = make_path(path, root, fmt, ap);
	va_end(ap);
	return r == 0 && lstat(path, &st) == 0;
}

static int path_of(char *path, const struct pw_sysroot *root, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int path_of(char *path, const struct pw_sysroot *root, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = make_path(path, root, fmt, ap);
	va_end(ap);
	return r;
}

static int not_dots(const struct dirent *e)
{
	return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

int pw_sysfs_each_entry(const struct pw_sysroot *root, const char *path,
	int (*each)(void *ctx, const char *name), void *ctx)
{
	char full[PW_SYSFS_PATH_MAX];
	struct dirent **names;
	int i, n;
	int ret = path_of(full, root, "%s", path);

	if (ret)
		return ret;
	n = scandir(full, &names, not_dots, versionsort);
	if (n < 0)
		return -errno;
	for (i = 0; i < n; i++) {
		if (ret == 0)
			ret = each(ctx, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return ret;
}

int pw_sysfs_each_line(const struct pw_sysroot *root, const char *path,
	int (*each)(void *ctx, char *line), void *ctx)
{
	char full[PW_SYSFS_PATH_MAX];
	char *line = NULL;
	size_t room = 0;
	unsigned int n;
	FILE *f;
	int ret = path_of(full, root, "%s", path);

	if (ret)
		return ret;
	f = fopen(full, "re");
	if (!f)
		return -errno;
	for (n = 0; n < MAX_LINES && ret == 0 && getline(&line, &room, f) > 0; n++) {
		line[strcspn(line, "\n")] = '\0';
		ret = each(ctx, line);
	}
	free(line);
	fclose(f);
	return ret;
}

static int count_one(void *ctx, const char *name)
{
	(void)name;
	++*(unsigned int *)ctx;
	return 0;
}

unsigned int pw_sysfs_count(const struct pw_sysroot *root, const char *path)
{
	unsigned int n = 0;

	pw_sysfs_each_entry(root, path, count_one, &n);
	return n;
}
