/* SPDX-License-Identifier: BSD-3-Clause */
/* Makes a JSON string of text that may not be valid UTF-8. */
#ifndef PW_BASE_JSON_TEXT_H
#define PW_BASE_JSON_TEXT_H

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

/* Bytes that are not UTF-8 become '?'. NULL becomes null. Returns NULL when memory is short; jansson's
 * setters accept that. */
static inline json_t *pw_json_text(const char *s)
{
	char *text = s ? strdup(s) : NULL;
	json_t *j;

	if (!text)
		return s ? NULL : json_null();
	pw_utf8_repair(text);
	j = json_string(text);
	free(text);
	return j;
}

#endif
