/* SPDX-License-Identifier: BSD-3-Clause */
#include "xfer/outpath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "wire/fdt.h"
#include "xfer/gaps.h"

#define DIR_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static int open_beneath(int dir_fd, const char *path)
{
	struct open_how how = {
		.flags = DIR_FLAGS,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* One step down; names have no "." or ".." (see pw_output_name_fault()), so it is a step down. */
static int step(int dir_fd, const char *component, bool make)
{
	int fd = openat(dir_fd, component, DIR_FLAGS);

	if (fd < 0 && errno == ENOENT && make) {
		if (mkdirat(dir_fd, component, 0777) < 0 && errno != EEXIST)
			return -errno;
		fd = openat(dir_fd, component, DIR_FLAGS);
	}
	/* O_DIRECTORY on a symbolic link that is not followed */
	return fd < 0 ? -errno : fd;
}

/* parent is cut up. */
static int walk(const struct pw_output *o, char *parent, bool make)
{
	char *save = NULL, *component;
	int fd = o->dir_fd, next;

	for (component = strtok_r(parent, "/", &save); component;
		component = strtok_r(NULL, "/", &save)) {
		next = step(fd, component, make);
		if (fd != o->dir_fd)
			close(fd);
		if (next < 0)
			return next;
		fd = next;
	}
	return fd;
}

static int open_parent(const struct pw_output *o, char *parent, bool make)
{
	int fd;

	if (!o->walk_only) {
		fd = open_beneath(o->dir_fd, parent);
		/* EAGAIN: a rename somewhere raced with ".." handling; the walk has none. */
		if (fd >= 0 || (fd != -ENOENT && fd != -EAGAIN) || (fd == -ENOENT && !make))
			return fd;
	}
	return walk(o, parent, make);
}

int pw_outpath_open(
	struct pw_outpath *p, const struct pw_output *o, const char *name, bool part, bool make)
{
	const char *slash = strrchr(name, '/');
	const char *base = slash ? slash + 1 : name;
	char parent[PW_NAME_MAX + 1];

	p->dir_fd = o->dir_fd;
	if ((size_t)snprintf(p->base, sizeof(p->base), "%s%s", base, part ? PW_PART_SUFFIX : "") >=
		sizeof(p->base))
		return -ENAMETOOLONG;
	if (!slash)
		return 0;
	if ((size_t)(slash - name) >= sizeof(parent))
		return -ENAMETOOLONG;
	memcpy(parent, name, (size_t)(slash - name));
	parent[slash - name] = '\0';
	p->dir_fd = open_parent(o, parent, make);
	return p->dir_fd < 0 ? p->dir_fd : 0;
}

void pw_outpath_close(struct pw_outpath *p, const struct pw_output *o)
{
	if (p->dir_fd != o->dir_fd)
		close(p->dir_fd);
}

static const char *component_fault(const char *s, size_t len)
{
	if (len == 0)
		return "unsafe name: absolute, or with an empty component";
	if ((len == 1 && s[0] == '.') || (len == 2 && s[0] == '.' && s[1] == '.'))
		return "unsafe name: has a '.' or '..' component";
	if (len > NAME_MAX - strlen(PW_PART_SUFFIX))
		return "unsafe name: a component is longer than 250 bytes";
	return NULL;
}

/* C0, DEL, and C1 as UTF-8 writes it (0xc2 0x80 .. 0xc2 0x9f): terminals obey them all. */
static bool has_control(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;

	for (; *p; p++)
		if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f))
			return true;
	return false;
}

const char *pw_output_name_fault(const char *name)
{
	const size_t suffix = strlen(PW_PART_SUFFIX);
	size_t len = strlen(name), n;
	const char *why, *s = name;

	if (len == 0)
		return "unsafe name: empty";
	if (len > PW_NAME_MAX)
		return "unsafe name: too long";
	if (has_control(name))
		return "unsafe name: has control characters";
	for (;;) {
		n = strcspn(s, "/");
		why = component_fault(s, n);
		if (why)
			return why;
		if (!s[n])
			break;
		s += n + 1;
	}
	if (len > suffix && !strcmp(name + len - suffix, PW_PART_SUFFIX))
		return "name ends in .part, as files under way do";
	if (!strcmp(name, PW_GAPS_FILE))
		return "name is that of the gap manifest";
	return NULL;
}

static int dir_error(const char *dir, int code, struct pw_err *err)
{
	if (code == ENOENT)
		return pw_err_set(
			err, code, "open output directory %s: not there; mkdir -p %s", dir, dir);
	if (code == ENOTDIR)
		return pw_err_set(
			err, code, "open output directory %s: not a directory; name one", dir);
	return pw_err_sys(err, code, "open output directory %s", dir);
}

int pw_output_open(struct pw_output *o, const char *dir, struct pw_err *err)
{
	struct statfs fs;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), up;

	*o = (struct pw_output){.dir = dir};
	if (fd < 0)
		return dir_error(dir, errno, err);
	if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0 || fstatfs(fd, &fs) < 0) {
		up = dir_error(dir, errno, err);
		close(fd);
		return up;
	}
	up = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close(fd);
	if (up < 0)
		return dir_error(dir, errno, err);
	o->dir_fd = up;
	if (fs.f_type == HUGETLBFS_MAGIC)
		o->huge_page_bytes = (uint64_t)fs.f_bsize;
	fd = open_beneath(up, ".");
	o->walk_only = fd < 0;
	if (fd >= 0)
		close(fd);
	return 0;
}

void pw_output_close(struct pw_output *o)
{
	if (o->dir_fd > STDERR_FILENO)
		close(o->dir_fd);
	*o = (struct pw_output){0};
}

/* A hugetlbfs without a size of its own says nothing: it has what the pool has. */
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

int pw_output_free_bytes(const struct pw_output *o, uint64_t *bytes, struct pw_err *err)
{
	struct statvfs fs;

	if (fstatvfs(o->dir_fd, &fs) < 0)
		return pw_err_sys(err, errno, "look at the free space of %s", o->dir);
	if (fs.f_blocks == 0)
		*bytes = o->huge_page_bytes ? huge_pool_free(o->huge_page_bytes) : UINT64_MAX;
	else if (__builtin_mul_overflow(fs.f_bavail, fs.f_frsize, bytes))
		*bytes = UINT64_MAX;
	return 0;
}
