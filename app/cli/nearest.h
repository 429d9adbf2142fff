/* SPDX-License-Identifier: BSD-3-Clause */
/* Finds the candidate that a mistyped word probably means, for "did you mean ...?". */
#ifndef PW_APP_CLI_NEAREST_H
#define PW_APP_CLI_NEAREST_H

/* Start zeroed, try each candidate, look at best. */
struct pw_nearest {
	const char *best; /* NULL: none is near */
	unsigned int distance;
};

void pw_nearest_try(struct pw_nearest *n, const char *word, const char *candidate);

#endif
