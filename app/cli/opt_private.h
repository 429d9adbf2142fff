/* SPDX-License-Identifier: BSD-3-Clause */
/* The items and functions that the files of the option parser (opt*.c) share. The man pages and the tests
 * also read the option tables with them. */
#ifndef PW_APP_CLI_OPT_PRIVATE_H
#define PW_APP_CLI_OPT_PRIVATE_H

#include "app/cli/opt.h"
#include "base/strings.h"

/* The common options fill this. */
struct pw_opt_common {
	bool help;
	const char *config;
	bool verbose;
	bool quiet;
};

#define PW_OPT_ARG_MAX 160 /* bytes of the text for an option's argument; a test checks it */

/* A word on the command line or a line of the file, before it is read into the config. */
struct pw_opt_item {
	const struct pw_opt *opt;
	size_t offset;     /* of the struct that opt's offset counts from, in the config */
	const char *value; /* NULL: a bare flag */
	bool common;       /* fills struct pw_opt_common, not the command's config */
	bool off;          /* --no-NAME */
	unsigned int line; /* of the file; 0 = command line */
	unsigned int rank; /* later ranks win */
};

enum { PW_RANK_FILE_COMMON, PW_RANK_FILE_COMMAND, PW_RANK_ARGV, PW_N_RANKS };

/* This outlives the parsing: values point into it. */
struct pw_opt_storage {
	struct pw_opt_item *items;
	size_t n_items, n_room;
	char **operands;
	const char **words; /* n_items: the values of lists */
	size_t n_words;
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
	bool help, help_all;
};

/* Option i of cmd, shared rows first, then its own, then the common ones; NULL behind the last. it:
 * gets opt, offset and common; may be NULL. */
const struct pw_opt *pw_opt_at(const struct pw_command *cmd, size_t i, struct pw_opt_item *it);

int pw_opt_push(struct pw_opt_storage *st, const struct pw_opt_item *it, struct pw_err *err);

/* Fill it->opt, offset, common and off; false when cmd has no such option. */
bool pw_opt_find(const struct pw_command *cmd, const char *name, struct pw_opt_item *it);
bool pw_opt_find_letter(const struct pw_command *cmd, char letter, struct pw_opt_item *it);
/* The option of cmd that word may have meant, or NULL. */
const char *pw_opt_nearest(const struct pw_command *cmd, const char *word);

/* Both push items. argv first: it names the file. */
int pw_opt_scan_argv(struct pw_opt_parse *p, struct pw_err *err);
int pw_opt_scan_file(struct pw_opt_parse *p, struct pw_err *err);

/* Reads value into base + o->offset; not for lists. what: how errors name the option ("--mtu",
 * "FILE:3: mtu"). A flag's value may be NULL, for true; off inverts it. */
int pw_opt_set(const struct pw_opt *o, const char *what, const char *value, bool off, void *base,
	struct pw_err *err);

const char *pw_opt_group_title(enum pw_opt_group group);

/* The name of the option's argument ("BYTES", "auto|va|pa"); "" for flags. Returns buf. */
char *pw_opt_arg(const struct pw_opt *o, char buf[PW_OPT_ARG_MAX]);

/* The value at base + o->offset in the form that the command line takes ("1500", "1s", "auto"); ""
 * for values that mean "not given": flags, empty strings, zeros, UINT64_MAX. Returns buf. */
char *pw_opt_show(const struct pw_opt *o, const void *base, char *buf, size_t len);

#endif
