/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "app/cli/cli.h"
#include "app/doctor/doctor.h"
#include "app/doctor/fix.h"
#include "base/json_text.h"

const char *pw_doctor_level_name(enum pw_doctor_level level)
{
	static const char *const names[] = {"ok", "warn", "fail", "skip"};

	return names[level];
}

/* File names are in there, and a terminal shall not obey them. */
static void print_plain(FILE *out, const char *s)
{
	for (; *s; s++)
		fputc((unsigned char)*s < ' ' || *s == 0x7f ? '?' : *s, out);
	fputc('\n', out);
}

static void print_check(const struct pw_doctor_check *c, int width, FILE *out)
{
	fprintf(out, "%-5s %-*s  ", pw_doctor_level_name(c->level), width, c->id);
	print_plain(out, c->what);
	if (c->mend[0]) {
		fputs("      mend: ", out);
		print_plain(out, c->mend);
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

/* The check that a step mends. */
static const char *check_of(const struct pw_fix_step *s)
{
	static const char *const ids[] = {"vfio.module", "iommu", "hugepages.free",
		"hugepages.mount", "hugepages.mount", "nic.driver"};

	return s->kind == PW_FIX_MODULE && strcmp(s->object, "tun") == 0 ? "port.interface"
									 : ids[s->kind];
}

void pw_doctor_print_steps(const struct pw_fix *fix, FILE *out)
{
	unsigned int i;

	for (i = 0; i < fix->n; i++) {
		fprintf(out, "  %s   # %s: ", fix->steps[i].command, check_of(&fix->steps[i]));
		print_plain(out, fix->steps[i].what);
	}
}

static json_t *json_of_steps(const struct pw_fix *fix)
{
	static const char *const states[] = {"planned", "done", "failed", "undone"};
	json_t *steps = json_array();
	unsigned int i;

	for (i = 0; i < fix->n; i++) {
		const struct pw_fix_step *s = &fix->steps[i];

		json_array_append_new(
			steps, json_pack("{s:s, s:s, s:o, s:o}", "check", check_of(s), "state",
				       states[s->state], "what", pw_json_text(s->what), "command",
				       pw_json_text(s->command)));
	}
	return steps;
}

void pw_doctor_print_json(const struct pw_doctor_report *report, const struct pw_fix *fix, int code)
{
	json_t *checks = json_array();
	json_t *result = pw_cli_json_result("pagewire.doctor/1", code);
	unsigned int i;

	for (i = 0; report && i < report->n; i++) {
		const struct pw_doctor_check *c = &report->v[i];

		json_array_append_new(checks,
			json_pack("{s:s, s:s, s:o, s:o}", "id", c->id, "level",
				pw_doctor_level_name(c->level), "what", pw_json_text(c->what),
				"mend", pw_json_text(c->mend[0] ? c->mend : NULL)));
	}
	json_object_set_new(result, "checks", checks);
	if (fix)
		json_object_set_new(result, "steps", json_of_steps(fix));
	pw_cli_print_json(result);
}
