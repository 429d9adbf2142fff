/* SPDX-License-Identifier: BSD-3-Clause */
/* What `pagewire send` prints: the plan before the first packet, the result at the end. */
#ifndef PW_APP_CLI_REPORT_SEND_H
#define PW_APP_CLI_REPORT_SEND_H

#include <jansson.h>

#include "api/job.h"

void pw_send_report_plan(const struct pw_job *job);
void pw_send_report_human(const struct pw_job *job, const struct pw_tx_counters *c);
/* repair: of pw_send_repair_json(), or NULL; it takes it. */
void pw_send_report_json(
	const struct pw_job *job, const struct pw_tx_counters *c, json_t *repair, int code);

/* report_rate.c */
void pw_send_rate_human(
	const struct pw_job *job, const struct pw_tx_counters *c); /* nothing without --rate */
void pw_send_gaps_human(const struct pw_job *job);
json_t *pw_send_rate_json(const struct pw_job *job, const struct pw_tx_counters *c);

#endif
