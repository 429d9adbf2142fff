/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads INI files for --config with libinih. The text may be hostile: size and line length are
 * bounded, control characters and continued lines are errors, and every error names its line.
 */
#ifndef PW_APP_CLI_CONFIG_H
#define PW_APP_CLI_CONFIG_H

#include <stddef.h>

#include "base/err.h"

#define PW_CONFIG_MAX_BYTES 65536u

struct pw_config_entry {
	const char *section; /* "" before the first one */
	const char *key;
	const char *value; /* valid during the call */
	unsigned int line;
};

/* A result other than 0 ends the reading and is returned to the caller of pw_config_parse(). */
typedef int (*pw_config_fn)(void *ctx, const struct pw_config_entry *e, struct pw_err *err);

/* Reads the whole file; the caller frees *text. */
int pw_config_load(const char *path, char **text, size_t *len, struct pw_err *err);

/* Calls fn for each entry of text; path is for error messages. */
int pw_config_parse(const char *path, const char *text, size_t len, pw_config_fn fn, void *ctx,
	struct pw_err *err);

#endif
