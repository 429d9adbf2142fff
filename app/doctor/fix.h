/* SPDX-License-Identifier: BSD-3-Clause */
/* `doctor --fix` and `--undo`: run scripts/host-setup, which changes the host. */
#ifndef PW_APP_DOCTOR_FIX_H
#define PW_APP_DOCTOR_FIX_H

#include <jansson.h>

#include "app/doctor/subject.h"

/* Runs the script for what the job lacks. Returns the script's exit code, which has reported its own errors;
 * -EINVAL: --even-in-use is not the --port; -ENOENT: no script. With --json *steps is what the script
 * printed, to be released by the caller; else, and on errors, NULL. */
int pw_doctor_fix(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	json_t **steps, struct pw_err *err);

/* As above: the script puts everything back. */
int pw_doctor_undo(const struct pw_doctor_options *opt, json_t **steps, struct pw_err *err);

#endif
