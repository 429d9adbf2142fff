/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of units, and one parser and one formatter for all of them. */
#include "base/units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"

struct unit {
	const char *name;
	double factor;
};

static const struct unit size_units[] = {
	{"B", 1.0},
	{"K", 1024.0},
	{"M", 1048576.0},
	{"G", 1073741824.0},
	{"T", 1099511627776.0},
	{"KiB", 1024.0},
	{"MiB", 1048576.0},
	{"GiB", 1073741824.0},
	{"TiB", 1099511627776.0},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{NULL, 0.0},
};

/* What follows an optional prefix of prefixes. "Bps" and "B/s" would be bytes. */
static const char *const bit_units[] = {"bit/s", "bit", "bps", NULL};
static const char *const packet_units[] = {"pps", NULL};
static const struct unit prefixes[] = {
	{"K", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}, {NULL, 0.0}};

static const struct unit time_units[] = {
	{"ns", 1.0},
	{"us", 1e3},
	{"ms", 1e6},
	{"s", 1e9},
	{"m", 60e9},
	{"h", 3600e9},
	{NULL, 0.0},
};

/* strtod() accepts hex, inf and nan; here a number starts with a digit and has no letters before
 * its unit. */
static int split(const char *s, double *value, const char **unit)
{
	char *end;

	if (!isdigit((unsigned char)s[0]) || (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')))
		return -EINVAL;
	errno = 0;
	*value = strtod(s, &end);
	if (errno || !isfinite(*value))
		return -EINVAL;
	while (*end == ' ')
		end++;
	*unit = end;
	return 0;
}

/* The prefix may be in lower case ("64k", "64kB"): 1/1000 of a byte means nothing. */
static bool is_same(const char *unit, const char *name)
{
	return toupper((unsigned char)unit[0]) == toupper((unsigned char)name[0]) &&
	       (!unit[0] || !strcmp(unit + 1, name + 1));
}

static const struct unit *find_time_unit(const char *name)
{
	const struct unit *u;

	for (u = time_units; u->name; u++)
		if (!strcmp(u->name, name))
			return u;
	return NULL;
}

static const struct unit *find_size_unit(const char *name)
{
	const struct unit *u;

	for (u = size_units; u->name; u++)
		if (u->name[0] != 'B' ? is_same(u->name, name) : !strcmp(u->name, name))
			return u;
	return NULL;
}

static bool is_one_of(const char *const *names, const char *name)
{
	for (; *names; names++)
		if (!strcmp(*names, name))
			return true;
	return false;
}

/* "G", "Gbit/s", "Gbit", "Gbps", "gbit/s", "Mpps", "bit/s", ...: the factor, or 0. */
static double rate_factor(const char *name, enum pw_rate_unit *unit)
{
	const struct unit *prefix;
	double factor = 1.0;

	for (prefix = prefixes; prefix->name; prefix++)
		if (toupper((unsigned char)name[0]) == prefix->name[0])
			break;
	if (prefix->name) {
		factor = prefix->factor;
		name++;
	}
	*unit = PW_RATE_BPS;
	if ((prefix->name && !*name) || is_one_of(bit_units, name))
		return factor;
	*unit = PW_RATE_PPS;
	return is_one_of(packet_units, name) ? factor : 0.0;
}

static int parse_scaled(const char *s, const struct unit *(*find)(const char *name), uint64_t *out)
{
	const struct unit *u;
	const char *name;
	double v;

	if (split(s, &v, &name))
		return -EINVAL;
	if (v == 0.0 && *name == '\0') {
		*out = 0;
		return 0;
	}
	u = find(name);
	if (!u || v * u->factor >= 9.2e18)
		return -EINVAL;
	*out = (uint64_t)llround(v * u->factor);
	return 0;
}

int pw_units_parse_size(const char *what, const char *s, uint64_t *bytes, struct pw_err *err)
{
	if (parse_scaled(s, find_size_unit, bytes))
		return pw_err_set(err, EINVAL,
			"cannot read %s '%s': not a size; write a number and B, K, M, G (or KiB, "
			"MiB, GiB), KB, MB or GB",
			what, s);
	return 0;
}

int pw_units_parse_duration(const char *what, const char *s, uint64_t *ns, struct pw_err *err)
{
	if (parse_scaled(s, find_time_unit, ns))
		return pw_err_set(err, EINVAL,
			"cannot read %s '%s': not a duration; write a number and us, ms, s, m or h",
			what, s);
	return 0;
}

int pw_units_parse_rate(const char *what, const char *s, struct pw_rate *rate, struct pw_err *err)
{
	enum pw_rate_unit unit = PW_RATE_NONE;
	const char *name = "";
	double v = 0.0, factor = 0.0;

	if (split(s, &v, &name) == 0)
		factor = rate_factor(name, &unit);
	if (factor == 0.0 || v <= 0.0 || v * factor > 1e15) {
		rate->unit = PW_RATE_NONE;
		return pw_err_set(err, EINVAL,
			"cannot read %s '%s': not a rate; write a number above 0 and Mbit/s, "
			"Gbit/s "
			"(or M, G), pps or Mpps",
			what, s);
	}
	rate->unit = unit;
	rate->value = v * factor;
	return 0;
}

int pw_units_parse_u64(const char *what, const char *s, uint64_t min, uint64_t max, uint64_t *out,
	struct pw_err *err)
{
	unsigned long long v = 0;
	char *end = NULL;

	errno = isdigit((unsigned char)s[0]) ? 0 : EINVAL;
	if (!errno)
		v = strtoull(s, &end, 10);
	if (errno || *end || v < min || v > max)
		return pw_err_set(err, EINVAL,
			"cannot read %s '%s': not a whole number from %" PRIu64 " to %" PRIu64,
			what, s, min, max);
	*out = v;
	return 0;
}

static char *format_scaled(
	char *buf, size_t len, double v, double step, const char *const *names, size_t n_names)
{
	size_t i = 0;

	while (i + 1 < n_names && v >= step) {
		v /= step;
		i++;
	}
	snprintf(buf, len,
		v < 10 && i    ? "%.2f %s"
		: v < 100 && i ? "%.1f %s"
			       : "%.0f %s",
		v, names[i]);
	return buf;
}

char *pw_units_size(char *buf, size_t len, uint64_t bytes)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};

	return format_scaled(buf, len, (double)bytes, 1024.0, names, PW_ARRAY_LEN(names));
}

