/* SPDX-License-Identifier: BSD-3-Clause */
/* A helper that the providers of lib/file share: makes the extent of a mapped window. */
#ifndef PW_FILE_WINDOW_PRIVATE_H
#define PW_FILE_WINDOW_PRIVATE_H

#include "file/window.h"

/* Describes the mapping w->map as one extent. */
int pw_window_add_map(struct pw_window *w, const char *path, struct pw_err *err);

#endif
