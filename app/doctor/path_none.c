/* SPDX-License-Identifier: BSD-3-Clause */
/* Replaces path.c in a build without DPDK: it has no port, which check port.valid reports. */
#include "app/doctor/path.h"

json_t *pw_doctor_check_path(const struct pw_doctor_job *job, struct pw_doctor_report *report,
	const struct pw_log *log, struct pw_err *err)
{
	(void)job;
	(void)log;
	(void)err;
	pw_doctor_add(report, PW_DOCTOR_SKIP, "path.rate", "not probed: a check failed");
	return NULL;
}
