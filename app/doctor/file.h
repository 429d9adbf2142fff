/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks file.*: whether the file can be read, where its pages are, and whether its copy fits in memory. */
#ifndef PW_APP_DOCTOR_FILE_H
#define PW_APP_DOCTOR_FILE_H

#include "app/doctor/report.h"
#include "app/doctor/subject.h"

void pw_doctor_check_file(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report);

#endif
