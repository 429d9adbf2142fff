/* SPDX-License-Identifier: BSD-3-Clause */
#include "file/outpath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wire/fdt.h"

#define DIR_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

bool pw_outdir_root_count(struct pw_outdir_root *root)
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

/* One level down. Names have no "." or ".." component, so it cannot lead up; and O_NOFOLLOW with
 * O_DIRECTORY refuses a symbolic link. */
static int step(struct pw_outdir_root *root, int dir_fd, const char *component, bool make)
{
	int fd = openat(dir_fd, component, DIR_FLAGS);

	if (fd < 0 && errno == ENOENT && make) {
		if (!pw_outdir_root_count(root))
			return -EDQUOT;
		if (mkdirat(dir_fd, component, 0777) < 0 && errno != EEXIST)
			return -errno;
		fd = openat(dir_fd, component, DIR_FLAGS);
	}
	return fd < 0 ? -errno : fd;
}

/* Cuts `parent` into its components. */
static int walk(struct pw_outdir_root *root, char *parent, bool make)
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

static int open_parent(struct pw_outdir_root *root, char *parent, bool make)
{
	int fd;

	if (!root->walk_only) {
		fd = open_beneath(root->fd, parent);
		/* -EAGAIN: a rename elsewhere disturbed the kernel's check; walking needs none. */
		if (fd >= 0 || (fd != -ENOENT && fd != -EAGAIN) || (fd == -ENOENT && !make))
			return fd;
	}
	return walk(root, parent, make);
}

int pw_outdir_part_name(char *buf, size_t len, const char *name, int part)
{
	int n;

	if (part == PW_OUTDIR_TARGET)
		n = snprintf(buf, len, "%s", name);
	else if (part == 0)
		n = snprintf(buf, len, "%s%s", name, PW_PART_SUFFIX);
	else
		n = snprintf(buf, len, "%s.%d%s", name, part, PW_PART_SUFFIX);
	return n < 0 || (size_t)n >= len ? -ENAMETOOLONG : 0;
}

int pw_outdir_path_open(struct pw_outdir_path *p, struct pw_outdir_root *root, const char *name,
	int part, bool make)
{
	const char *slash = strrchr(name, '/');
	char parent[PW_NAME_MAX + 1];
	int ret;

	p->dir_fd = root->fd;
	ret = pw_outdir_part_name(p->base, sizeof(p->base), slash ? slash + 1 : name, part);
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

void pw_outdir_path_close(struct pw_outdir_path *p, const struct pw_outdir_root *root)
{
	if (p->dir_fd != root->fd)
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

const char *pw_outdir_name_fault(const char *name)
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
	return NULL;
}

/* Cuts the last component off. NULL: there is none. "/a" becomes "/", "a" becomes ".". */
static char *cut_last(char *path)
{
	char *slash;
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	slash = strrchr(path, '/');
	if (!slash || !slash[1])
		return NULL;
	*slash = '\0';
	return slash + 1;
}

/* Takes ".", ".." and empty components out of an absolute path. Only right where none of them follows a
 * symbolic link. */
static void tidy(char *path)
{
	char *from = path, *to = path;
	size_t n;

	while (*from) {
		from += strspn(from, "/");
		n = strcspn(from, "/");
		if (n == 2 && from[0] == '.' && from[1] == '.') {
			while (to > path && *--to != '/')
				;
		} else if (n && !(n == 1 && from[0] == '.')) {
			*to++ = '/';
			memmove(to, from, n);
			to += n;
		}
		from += n;
	}
	*to = '\0';
}

/* The real path of the deepest directory on the way that is there, then the rest as it is written. The
 * last component is never followed: whoever replaces a file by renaming does not follow it either. */
static int resolve(const char *path, char real[PATH_MAX])
{
	char *copy, *last, tail[PATH_MAX] = "", longer[PATH_MAX];
	size_t len;
	int ret = 0;

	if (asprintf(&copy, "%s%s", path[0] == '/' ? "" : "./", path) < 0)
		return -ENOMEM;
	do {
		last = cut_last(copy);
		if (!last) {
			ret = -ENOENT;
			break;
		}
		if ((size_t)snprintf(longer, sizeof(longer), "/%s%s", last, tail) >=
			sizeof(longer)) {
			ret = -ENAMETOOLONG;
			break;
		}
		memcpy(tail, longer, sizeof(tail));
	} while (!realpath(copy[0] ? copy : "/", real));
	free(copy);
	if (ret < 0)
		return ret;
	len = strlen(real);
	if ((size_t)snprintf(real + len, PATH_MAX - len, "%s", tail) >= PATH_MAX - len)
		return -ENAMETOOLONG;
	tidy(real); /* what is not there yet is no symbolic link */
	return 0;
}

int pw_outdir_locate(const char *dir, const char *path, char **below)
{
	char real_dir[PATH_MAX], real[PATH_MAX];
	size_t len;
	int ret;

	*below = NULL;
	if (!realpath(dir, real_dir))
		return -errno;
	ret = resolve(path, real);
	if (ret < 0)
		return ret;
	len = strcmp(real_dir, "/") ? strlen(real_dir) : 0;
	if (strncmp(real, real_dir, len) != 0 || real[len] != '/')
		return 0;
	*below = strdup(real + len + 1);
	return *below ? 0 : -ENOMEM;
}
