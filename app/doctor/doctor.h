/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `pagewire doctor`: compares what the host has with what a job needs. Reading and checking are separate, so
 * that tests can check hosts that do not exist.
 *
 *   /sys, /proc --> pw_doctor_read_host() --> host --\
 *                                                     > pw_doctor_check() --> report --> text, JSON
 *   FILE, PORT  --> pw_doctor_read_job()  --> job  --/
 *
 * docs/doctor.md explains each check.
 */
#ifndef PW_APP_DOCTOR_DOCTOR_H
#define PW_APP_DOCTOR_DOCTOR_H

#include "app/doctor/report.h"
#include "app/doctor/subject.h"

/* root NULL: this host. */
void pw_doctor_read_host(const struct pw_sysroot *root, struct pw_doctor_host *host);
/* Reads what the options and file name. It does not fail: the checks report what is wrong. */
void pw_doctor_read_job(const struct pw_doctor_host *host, const struct pw_doctor_options *opt,
	const char *file, struct pw_doctor_job *job);
/* Makes all checks, or those of the socket if the job has one; not of a job whose device is missing, see pw_doctor_no_device(). */
void pw_doctor_check(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report);

#endif
