/* SPDX-License-Identifier: BSD-3-Clause */
#include "recv/gapscan.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static void skip_space(struct pw_gapscan *s)
{
	while (s->at < s->len && (s->text[s->at] == ' ' || s->text[s->at] == '\n' ||
					 s->text[s->at] == '\t' || s->text[s->at] == '\r'))
		s->at++;
}

static bool is_digit(const struct pw_gapscan *s)
{
	return s->at < s->len && s->text[s->at] >= '0' && s->text[s->at] <= '9';
}

bool pw_gapscan_take(struct pw_gapscan *s, char c)
{
	skip_space(s);
	if (s->at == s->len || s->text[s->at] != c)
		return false;
	s->at++;
	return true;
}

enum pw_gapscan_item pw_gapscan_next(struct pw_gapscan *s, char close, bool first)
{
	if (pw_gapscan_take(s, close))
		return PW_GAPSCAN_END;
	if (first || pw_gapscan_take(s, ','))
		return PW_GAPSCAN_ITEM;
	return PW_GAPSCAN_BAD;
}

/* The rest of the text follows the value: jansson reports how far it has read. */
static json_t *value(struct pw_gapscan *s)
{
	const size_t flags = JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES;
	json_error_t error;
	json_t *j;

	skip_space(s);
	j = json_loadb(
		s->text + s->at, pw_min_u64(s->len - s->at, PW_GAPSCAN_VALUE_MAX), flags, &error);
	if (j)
		s->at += (size_t)error.position;
	return j;
}

/* Reads a string of printable ASCII without an escape, as most are; NULL for others. A manifest may have a
 * gigabyte of strings, which would take jansson half a minute. */
static char *plain_string(struct pw_gapscan *s)
{
	const size_t from = s->at + 1;
	size_t i = from;
	char *out;

	while (i < s->len && s->text[i] >= ' ' && s->text[i] <= '~' && s->text[i] != '"' &&
		s->text[i] != '\\')
		i++;
	if (i == s->len || s->text[i] != '"' || i - from > PW_GAPSCAN_VALUE_MAX)
		return NULL;
	out = strndup(s->text + from, i - from);
	if (out)
		s->at = i + 1;
	return out;
}

char *pw_gapscan_string(struct pw_gapscan *s)
{
	json_t *j;
	char *out;

	skip_space(s);
	if (s->at == s->len || s->text[s->at] != '"')
		return NULL;
	out = plain_string(s);
	if (out)
		return out;
	j = value(s);
	if (j)
		out = strdup(json_string_value(j));
	json_decref(j);
	return out;
}

bool pw_gapscan_skip(struct pw_gapscan *s)
{
	json_t *j = value(s);
	const bool ok = j != NULL;

	json_decref(j);
	return ok;
}

bool pw_gapscan_key(struct pw_gapscan *s, char key[PW_GAPSCAN_KEY_MAX])
{
	char *text = pw_gapscan_string(s);
	const bool ok = text && pw_gapscan_take(s, ':');

	snprintf(key, PW_GAPSCAN_KEY_MAX, "%s", text ? text : "");
	free(text);
	return ok;
}

bool pw_gapscan_u64(struct pw_gapscan *s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	size_t from;

	skip_space(s);
	from = s->at;
	for (; is_digit(s); s->at++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
			__builtin_add_overflow(v, (uint64_t)(s->text[s->at] - '0'), &v))
			return false;
	}
	/* JSON has no leading zeros. After a fraction's integer the caller finds no comma or bracket. */
	if (s->at == from || (s->text[from] == '0' && s->at - from > 1))
		return false;
	*out = v;
	return v <= max;
}

bool pw_gapscan_at_end(struct pw_gapscan *s)
{
	skip_space(s);
	return s->at == s->len;
}

unsigned int pw_gapscan_line(const struct pw_gapscan *s)
{
	unsigned int line = 1;
	size_t i;

	for (i = 0; i < s->at; i++)
		line += s->text[i] == '\n';
	return line;
}
