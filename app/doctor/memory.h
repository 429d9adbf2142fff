/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks hugepages.* and memlock: whether there is memory for EAL, and whether it may be pinned. */
#ifndef PW_APP_DOCTOR_MEMORY_H
#define PW_APP_DOCTOR_MEMORY_H

#include "app/doctor/report.h"
#include "app/doctor/subject.h"

void pw_doctor_check_memory(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report);

/* What hugepages.free and hugepages.mount miss, for --fix. */
uint64_t pw_doctor_missing_bytes(
	const struct pw_doctor_host *host, const struct pw_doctor_job *job);
bool pw_doctor_lacks_mount(const struct pw_doctor_host *host, const struct pw_doctor_job *job);

#endif
