/* SPDX-License-Identifier: BSD-3-Clause */
/* Who holds a send job's rate: the sender's own token buckets (send/pace.h), or the port
 * (dpdk/hwrate.h). */
#ifndef PW_API_JOBPACE_H
#define PW_API_JOBPACE_H

#include "api/job.h"

/* Refuses what contradicts itself: the options are at fault. */
int pw_job_pace_plan(const struct pw_job_options *o, struct pw_err *err);
/* For config.queue_mbps: the rate of each queue, 0 = the port is not asked. */
uint32_t pw_job_pace_queue_mbps(const struct pw_job_options *o);
/* Of an open port: what is left for software to hold, and how long the packets that it has taken may
 * be on their way. */
void pw_job_pace_config(const struct pw_job *job, struct pw_send_config *cfg);
/* "none", "sw" or "hw": what holds the rate of an open port. */
const char *pw_job_pace_name(const struct pw_job *job);

#endif
