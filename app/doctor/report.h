/* SPDX-License-Identifier: BSD-3-Clause */
/* The results of doctor's checks: a list that the checks fill, and that is printed as text or JSON. */
#ifndef PW_APP_DOCTOR_REPORT_H
#define PW_APP_DOCTOR_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#define PW_DOCTOR_CHECKS_MAX 48

enum pw_doctor_level {
	PW_DOCTOR_OK,
	PW_DOCTOR_WARN, /* the job runs, but slower or with a risk */
	PW_DOCTOR_FAIL, /* the job will not run */
	PW_DOCTOR_SKIP, /* does not matter to this job */
};

struct pw_doctor_result {
	const char *id; /* a literal; docs/doctor.md explains it, and error messages cite it */
	enum pw_doctor_level level;
	char what[1024];
	char fix[1024]; /* a command, or "" */
};

struct pw_doctor_report {
	struct pw_doctor_result v[PW_DOCTOR_CHECKS_MAX];
	unsigned int n;
};

/* Appends a result. */
void pw_doctor_add(struct pw_doctor_report *report, enum pw_doctor_level level, const char *id,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The command that fixes what the last result reports. */
void pw_doctor_set_fix(struct pw_doctor_report *report, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

unsigned int pw_doctor_count(const struct pw_doctor_report *report, enum pw_doctor_level level);
const char *pw_doctor_level_name(enum pw_doctor_level level);

/* all: also the checks that were skipped. */
void pw_doctor_print(const struct pw_doctor_report *report, bool all, FILE *out);
/* report NULL: no checks were made. steps NULL: neither --fix nor --undo. probe NULL: it has no figures. The function
 * releases both. */
void pw_doctor_print_json(
	const struct pw_doctor_report *report, json_t *steps, json_t *probe, int code);

#endif
