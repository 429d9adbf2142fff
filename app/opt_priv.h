/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to the option engine, and for who reads its tables: --help, the man pages. */
#ifndef PW_APP_OPT_PRIV_H
#define PW_APP_OPT_PRIV_H

#include "app/opt.h"

/* What the common options fill. */
struct pw_opt_common {
	bool help;
	const char *config;
	bool verbose;
	bool quiet;
};

#define PW_OPT_N_COMMON 4
extern const struct pw_opt pw_opt_common_opts[PW_OPT_N_COMMON];

/* Reads value into base + o->offset. what: how errors name the option ("--mtu", "FILE:3: mtu").
 * A flag's value may be NULL, for true; off turns it round. */
int pw_opt_set(const struct pw_opt *o, const char *what, const char *value, bool off, void *base,
	struct pw_err *err);

/* What base + o->offset holds, as it would be written ("1500", "1 s", "auto"); "" where that says
 * nothing: flags, empty strings, zeros. Returns buf. */
char *pw_opt_show(const struct pw_opt *o, const void *base, char *buf, size_t len);

/* The nearest of some candidates to a mistyped word: start zeroed, try each, look at best. */
struct pw_nearest {
	const char *best; /* NULL: none is near */
	unsigned int distance;
};

void pw_nearest_try(struct pw_nearest *n, const char *word, const char *candidate);

#endif
