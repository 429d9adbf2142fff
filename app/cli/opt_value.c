/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "app/cli/opt_private.h"
#include "base/bytes.h"

static int set_flag(const char *what, const char *value, bool off, bool *out, struct pw_err *err)
{
	static const char *const words[] = {"true", "false", "yes", "no", "on", "off"};

	if (!value) {
		*out = !off;
		return 0;
	}
	for (size_t i = 0; i < PW_ARRAY_LEN(words); i++) {
		if (!strcasecmp(value, words[i])) {
			*out = (i % 2 == 0) != off;
			return 0;
		}
	}
	return pw_err_set(err, EINVAL,
		"read %s '%.60s': not a truth value; write true, false, yes, no, on or off", what,
		value);
}

static int set_choice(
	const char *what, const char *choices, const char *value, int *out, struct pw_err *err)
{
	size_t want = strlen(value);
	int i = 0;

	for (const char *c = choices;; i++) {
		size_t n = strcspn(c, "|");

		if (want == n && !memcmp(c, value, n)) {
			*out = i;
			return 0;
		}
		if (!c[n])
			break;
		c += n + 1;
	}
	return pw_err_set(err, EINVAL, "read %s '%.60s': not one of %s", what, value, choices);
}

static int set_string(const char *what, const char *value, const char **out, struct pw_err *err)
{
	if (!*value)
		return pw_err_set(err, EINVAL, "read %s: the value is empty", what);
	*out = value;
	return 0;
}

int pw_opt_set(const struct pw_opt *o, const char *what, const char *value, bool off, void *base,
	struct pw_err *err)
{
	void *at = (char *)base + o->offset;

	switch (o->type) {
	case PW_OPT_FLAG:
		return set_flag(what, value, off, at, err);
	case PW_OPT_STRING:
		return set_string(what, value, at, err);
	case PW_OPT_U64:
		return pw_units_parse_u64(
			what, value, o->min, o->max ? o->max : UINT64_MAX, at, err);
	case PW_OPT_SIZE:
		return pw_units_parse_size(what, value, at, err);
	case PW_OPT_DURATION:
		return pw_units_parse_duration(what, value, at, err);
	case PW_OPT_RATE:
		return pw_units_parse_rate(what, value, at, err);
	case PW_OPT_CHOICE:
		return set_choice(what, o->choices, value, at, err);
	}
	return pw_err_set(err, EINVAL, "read %s: its table entry has no known type", what);
}

static void show_choice(const char *choices, int index, char *buf, size_t len)
{
	for (; index > 0 && *choices; index--)
		choices += strcspn(choices, "|") + (strchr(choices, '|') != NULL);
	snprintf(buf, len, "%.*s", (int)strcspn(choices, "|"), choices);
}

/* The largest unit that gives a whole number: what is shown can be typed in again. */
static void show_scaled(uint64_t v, const uint64_t *factors, const char *const *names, size_t n,
	char *buf, size_t len)
{
	size_t i = 0;

	while (i + 1 < n && v % factors[i])
		i++;
	snprintf(buf, len, "%llu%s", (unsigned long long)(v / factors[i]), names[i]);
}

static void show_size(uint64_t v, char *buf, size_t len)
{
	static const uint64_t factors[] = {1u << 30, 1u << 20, 1u << 10, 1};
	static const char *const names[] = {"GiB", "MiB", "KiB", "B"};

	show_scaled(v, factors, names, PW_ARRAY_LEN(factors), buf, len);
}

static void show_duration(uint64_t v, char *buf, size_t len)
{
	static const uint64_t factors[] = {
		3600000000000, 60000000000, 1000000000, 1000000, 1000, 1};
	static const char *const names[] = {"h", "m", "s", "ms", "us", "ns"};

	show_scaled(v, factors, names, PW_ARRAY_LEN(factors), buf, len);
}

char *pw_opt_show(const struct pw_opt *o, const void *base, char *buf, size_t len)
{
	const void *at = (const char *)base + o->offset;
	const char *s = NULL;
	uint64_t v = 0;
	int choice = 0;

	buf[0] = '\0';
	if (o->type == PW_OPT_STRING)
		memcpy(&s, at, sizeof(s));
	else if (o->type == PW_OPT_CHOICE)
		memcpy(&choice, at, sizeof(choice));
	else if (o->type != PW_OPT_FLAG && o->type != PW_OPT_RATE)
		memcpy(&v, at, sizeof(v));

	if (v == UINT64_MAX) /* how tables say "not given" where 0 is a value */
		v = 0;
	if (s)
		snprintf(buf, len, "%s", s);
	else if (o->type == PW_OPT_CHOICE)
		show_choice(o->choices, choice, buf, len);
	else if (v && o->type == PW_OPT_U64)
		snprintf(buf, len, "%llu", (unsigned long long)v);
	else if (v && o->type == PW_OPT_SIZE)
		show_size(v, buf, len);
	else if (v && o->type == PW_OPT_DURATION)
		show_duration(v, buf, len);
	return buf;
}
