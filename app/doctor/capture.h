/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks capture.*: what `replay` would find in a FILE that is a capture, and how its frames would leave. */
#ifndef PW_APP_DOCTOR_CAPTURE_H
#define PW_APP_DOCTOR_CAPTURE_H

#include "app/doctor/report.h"
#include "app/doctor/subject.h"

void pw_doctor_check_capture(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report);

#endif
