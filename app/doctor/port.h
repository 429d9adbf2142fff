/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks dpdk.* and port.*: whether the port exists and can be opened. */
#ifndef PW_APP_DOCTOR_PORT_H
#define PW_APP_DOCTOR_PORT_H

#include "app/doctor/report.h"
#include "app/doctor/subject.h"

void pw_doctor_check_dpdk(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report);
void pw_doctor_check_port(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report);

#endif
