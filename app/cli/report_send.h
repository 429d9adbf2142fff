/* SPDX-License-Identifier: BSD-3-Clause */
/* `pagewire send`: its options beyond the job's, and what it prints. */
#ifndef PW_APP_CLI_REPORT_SEND_H
#define PW_APP_CLI_REPORT_SEND_H

#include <jansson.h>

#include "api/job.h"

struct pw_send_options {
	struct pw_job_options job;
	bool dry_run, progress, json;
};

void pw_send_report_plan(const struct pw_job *job);
void pw_send_report_human(const struct pw_job *job, const struct pw_tx_counters *c);
void pw_send_report_json(const struct pw_job *job, const struct pw_tx_counters *c, int code);

/* send_rate.c */
void pw_send_rate_human(
	const struct pw_job *job, const struct pw_tx_counters *c); /* nothing without --rate */
void pw_send_gaps_human(const struct pw_job *job);
json_t *pw_send_rate_json(const struct pw_job *job, const struct pw_tx_counters *c);

#endif
