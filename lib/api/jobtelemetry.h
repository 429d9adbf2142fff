/* SPDX-License-Identifier: BSD-3-Clause */
/* What a send job tells on DPDK's telemetry socket; see dpdk/telemetry.h. */
#ifndef PW_API_JOBTELEMETRY_H
#define PW_API_JOBTELEMETRY_H

#include "api/job.h"

/* After the port is open. */
int pw_job_telemetry_start(struct pw_job *job, struct pw_err *err);
/* For pw_send_config.tick: publishes, and passes the tick on to the job's owner. ctx: the job. */
void pw_job_telemetry_tick(void *ctx, const struct pw_send_status *st);
/* Before the port is stopped. Accepts a job without. */
void pw_job_telemetry_stop(struct pw_job *job);

#endif
