/* SPDX-License-Identifier: BSD-3-Clause */
/* Decides what holds a send job's rate: the sender's token bucket (send/pace.h), or the port
 * (dpdk/hwrate.h). */
#ifndef PW_API_JOBPACE_H
#define PW_API_JOBPACE_H

#include "api/joboptions.h"

/* Refuses options that contradict each other. */
int pw_job_pace_plan(const struct pw_job_options *o, struct pw_err *err);
/* For pw_dpdk_config.queue_mbps: the rate of each queue, 0 = the port is not asked. */
uint32_t pw_job_pace_queue_mbps(const struct pw_job_options *o);
/* queue_mbps: the limit that the open port holds, 0 = none. Fills the rate that software holds, and
 * how long packets that the port has taken may be on their way. */
void pw_job_pace_config(
	const struct pw_job_options *o, uint32_t queue_mbps, struct pw_send_config *cfg);
/* "none", "sw" or "hw": what holds the rate of an open port. */
const char *pw_job_pace_name(const struct pw_job_options *o, uint32_t queue_mbps);

#endif
