/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks net.* (what else uses the port's interface), caps and kernel.lockdown. */
#ifndef PW_APP_DOCTOR_NET_H
#define PW_APP_DOCTOR_NET_H

#include "app/doctor/report.h"
#include "app/doctor/subject.h"

void pw_doctor_check_net(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report);
void pw_doctor_check_rights(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report);

#endif
