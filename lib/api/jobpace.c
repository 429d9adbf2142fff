/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks --rate, --pacing and --burst-limit, and shares the rate between port and sender. */
#include "api/jobpace.h"

#include <errno.h>

#include "base/clock.h"

#define FRAME_MORE 18u /* Ethernet header and 802.1Q, on top of the MTU */

int pw_job_pace_plan(const struct pw_job_options *o, struct pw_err *err)
{
	const bool rate = o->set.rate.unit != PW_RATE_NONE;

	if (o->set.burst_limit && !rate)
		return pw_err_set(err, EINVAL,
			"cannot use --burst-limit: it bounds the bursts of a --rate; give a "
			"--rate");
	if (o->pacing != PW_PACING_HW)
		return 0;
	if (o->set.rate.unit == PW_RATE_AUTO)
		return pw_err_set(err, EINVAL,
			"cannot use --pacing hw with --rate auto: a port's limit does not change "
			"while it sends; use --pacing sw");
	if (!rate)
		return pw_err_set(err, EINVAL,
			"cannot use --pacing hw: there is no rate to hold; give a --rate");
	if (o->set.burst_limit)
		return pw_err_set(err, EINVAL,
			"cannot use --burst-limit with --pacing hw: it bounds the bursts of "
			"--pacing "
			"sw; leave out one of them");
	if (o->set.rate.unit == PW_RATE_PPS)
		return pw_err_set(err, EINVAL,
			"cannot use --pacing hw with packets/s: a port counts bits; give --rate in "
			"bit/s, or --pacing sw");
	if (pw_pace_queue_mbps(&o->set.rate, pw_job_n_queues(o)) == 0)
		return pw_err_set(err, EINVAL,
			"cannot use --pacing hw: it holds 1 Mbit/s and more on each of %u queues; "
			"raise --rate, or use --pacing sw",
			pw_job_n_queues(o));
	return 0;
}

uint32_t pw_job_pace_queue_mbps(const struct pw_job_options *o)
{
	return o->pacing == PW_PACING_SW || o->set.burst_limit
		       ? 0
		       : pw_pace_queue_mbps(&o->set.rate, pw_job_n_queues(o));
}

void pw_job_pace_config(
	const struct pw_job_options *o, uint32_t queue_mbps, struct pw_send_config *cfg)
{
	const uint64_t n_descs = pw_dpdk_descs(o->port.queue_size);

	if (o->set.rate.unit == PW_RATE_AUTO)
		cfg->set.rate = (struct pw_rate){PW_RATE_BPS, PW_RATECTL_START_BPS};
	cfg->drain_ns = 0;
	if (queue_mbps == 0)
		return;
	cfg->set.rate = (struct pw_rate){.unit = PW_RATE_NONE};
	cfg->drain_ns = n_descs * (o->port.mtu + FRAME_MORE) * 8 * 1000 / queue_mbps;
}

const char *pw_job_pace_name(const struct pw_job_options *o, uint32_t queue_mbps)
{
	if (o->set.rate.unit == PW_RATE_NONE)
		return "none";
	return queue_mbps ? "hw" : "sw";
}
