/* SPDX-License-Identifier: BSD-3-Clause */
#include "meter/kernfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

/* Mounts without a mount point: the mount ends when its descriptor is closed. */
static int mount_detached(const char *type)
{
	int context = fsopen(type, FSOPEN_CLOEXEC), mount, code;

	if (context < 0)
		return -errno;
	mount = fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (mount == 0)
		mount = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
	code = errno;
	close(context);
	return mount < 0 ? -code : mount;
}

static int read_below(int dir, const char *file, char *buf, size_t len)
{
	int fd = openat(dir, file, O_RDONLY | O_CLOEXEC), code;
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, len - 1);
	code = errno;
	close(fd);
	if (n < 0)
		return -code;
	while (n > 0 && strchr(" \n", buf[n - 1]))
		n--;
	buf[n] = '\0';
	return (int)n;
}

int pw_kernfs_read(
	const char *type, const char *const *where, const char *file, char *buf, size_t len)
{
	int dir, r = -ENOENT;

	buf[0] = '\0';
	for (; *where; where++) {
		dir = open(*where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0)
			continue;
		r = read_below(dir, file, buf, len);
		close(dir);
		if (r >= 0)
			return r;
	}
	/* ENOENT is not final: an empty mount point also gives it. */
	dir = mount_detached(type);
	if (dir < 0)
		return r == -ENOENT ? dir : r;
	r = read_below(dir, file, buf, len);
	close(dir);
	if (r < 0)
		buf[0] = '\0';
	return r;
}

int pw_kernfs_tracepoint_id(const char *system, const char *name)
{
	static const char *const where[] = {
		"/sys/kernel/tracing", "/sys/kernel/debug/tracing", NULL};
	char file[128], text[32];
	int r;

	snprintf(file, sizeof(file), "events/%s/%s/id", system, name);
	r = pw_kernfs_read("tracefs", where, file, text, sizeof(text));
	if (r < 0)
		return r;
	r = atoi(text);
	return r > 0 ? r : -EINVAL;
}

void pw_kernfs_lockdown(char *buf, size_t len)
{
	static const char *const where[] = {"/sys/kernel/security", NULL};
	char text[64];
	const char *from = NULL;
	size_t n = 0;

	if (pw_kernfs_read("securityfs", where, "lockdown", text, sizeof(text)) > 0)
		from = strchr(text, '[');
	if (from) {
		from++;
		n = strcspn(from, "]");
	}
	snprintf(buf, len, "%.*s", (int)n, from ? from : "");
}
