/* SPDX-License-Identifier: BSD-3-Clause */
#include "replay/span.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define NS_PER_S    1000000000ll
#define SECONDS_MAX 4294967295ll /* a pcap has no later second */

/* Digits before and behind the point, nothing else up to the end or a Z; false: something is wrong. */
static bool parse_decimals(const char *s, bool may_be_utc, int64_t *ns)
{
	int64_t unit = NS_PER_S / 10;

	*ns = 0;
	if (*s == '.') {
		if (!isdigit((unsigned char)*++s))
			return false;
		for (; isdigit((unsigned char)*s) && unit; s++, unit /= 10)
			*ns += (*s - '0') * unit;
	}
	if (may_be_utc && *s == 'Z')
		s++;
	return *s == '\0';
}

static bool parse_utc(const char *s, int64_t *ns)
{
	struct tm tm = {0};
	const char *rest = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
	const struct tm asked = tm;
	time_t t;

	if (!rest || !parse_decimals(rest, true, ns))
		return false;
	t = timegm(&tm);
	/* February 30 would become March */
	if (t < 0 || t > SECONDS_MAX || tm.tm_mday != asked.tm_mday)
		return false;
	*ns += t * NS_PER_S;
	return true;
}

static bool parse_seconds(const char *s, int64_t *ns)
{
	int64_t seconds = 0;

	if (!isdigit((unsigned char)*s))
		return false;
	for (; isdigit((unsigned char)*s) && seconds <= SECONDS_MAX; s++)
		seconds = seconds * 10 + (*s - '0');
	if (seconds > SECONDS_MAX || !parse_decimals(s, false, ns))
		return false;
	*ns += seconds * NS_PER_S;
	return true;
}

int pw_moment_parse(const char *what, const char *text, struct pw_moment *m, struct pw_err *err)
{
	const bool is_utc = strchr(text, '-') != NULL;

	m->kind = is_utc ? PW_MOMENT_UTC : PW_MOMENT_RELATIVE;
	if (is_utc ? parse_utc(text, &m->ns) : parse_seconds(text, &m->ns))
		return 0;
	return pw_err_set(err, EINVAL,
		"cannot use %s '%s': give a time in UTC, as 2026-11-28T08:30:00.25, or seconds "
		"after the first frame, as 90 or 0.5",
		what, text);
}

static bool is_before(int64_t time_ns, const struct pw_moment *m, int64_t first_ns)
{
	if (m->kind == PW_MOMENT_UTC)
		return time_ns < m->ns;
	/* first_ns is the file's, and may be near a limit of its type */
	return time_ns < first_ns || (uint64_t)time_ns - (uint64_t)first_ns < (uint64_t)m->ns;
}

bool pw_span_has(
	const struct pw_span *span, struct pw_span_first *first, bool has_time, int64_t time_ns)
{
	if (has_time && !first->is_known)
		*first = (struct pw_span_first){true, time_ns};
	if (!has_time)
		return span->from.kind == PW_MOMENT_NONE && span->to.kind == PW_MOMENT_NONE;
	if (span->from.kind != PW_MOMENT_NONE && is_before(time_ns, &span->from, first->ns))
		return false;
	return span->to.kind == PW_MOMENT_NONE || is_before(time_ns, &span->to, first->ns);
}
