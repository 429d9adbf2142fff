/* SPDX-License-Identifier: BSD-3-Clause */
#include "file/outpath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wire/fdt.h"

#define DIR_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

bool pw_outroot_count(struct pw_outroot *root)
{
	uint64_t n = atomic_load(&root->n_made);

	while (n < root->max_made)
		if (atomic_compare_exchange_weak(&root->n_made, &n, n + 1))
			return true;
	return false;
}

static int open_beneath(int dir_fd, const char *path)
{
	struct open_how how = {
		.flags = DIR_FLAGS,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* Opens one directory level. Names have no "." or ".." component, so this cannot lead up; O_NOFOLLOW with
 * O_DIRECTORY refuses a symbolic link. */
static int step(struct pw_outroot *root, int dir_fd, const char *component, bool make)
{
	int fd = openat(dir_fd, component, DIR_FLAGS);

	if (fd < 0 && errno == ENOENT && make) {
		if (!pw_outroot_count(root))
			return -EDQUOT;
		if (mkdirat(dir_fd, component, 0777) < 0 && errno != EEXIST)
			return -errno;
		fd = openat(dir_fd, component, DIR_FLAGS);
	}
	return fd < 0 ? -errno : fd;
}

/* Opens `parent` component by component; changes the string. */
static int walk(struct pw_outroot *root, char *parent, bool make)
{
	char *save = NULL, *component;
	int fd = root->fd, next;

	for (component = strtok_r(parent, "/", &save); component;
		component = strtok_r(NULL, "/", &save)) {
		next = step(root, fd, component, make);
		if (fd != root->fd)
			close(fd);
		if (next < 0)
			return next;
		fd = next;
	}
	return fd;
}

static int open_parent(struct pw_outroot *root, char *parent, bool make)
{
	int fd;

	if (!root->walk_only) {
		fd = open_beneath(root->fd, parent);
		/* -EAGAIN: a rename at the same time disturbed the kernel's check. */
		if (fd >= 0 || (fd != -ENOENT && fd != -EAGAIN) || (fd == -ENOENT && !make))
			return fd;
	}
	return walk(root, parent, make);
}

int pw_outpath_set_part(struct pw_outpath *p, const char *name, int part)
{
	const char *slash = strrchr(name, '/');

	return pw_outname_part(p->base, sizeof(p->base), slash ? slash + 1 : name, part);
}

int pw_outpath_open(
	struct pw_outpath *p, struct pw_outroot *root, const char *name, int part, bool make)
{
	const char *slash = strrchr(name, '/');
	char parent[PW_NAME_MAX + 1];
	int ret;

	p->dir_fd = root->fd;
	ret = pw_outpath_set_part(p, name, part);
	if (ret < 0 || !slash)
		return ret;
	if ((size_t)(slash - name) >= sizeof(parent))
		return -ENAMETOOLONG;
	memcpy(parent, name, (size_t)(slash - name));
	parent[slash - name] = '\0';
	ret = open_parent(root, parent, make);
	if (ret < 0)
		return ret;
	p->dir_fd = ret;
	return 0;
}

void pw_outpath_close(struct pw_outpath *p, const struct pw_outroot *root)
{
	if (p->dir_fd != root->fd)
		close(p->dir_fd);
}
