/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks cpu.* and nic.numa: whether the polling thread is near the port, undisturbed and at full speed. */
#ifndef PW_APP_DOCTOR_CPU_H
#define PW_APP_DOCTOR_CPU_H

#include "app/doctor/report.h"
#include "app/doctor/subject.h"

void pw_doctor_check_cpu(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report);

#endif
