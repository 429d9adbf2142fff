/* SPDX-License-Identifier: BSD-3-Clause */
/* The results of the checks: appended by the checks, printed as text or JSON. */
#include "app/doctor/report.h"

#include <stdarg.h>
#include <string.h>

#include "app/cli/cli.h"
#include "base/json_text.h"

/* A text that is too long ends in "...": the reader sees that it was cut. */
static void format(char *to, size_t len, const char *fmt, va_list ap)
{
	if (vsnprintf(to, len, fmt, ap) >= (int)len)
		memcpy(to + len - 4, "...", 4);
}

void pw_doctor_add(struct pw_doctor_report *report, enum pw_doctor_level level, const char *id,
	const char *fmt, ...)
{
	struct pw_doctor_result *c;
	va_list ap;

	if (report->n == PW_DOCTOR_CHECKS_MAX)
		return;
	c = &report->v[report->n++];
	*c = (struct pw_doctor_result){.id = id, .level = level};
	va_start(ap, fmt);
	format(c->what, sizeof(c->what), fmt, ap);
	va_end(ap);
}

void pw_doctor_set_fix(struct pw_doctor_report *report, const char *fmt, ...)
{
	va_list ap;

	if (report->n == 0)
		return;
	va_start(ap, fmt);
	format(report->v[report->n - 1].fix, sizeof(report->v[0].fix), fmt, ap);
	va_end(ap);
}

unsigned int pw_doctor_count(const struct pw_doctor_report *report, enum pw_doctor_level level)
{
	unsigned int i, n = 0;

	for (i = 0; i < report->n; i++)
		n += report->v[i].level == level;
	return n;
}

const char *pw_doctor_level_name(enum pw_doctor_level level)
{
	static const char *const names[] = {"ok", "warn", "fail", "skip"};

	return names[level];
}

/* Results quote file names, whose control characters a terminal would execute. */
static void print_plain(FILE *out, const char *s)
{
	for (; *s; s++)
		fputc((unsigned char)*s < ' ' || *s == 0x7f ? '?' : *s, out);
	fputc('\n', out);
}

static void print_check(const struct pw_doctor_result *c, int width, FILE *out)
{
	fprintf(out, "%-5s %-*s  ", pw_doctor_level_name(c->level), width, c->id);
	print_plain(out, c->what);
	if (c->fix[0]) {
		fputs("      fix: ", out);
		print_plain(out, c->fix);
	}
}

void pw_doctor_print(const struct pw_doctor_report *report, bool all, FILE *out)
{
	unsigned int i, n_skip = pw_doctor_count(report, PW_DOCTOR_SKIP);
	int width = 0;

	for (i = 0; i < report->n; i++)
		if ((int)strlen(report->v[i].id) > width)
			width = (int)strlen(report->v[i].id);
	for (i = 0; i < report->n; i++)
		if (all || report->v[i].level != PW_DOCTOR_SKIP)
			print_check(&report->v[i], width, out);
	fprintf(out, "%u ok, %u warn, %u fail, %u skipped%s\n",
		pw_doctor_count(report, PW_DOCTOR_OK), pw_doctor_count(report, PW_DOCTOR_WARN),
		pw_doctor_count(report, PW_DOCTOR_FAIL), n_skip,
		n_skip && !all ? " (-v shows them)" : "");
}

void pw_doctor_print_json(
	const struct pw_doctor_report *report, json_t *steps, json_t *probe, int code)
{
	json_t *checks = json_array();
	json_t *result = pw_cli_json_result("pagewire.doctor/1", code);
	unsigned int i;

	for (i = 0; report && i < report->n; i++) {
		const struct pw_doctor_result *c = &report->v[i];

		json_array_append_new(checks,
			json_pack("{s:s, s:s, s:o, s:o}", "id", c->id, "level",
				pw_doctor_level_name(c->level), "what", pw_json_text(c->what),
				"fix", pw_json_text(c->fix[0] ? c->fix : NULL)));
	}
	json_object_set_new(result, "checks", checks);
	if (steps)
		json_object_set_new(result, "steps", steps);
	if (probe)
		json_object_set_new(result, "probe", probe);
	pw_cli_print_json(result);
}
