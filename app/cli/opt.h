/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parses command lines by option tables. A command declares its options once; parsing, --help,
 * --config FILE (the same names in an INI file) and the man pages read the same table.
 *
 *   argv --\
 *           > pw_opt_parse(cmd, ...) -> a config struct, filled at each option's offset
 *   INI ---/                            (command line wins over the file, the file over defaults)
 *
 * On the command line: --name=value, --name value, --flag, --no-flag, -x, -x value; the last of
 * repeated options wins, except that a list takes all of them; "--" starts EAL arguments. A flag
 * "no-x" is undone by --x. In the file: "name = value" in [common] (for every command that has such
 * an option) and in [COMMAND].
 */
#ifndef PW_APP_CLI_OPT_H
#define PW_APP_CLI_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "app/cli/exit.h"
#include "base/err.h"
#include "base/log.h"
#include "base/units.h"

enum pw_opt_type {
	PW_OPT_FLAG,     /* bool *; also --no-NAME, which sets false */
	PW_OPT_STRING,   /* const char **; the string lives as long as the parse's storage */
	PW_OPT_LIST,     /* struct pw_strings *: every value; lives as long as the storage */
	PW_OPT_UINT,     /* uint64_t *, uint32_t * or uint16_t * by size, within [min, max] */
	PW_OPT_SIZE,     /* uint64_t *, bytes */
	PW_OPT_DURATION, /* uint64_t *, ns */
	PW_OPT_RATE,     /* struct pw_rate * */
	PW_OPT_CHOICE,   /* an enum or bool *: the value of the choice that was named */
};

/* Options of one group stand together in the help and in the man pages. */
enum pw_opt_group {
	PW_OPT_MAIN,
	PW_OPT_PACKETS,
	PW_OPT_SPEED,
	PW_OPT_FILES,
	PW_OPT_MEASURE,
	PW_OPT_PORT,
	PW_OPT_OUTPUT,
	PW_OPT_COMMON,
	PW_OPT_N_GROUPS,
};

struct pw_opt_choice {
	const char *name; /* NULL ends the array */
	unsigned int value;
};

struct pw_opt {
	const char *name; /* without dashes */
	char letter;      /* short form, 0 = none */
	bool basic;       /* --help shows it; the others need --help all */
	enum pw_opt_group group;
	enum pw_opt_type type;
	size_t offset, size; /* of the field; size 0: the type has one size only */
	const char *arg;     /* what the help calls the argument; NULL: flags and choices */
	const char *help;    /* one sentence, no full stop */
	uint64_t min, max;   /* UINT; max 0: no limit but the field's size */
	const struct pw_opt_choice *choices; /* CHOICE; RATE: units that stand alone; may be NULL */
	const char *
		implied; /* STRING: the value of --NAME alone; another one is written --NAME=VALUE */
};

/* The beginning of a row: PW_OPT_ROW("mtu", UINT, PACKETS, struct config, mtu). */
#define PW_OPT_AT(type, field) .offset = offsetof(type, field), .size = sizeof(((type *)0)->field)
#define PW_OPT_ROW(NAME, TYPE, GROUP, config, field) \
	.name = NAME, .type = PW_OPT_##TYPE, .group = PW_OPT_##GROUP, PW_OPT_AT(config, field)

/* Rows that several commands share. */
struct pw_opt_table {
	const struct pw_opt *opts;
	size_t n;
	size_t offset; /* of the struct that the rows fill, in the command's config */
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
	/* help, config, verbose and quiet are added to every command's options. */
	const struct pw_opt *opts;
	size_t n_opts;
	const struct pw_opt_table *shared; /* n_shared tables more */
	size_t n_shared;
	size_t config_size;
	const void *defaults; /* a const config struct */
	bool takes_eal;       /* accepts "-- EAL-ARGUMENTS" */
	/* Runs with a parsed config; returns the exit code. */
	int (*run)(const void *config, const struct pw_operands *ops, const struct pw_context *ctx);
	const char *examples; /* for --help, lines; may be NULL */
	const char *missing;  /* what this build lacks for the command (exit 77), else NULL */
};

/* argv[0] is the subcommand's name. Returns 0 and fills config (cmd->config_size bytes, defaults
 * copied first) and operands; 1 when --help was printed (exit 0); -errno with err on bad usage.
 * *storage owns lists and the strings of a config file: pw_opt_free() after the run. */
int pw_opt_parse(const struct pw_command *cmd, int argc, char **argv, void *config,
	struct pw_operands *ops, struct pw_context *ctx, void **storage, struct pw_err *err);
void pw_opt_free(void *storage);
/* all: every option, else the basic ones (every one where a command marks none). */
void pw_opt_help(const struct pw_command *cmd, bool all, FILE *out);

/* Every subcommand, NULL-terminated; app/commands.c */
extern const struct pw_command *const pw_commands[];

#endif
