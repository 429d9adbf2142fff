/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Option tables: the command line is data. A subcommand declares its options once; parsing, --help,
 * --config FILE (the same names in an INI file) and the man pages read the same table.
 *
 *   argv --\
 *           > pw_opt_parse(cmd, ...) -> a config struct, filled at each option's offset
 *   INI ---/                            (command line wins over the file, the file over defaults)
 *
 * On the command line: --name=value, --name value, --flag, --no-flag, -x, -x value; the last of
 * repeated options wins; "--" starts EAL arguments. A flag "no-x" is undone by --x. In the file:
 * "name = value" in [common] (for every command that has such an option) and in [COMMAND].
 */
#ifndef PW_APP_CLI_OPT_H
#define PW_APP_CLI_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "base/units.h"

enum pw_opt_type {
	PW_OPT_FLAG,     /* bool *; also --no-NAME, which sets false */
	PW_OPT_STRING,   /* const char **: argv's or the config file's storage, lives as long as
			    pw_opts */
	PW_OPT_U64,      /* uint64_t *, within [min, max] */
	PW_OPT_SIZE,     /* uint64_t *, bytes */
	PW_OPT_DURATION, /* uint64_t *, ns */
	PW_OPT_RATE,     /* struct pw_rate * */
	PW_OPT_CHOICE,   /* int *: index into choices, "a|b|c" */
};

struct pw_opt {
	const char *name; /* without dashes */
	char letter;      /* short form, 0 = none */
	enum pw_opt_type type;
	size_t offset;       /* in the config struct */
	const char *arg;     /* what the help calls the argument; NULL: flags, or the choices */
	const char *help;    /* one sentence, no full stop */
	uint64_t min, max;   /* U64 */
	const char *choices; /* CHOICE */
};

struct pw_operands {
	char **argv; /* operands before "--" */
	int n;
	char **eal_argv; /* after "--": raw EAL arguments */
	int n_eal;
};

struct pw_context {
	struct pw_log log;
	bool is_tty; /* standard error is a terminal, and --quiet was not given */
};

struct pw_command {
	const char *name;
	const char *summary;  /* one line */
	const char *operands; /* "FILE..."; NULL: operands are refused */
	const struct pw_opt
		*opts; /* common options (help, config, verbose, quiet) are added to every one */
	size_t n_opts;
	size_t config_size;
	const void *defaults; /* a const config struct */
	bool takes_eal;       /* accepts "-- EAL-ARGUMENTS" */
	/* Runs with a parsed config; returns the exit code. */
	int (*run)(const void *config, const struct pw_operands *ops, const struct pw_context *ctx);
	const char *examples; /* for --help, lines; may be NULL */
	const char *missing;  /* what this build lacks for the command (exit 77), else NULL */
};

#define PW_EXIT_OK       0
#define PW_EXIT_RUNTIME  1
#define PW_EXIT_USAGE    2
#define PW_EXIT_MISMATCH 3
#define PW_EXIT_NOENV    77

/* argv[0] is the subcommand's name. Returns 0 and fills config (cmd->config_size bytes, defaults
 * copied first) and operands; 1 when --help was printed (exit 0); -errno with err on bad usage.
 * *storage owns strings that came from a config file: pw_opt_free() after the run. */
int pw_opt_parse(const struct pw_command *cmd, int argc, char **argv, void *config,
	struct pw_operands *ops, struct pw_context *ctx, void **storage, struct pw_err *err);
void pw_opt_free(void *storage);
void pw_opt_help(const struct pw_command *cmd, FILE *out);

/* Every subcommand, NULL-terminated; app/commands.c */
extern const struct pw_command *const pw_commands[];

#endif
