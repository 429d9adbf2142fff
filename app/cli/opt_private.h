/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to the option engine, and for who reads its tables: --help, the man pages. */
#ifndef PW_APP_CLI_OPT_PRIVATE_H
#define PW_APP_CLI_OPT_PRIVATE_H

#include "app/cli/opt.h"

/* What the common options fill. */
struct pw_opt_common {
	bool help;
	const char *config;
	bool verbose;
	bool quiet;
};

#define PW_OPT_N_COMMON 4
extern const struct pw_opt pw_opt_common_opts[PW_OPT_N_COMMON];

/* A word on the command line or a line of the file, before it is read into the config. */
struct pw_opt_item {
	const struct pw_opt *opt;
	const char *value; /* NULL: a bare flag */
	bool common;       /* fills struct pw_opt_common, not the command's config */
	bool off;          /* --no-NAME */
	unsigned int line; /* of the file; 0 = command line */
	unsigned int rank; /* later ranks win */
};

enum { PW_RANK_FILE_COMMON, PW_RANK_FILE_COMMAND, PW_RANK_ARGV, PW_N_RANKS };

/* What outlives the parsing: values point in here. */
struct pw_opt_storage {
	struct pw_opt_item *items;
	size_t n_items, n_room;
	char **operands;
	char *arena; /* the config file's values, NUL-terminated */
	size_t arena_used, arena_len;
};

struct pw_opt_parse {
	const struct pw_command *cmd;
	int argc;
	char **argv;
	int next;
	struct pw_opt_storage *st;
	struct pw_operands *ops;
	const char *config_path;
	bool help;
};

int pw_opt_push(struct pw_opt_storage *st, const struct pw_opt_item *it, struct pw_err *err);

/* Fill it->opt, common and off; false when cmd has no such option. */
bool pw_opt_find(const struct pw_command *cmd, const char *name, struct pw_opt_item *it);
bool pw_opt_find_letter(const struct pw_command *cmd, char letter, struct pw_opt_item *it);
/* The option of cmd that word may have meant, or NULL. */
const char *pw_opt_nearest(const struct pw_command *cmd, const char *word);

/* Both push items. argv first: it names the file. */
int pw_opt_scan_argv(struct pw_opt_parse *p, struct pw_err *err);
int pw_opt_scan_file(struct pw_opt_parse *p, struct pw_err *err);

/* Reads value into base + o->offset. what: how errors name the option ("--mtu", "FILE:3: mtu").
 * A flag's value may be NULL, for true; off turns it round. */
int pw_opt_set(const struct pw_opt *o, const char *what, const char *value, bool off, void *base,
	struct pw_err *err);

/* What help calls the option's argument; NULL for flags. */
const char *pw_opt_arg(const struct pw_opt *o);

/* What base + o->offset holds, as it would be written ("1500", "1 s", "auto"); "" where that says
 * nothing: flags, empty strings, zeros, UINT64_MAX. Returns buf. */
char *pw_opt_show(const struct pw_opt *o, const void *base, char *buf, size_t len);

/* The nearest of some candidates to a mistyped word: start zeroed, try each, look at best. */
struct pw_nearest {
	const char *best; /* NULL: none is near */
	unsigned int distance;
};

void pw_nearest_try(struct pw_nearest *n, const char *word, const char *candidate);

#endif
