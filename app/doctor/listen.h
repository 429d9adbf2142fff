/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks listen.*: whether the socket of `recv --listen` opens, and whether packets reach it. */
#ifndef PW_APP_DOCTOR_LISTEN_H
#define PW_APP_DOCTOR_LISTEN_H

#include "app/doctor/report.h"
#include "app/doctor/subject.h"

/* Opens the socket as recv does, for a moment: a group is joined and left. addr: what job->opt->listen names. */
void pw_doctor_read_socket(
	const struct pw_doctor_host *host, const struct pw_addr *addr, struct pw_doctor_job *job);

void pw_doctor_check_listen(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report);

#endif
