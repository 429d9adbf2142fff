/* SPDX-License-Identifier: BSD-3-Clause */
/* `pagewire doctor --fix`: from what the checks miss to what lib/host does about it. */
#ifndef PW_APP_DOCTOR_FIX_H
#define PW_APP_DOCTOR_FIX_H

#include <stdio.h>

#include "app/doctor/doctor.h"
#include "host/fix.h"

/* What of the job's lacks can be mended and undone. -EINVAL: --even-in-use is not the --port. The
 * strings live as long as job and its options. */
int pw_doctor_want(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_fix_want *want, struct pw_err *err);

/* A line a step: the command for a root shell, the check that it mends, what it is. */
void pw_doctor_print_steps(const struct pw_fix *fix, FILE *out);

/* report, fix: NULL: there is none. */
void pw_doctor_print_json(
	const struct pw_doctor_report *report, const struct pw_fix *fix, int code);

/* As the checks hugepages.free and hugepages.mount see it. */
uint64_t pw_doctor_missing_bytes(
	const struct pw_doctor_host *host, const struct pw_doctor_job *job);
bool pw_doctor_lacks_mount(const struct pw_doctor_host *host, const struct pw_doctor_job *job);

#endif
