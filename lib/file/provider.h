/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/file: what the providers of file/window.h share. */
#ifndef PW_FILE_PROVIDER_H
#define PW_FILE_PROVIDER_H

#include "file/window.h"

/* Describes w->map as one run. */
int pw_window_map_run(struct pw_window *w, const char *path, struct pw_err *err);

/* Gives a staged window's extents back to where they came from. */
void pw_stage_release(struct pw_window *w);

/* Frees what a streamed file's window holds besides its descriptor. */
void pw_stream_release(struct pw_window *w);

#endif
