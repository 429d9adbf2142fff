/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Errors of cold functions. A function that can fail returns 0 or -errno and
 * fills the last argument, `struct pw_err *err`, with one sentence:
 *
 *     cannot ACTION OBJECT: REASON; FIX
 *     "cannot map /mnt/huge/a.img: not on hugetlbfs; use --pages pagecache"
 *
 * Positive return values are documented outcomes of the module, not errors.
 * Fast-path functions return counts and have no err argument.
 */
#ifndef PW_BASE_ERR_H
#define PW_BASE_ERR_H

#include <stdarg.h>

#define PW_ERR_MAX 256

struct pw_err {
	int code;             /* positive errno value, 0 = no error recorded */
	char msg[PW_ERR_MAX]; /* NUL-terminated, cut at the end if too long */
};

/* Records an error and returns -code, so that callers can `return pw_err_set(...)`. err may be
 * NULL. `code` is a positive errno value. */
int pw_err_set(struct pw_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* As pw_err_set(), appends ": " and strerror(code). */
int pw_err_sys(struct pw_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
