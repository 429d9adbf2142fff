/* SPDX-License-Identifier: BSD-3-Clause */
/* A list of strings that it does not own: the values of an option that can be repeated. */
#ifndef PW_BASE_STRINGS_H
#define PW_BASE_STRINGS_H

#include <stddef.h>

struct pw_strings {
	const char *const *v; /* n of them */
	size_t n;
};

#endif
