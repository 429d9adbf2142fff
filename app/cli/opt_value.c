/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads the value of an option into its field, and shows a field as the command line takes it. */
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
		"cannot read %s '%s': not a truth value; write true, false, yes, no, on or off",
		what, value);
}

/* Fields of 1, 2, 4 or 8 bytes. */
static void store(void *at, size_t size, uint64_t v)
{
	const uint32_t v4 = (uint32_t)v;
	const uint16_t v2 = (uint16_t)v;
	const uint8_t v1 = (uint8_t)v;

	memcpy(at,
		size == 1   ? (const void *)&v1
		: size == 2 ? (const void *)&v2
		: size == 4 ? (const void *)&v4
			    : &v,
		size);
}

static uint64_t load(const void *at, size_t size)
{
	uint64_t v8;
	uint32_t v4;
	uint16_t v2;

	switch (size) {
	case 1:
		return *(const uint8_t *)at;
	case 2:
		memcpy(&v2, at, sizeof(v2));
		return v2;
	case 4:
		memcpy(&v4, at, sizeof(v4));
		return v4;
	default:
		memcpy(&v8, at, sizeof(v8));
		return v8;
	}
}

/* A row without a size has the largest field of its type. */
static size_t size_of(const struct pw_opt *o)
{
	return o->size ? o->size : o->type == PW_OPT_CHOICE ? sizeof(int) : sizeof(uint64_t);
}

static uint64_t most_of(size_t size)
{
	return size < 8 ? (1ull << 8 * size) - 1 : UINT64_MAX;
}

static int set_uint(
	const struct pw_opt *o, const char *what, const char *value, void *at, struct pw_err *err)
{
	const size_t size = size_of(o);
	uint64_t v;
	int r = pw_units_parse_u64(what, value, o->min, o->max ? o->max : most_of(size), &v, err);

	if (r == 0)
		store(at, size, v);
	return r;
}

static int set_choice(
	const struct pw_opt *o, const char *what, const char *value, void *at, struct pw_err *err)
{
	char arg[PW_OPT_ARG_MAX];

	for (const struct pw_opt_choice *c = o->choices; c->name; c++) {
		if (!strcmp(c->name, value)) {
			store(at, size_of(o), c->value);
			return 0;
		}
	}
	return pw_err_set(
		err, EINVAL, "cannot read %s '%s': not one of %s", what, value, pw_opt_arg(o, arg));
}

static int set_string(const char *what, const char *value, const char **out, struct pw_err *err)
{
	if (!*value)
		return pw_err_set(err, EINVAL, "cannot read %s: the value is empty", what);
	*out = value;
	return 0;
}

static int set_rate(const struct pw_opt *o, const char *what, const char *value,
	struct pw_rate *rate, struct pw_err *err)
{
	for (const struct pw_opt_choice *c = o->choices; c && c->name; c++)
		if (!strcmp(c->name, value)) {
			*rate = (struct pw_rate){.unit = (enum pw_rate_unit)c->value};
			return 0;
		}
	return pw_units_parse_rate(what, value, rate, err);
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
	case PW_OPT_UINT:
		return set_uint(o, what, value, at, err);
	case PW_OPT_SIZE:
		return pw_units_parse_size(what, value, at, err);
	case PW_OPT_DURATION:
		return pw_units_parse_duration(what, value, at, err);
	case PW_OPT_RATE:
		return set_rate(o, what, value, at, err);
	case PW_OPT_CHOICE:
		return set_choice(o, what, value, at, err);
	case PW_OPT_LIST:
		break;
	}
	return pw_err_set(err, EINVAL, "cannot read %s: its table entry has no single value", what);
}

char *pw_opt_arg(const struct pw_opt *o, char buf[PW_OPT_ARG_MAX])
{
	size_t n = 0;

	snprintf(buf, PW_OPT_ARG_MAX, "%s",
		o->type == PW_OPT_FLAG ? ""
		: o->arg               ? o->arg
				       : "VALUE");
	if (o->type != PW_OPT_CHOICE || o->arg)
		return buf;
	for (const struct pw_opt_choice *c = o->choices; c->name && n < PW_OPT_ARG_MAX; c++)
		n += (size_t)snprintf(buf + n, PW_OPT_ARG_MAX - n, "%s%s", n ? "|" : "", c->name);
	return buf;
}

/* The largest unit that gives a whole number, so that the text can be typed in again. */
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

static void show_choice(const struct pw_opt *o, uint64_t v, char *buf, size_t len)
{
	for (const struct pw_opt_choice *c = o->choices; c->name; c++)
		if (c->value == v)
			snprintf(buf, len, "%s", c->name);
}

char *pw_opt_show(const struct pw_opt *o, const void *base, char *buf, size_t len)
{
	const void *at = (const char *)base + o->offset;
	const char *s = NULL;
	uint64_t v = 0;

	buf[0] = '\0';
	if (o->type == PW_OPT_STRING)
		memcpy(&s, at, sizeof(s));
	else if (o->type != PW_OPT_FLAG && o->type != PW_OPT_RATE && o->type != PW_OPT_LIST)
		v = load(at, size_of(o));

	if (v == most_of(size_of(o))) /* the default "not given" where 0 is a value */
		v = 0;
	if (s)
		snprintf(buf, len, "%s", s);
	else if (o->type == PW_OPT_CHOICE)
		show_choice(o, v, buf, len);
	else if (v && o->type == PW_OPT_UINT)
		snprintf(buf, len, "%llu", (unsigned long long)v);
	else if (v && o->type == PW_OPT_SIZE)
		show_size(v, buf, len);
	else if (v && o->type == PW_OPT_DURATION)
		show_duration(v, buf, len);
	return buf;
}
