/* SPDX-License-Identifier: BSD-3-Clause */
/* Reports a replay job (counters, position, lateness) on DPDK's telemetry socket; see dpdk/telemetry.h. */
#ifndef PW_API_REPLAYTELEMETRY_H
#define PW_API_REPLAYTELEMETRY_H

#include "api/replayjob.h"

/* After the ports are open. job->telemetry may also be set on failure: call stop(). */
int pw_replay_telemetry_start(struct pw_replayjob *job, struct pw_err *err);
/* For pw_replay_config.tick, with ctx = job->telemetry: publishes, then calls the job's own tick. */
void pw_replay_telemetry_tick(void *ctx, const struct pw_replay_status *st);
/* Before the ports are stopped. Accepts a job without telemetry. */
void pw_replay_telemetry_stop(struct pw_replayjob *job);

#endif
