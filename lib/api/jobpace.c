/* SPDX-License-Identifier: BSD-3-Clause */
#include "api/jobpace.h"

#include <errno.h>

#include "base/clock.h"

#define FRAME_MORE 18u /* Ethernet header and 802.1Q, on top of the MTU */

static uint32_t n_queues(const struct pw_job_options *o)
{
	return o->queues ? (uint32_t)o->queues : 1;
}

int pw_job_pace_plan(const struct pw_job_options *o, struct pw_err *err)
{
	const bool rate = o->rate.unit != PW_RATE_NONE;

	if (o->burst_limit && !rate)
		return pw_err_set(
			err, EINVAL, "--burst-limit bounds the bursts of a --rate; give one");
	if (o->pacing != PW_JOB_PACING_HW)
		return 0;
	if (!rate)
		return pw_err_set(err, EINVAL, "--pacing hw holds a --rate; give one");
	if (o->burst_limit)
		return pw_err_set(err, EINVAL,
			"--burst-limit bounds the bursts of --pacing sw; leave out one of them");
	if (o->rate.unit == PW_RATE_PPS)
		return pw_err_set(err, EINVAL,
			"--pacing hw holds bit/s, not packets/s: a port counts bits; give --rate "
			"in bit/s, or --pacing sw");
	if (pw_pace_queue_mbps(&o->rate, n_queues(o)) == 0)
		return pw_err_set(err, EINVAL,
			"--pacing hw holds 1 Mbit/s and more on each of %u queues; raise --rate, "
			"or "
			"use --pacing sw",
			n_queues(o));
	return 0;
}

uint32_t pw_job_pace_queue_mbps(const struct pw_job_options *o)
{
	return o->pacing == PW_JOB_PACING_SW || o->burst_limit
		       ? 0
		       : pw_pace_queue_mbps(&o->rate, n_queues(o));
}

void pw_job_pace_config(const struct pw_job *job, struct pw_send_config *cfg)
{
	const struct pw_job_options *o = job->opt;
	const uint64_t n_descs = pw_dpdk_descs(o->queue_size);

	cfg->set.rate = o->rate;
	cfg->set.burst_limit = o->burst_limit;
	cfg->drain_ns = 0;
	if (job->info.queue_mbps == 0)
		return;
	cfg->set.rate = (struct pw_rate){.unit = PW_RATE_NONE};
	cfg->drain_ns = n_descs * (o->mtu + FRAME_MORE) * 8 * 1000 / job->info.queue_mbps;
}

const char *pw_job_pace_name(const struct pw_job *job)
{
	if (job->opt->rate.unit == PW_RATE_NONE)
		return "none";
	return job->info.queue_mbps ? "hw" : "sw";
}