char *pw_units_bitrate(char *buf, size_t len, double bits_per_s)
{
	static const char *const names[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"};

	return format_scaled(buf, len, bits_per_s, 1000.0, names, PW_ARRAY_LEN(names));
}

char *pw_units_pps(char *buf, size_t len, double packets_per_s)
{
	static const char *const names[] = {"pps", "kpps", "Mpps", "Gpps"};

	return format_scaled(buf, len, packets_per_s, 1000.0, names, PW_ARRAY_LEN(names));
}

char *pw_units_duration(char *buf, size_t len, uint64_t ns)
{
	static const char *const names[] = {"ns", "us", "ms"};
	const uint64_t s = ns / PW_NS_PER_S;
	double shown = (double)ns;
	size_t i = 0;

	for (; shown >= 999.5 && i < PW_ARRAY_LEN(names); i++) /* 999.5 would become 1e+03 */
		shown /= 1000;
	if (i < PW_ARRAY_LEN(names))
		snprintf(buf, len, "%.3g %s", shown, names[i]);
	else if (s < 60)
		snprintf(buf, len, "%.2f s", (double)ns / 1e9);
	else if (s < 3600)
		snprintf(buf, len, "%" PRIu64 " m %" PRIu64 " s", s / 60, s % 60);
	else
		snprintf(buf, len, "%" PRIu64 " h %" PRIu64 " m", s / 3600, s / 60 % 60);
	return buf;
}
