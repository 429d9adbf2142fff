/* SPDX-License-Identifier: BSD-3-Clause */
/* What `pagewire replay` prints: the plan before the first frame, the result at the end. */
#ifndef PW_APP_CLI_REPORT_REPLAY_H
#define PW_APP_CLI_REPORT_REPLAY_H

#include "api/replayjob.h"

void pw_replay_report_plan(const struct pw_replayjob *job);
void pw_replay_report_human(const struct pw_replayjob *job);
void pw_replay_report_json(const struct pw_replayjob *job, int code);

#endif
