/* SPDX-License-Identifier: BSD-3-Clause */
/* The fixes that need another kernel, or another command line of it: commands where this system chooses its kernel, else
 * what has to be done where this system is started. */
#ifndef PW_APP_DOCTOR_KERNEL_H
#define PW_APP_DOCTOR_KERNEL_H

#include "app/doctor/report.h"
#include "app/doctor/subject.h"

/* options: for the command line, "a=b c". more: what the fix needs besides, or "". */
void pw_doctor_fix_options(const struct pw_doctor_host *host, struct pw_doctor_report *report,
	const char *options, const char *more);
/* config: what the kernel lacks, "CONFIG_HUGETLBFS". */
void pw_doctor_fix_kernel(
	const struct pw_doctor_host *host, struct pw_doctor_report *report, const char *config);

#endif
