/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * INI files for --config, read by libinih but as possibly hostile text: size and line length are
 * bounded, control characters and lines that run on are errors, and every error names its line.
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

/* Non-zero ends the reading and is handed on. */
typedef int (*pw_config_fn)(void *ctx, const struct pw_config_entry *e, struct pw_err *err);

/* Reads path whole; *text is for free(). */
int pw_config_load(const char *path, char **text, size_t *len, struct pw_err *err);

/* Calls fn for each entry of text; path is for error messages. */
int pw_config_parse(const char *path, const char *text, size_t len, pw_config_fn fn, void *ctx,
	struct pw_err *err);

#endif
