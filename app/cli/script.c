/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/cli/script.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int pw_script_find(const char *built, const char *installed, char *path, size_t len)
{
	char program[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (n > 0) {
		program[n] = '\0';
		*strrchr(program, '/') = '\0';
		snprintf(path, len, "%s/%s", program, built);
		if (access(path, R_OK) == 0)
			return 0;
	}
	if ((size_t)snprintf(path, len, PW_LIBEXECDIR "/%s", installed) >= len)
		return -ENOENT;
	return access(path, R_OK) ? -ENOENT : 0;
}
