/* SPDX-License-Identifier: BSD-3-Clause */
#include "file/outname.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "wire/fdt.h"

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

static bool has_control(const char *s)
{
	while (*s && !pw_control_len(s))
		s++;
	return *s != '\0';
}

const char *pw_outname_fault(const char *name)
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

int pw_outname_part(char *buf, size_t len, const char *name, int part)
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

/* Whether path is `of`, or lies below it. */
static bool is_at_or_below(const char *path, const char *of)
{
	size_t len = strlen(of);

	return strncmp(path, of, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

/* Whether the two paths cannot both be files: they are the same, or one lies below the other. */
static bool is_in_way(const char *a, const char *b)
{
	return is_at_or_below(a, b) || is_at_or_below(b, a);
}

const char *pw_outname_reserved(const char *name, const char *manifest)
{
	char part[PW_NAME_MAX + 32], temporary[PATH_MAX + 8];
	int k;

	if (!strcmp(name, manifest))
		return "name is that of the gap manifest";
	snprintf(temporary, sizeof(temporary), "%s%s", manifest, PW_PART_SUFFIX);
	for (k = PW_OUTDIR_TARGET; k < (int)PW_OUTDIR_MAX_PARTS; k++) {
		if (pw_outname_part(part, sizeof(part), name, k) < 0)
			break;
		if (is_in_way(part, manifest) || is_in_way(part, temporary))
			return "name is in the way of the gap manifest";
	}
	return NULL;
}

/* Cuts the last component off the path and returns it. NULL: there is none. */
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

/* Removes ".", ".." and empty components from an absolute path. Correct only if none of them follows a
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

/* The real path of the deepest directory that exists, then the rest as it is written. The last component is not
 * followed: rename() does not follow it either. */
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
	tidy(real); /* components that do not exist are not symbolic links */
	return 0;
}

int pw_outname_locate(const char *dir, const char *path, char **below)
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
