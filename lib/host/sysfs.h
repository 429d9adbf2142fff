/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads the kernel's small text files. Every path is relative to a root, so that tests can use a
 * directory in place of the host. Values are short: text that does not fit a buffer is cut.
 */
#ifndef PW_HOST_SYSFS_H
#define PW_HOST_SYSFS_H

#include <stdbool.h>
#include <stddef.h>

#define PW_SYSFS_PATH_MAX 512

struct pw_sysroot {
	const char *root; /* "" or NULL: the real one; else a directory without trailing slash */
};

/* Also true for NULL: a caller without a root means this host. */
bool pw_sysroot_is_real(const struct pw_sysroot *root);

/* Contents without trailing white space. Returns the length or -errno; buf is "" on errors. */
int pw_sysfs_read(const struct pw_sysroot *root, char *buf, size_t len, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* A decimal or 0x number; -EINVAL when the file holds none. */
int pw_sysfs_read_number(const struct pw_sysroot *root, long long *value, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The last component of a symbolic link's target: a driver, an IOMMU group. */
int pw_sysfs_read_link(const struct pw_sysroot *root, char *buf, size_t len, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

bool pw_sysfs_exists(const struct pw_sysroot *root, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Calls each for the entries of a directory, in order of their names, without "." and "..", or for
 * the lines of a file, without newline. A non-zero return of each ends it and is returned. */
int pw_sysfs_each_entry(const struct pw_sysroot *root, const char *path,
	int (*each)(void *ctx, const char *name), void *ctx);
int pw_sysfs_each_line(const struct pw_sysroot *root, const char *path,
	int (*each)(void *ctx, char *line), void *ctx);

/* Number of entries; 0 when there is no such directory. */
unsigned int pw_sysfs_count(const struct pw_sysroot *root, const char *path);

#endif
