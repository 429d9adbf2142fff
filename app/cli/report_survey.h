/* SPDX-License-Identifier: BSD-3-Clause */
/* What `pagewire replay --dry-run` prints. */
#ifndef PW_APP_CLI_REPORT_SURVEY_H
#define PW_APP_CLI_REPORT_SURVEY_H

#include "replay/survey.h"

void pw_survey_report_human(const struct pw_survey *v);
void pw_survey_report_json(const struct pw_survey *v, int code);

#endif
