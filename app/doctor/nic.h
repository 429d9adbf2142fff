/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks nic.segments, nic.offloads, nic.rate: what the port's driver can do, and what pagewire does with it. */
#ifndef PW_APP_DOCTOR_NIC_H
#define PW_APP_DOCTOR_NIC_H

#include "app/doctor/report.h"
#include "app/doctor/subject.h"

/* The driver can be asked without disturbing anybody: a NIC that DPDK has for itself, or null. A NIC is reset. */
bool pw_doctor_may_ask(const struct pw_doctor_job *job);

void pw_doctor_check_nic(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report);

#endif
