/* SPDX-License-Identifier: BSD-3-Clause */
/* Check path.rate: what the path to the receivers takes, by a probe. path.c, or path_none.c without DPDK. */
#ifndef PW_APP_DOCTOR_PATH_H
#define PW_APP_DOCTOR_PATH_H

#include <jansson.h>

#include "app/doctor/report.h"
#include "app/doctor/subject.h"
#include "base/log.h"

/* With opt->to, and after all other checks: opens the port and sends for a few seconds, unless a check failed.
 * Returns the figures, or NULL if the probe has none. -EINVAL in *err: an address is wrong. */
json_t *pw_doctor_check_path(const struct pw_doctor_job *job, struct pw_doctor_report *report,
	const struct pw_log *log, struct pw_err *err);

#endif
