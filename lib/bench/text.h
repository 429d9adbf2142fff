/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/bench: converts text and numbers for JSON and HTML. */
#ifndef PW_BENCH_TEXT_H
#define PW_BENCH_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/json_text.h"

json_t *pw_json_reason(const char *s); /* "" is null */
json_t *pw_json_number(double v);      /* NaN and infinity are null */
/* Takes v, which may be NULL; *failed is set when it is, or when memory is short. */
void pw_json_put(json_t *object, const char *key, json_t *v, bool *failed);

/* Text as HTML and XML have it, in elements and attributes; control characters and what is no UTF-8
 * come out as '?'. */
void pw_html_text(FILE *out, const char *s);

#endif
