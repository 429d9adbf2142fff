/* SPDX-License-Identifier: BSD-3-Clause */
/* The scripts that belong to the program. */
#ifndef PW_APP_CLI_SCRIPT_H
#define PW_APP_CLI_SCRIPT_H

#include <stddef.h>

/* A build directory has the script at BUILT, relative to the program's own directory; an installed one is
 * at PW_LIBEXECDIR/INSTALLED. Both are as trustworthy as the program itself: root may run them. Fills
 * path; -ENOENT: neither can be read, and path is where the installed one should be. */
int pw_script_find(const char *built, const char *installed, char *path, size_t len);

#endif
