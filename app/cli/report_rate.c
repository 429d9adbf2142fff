/* SPDX-License-Identifier: BSD-3-Clause */
/* Prints how well --rate was held: the rate achieved, the time lost, the gaps between bursts. */
#include <inttypes.h>
#include <stdio.h>

#include "api/jobpace.h"
#include "app/cli/report_send.h"
#include "base/units.h"

#define LATE_SHARE 0.001 /* of the time: less lost time is not reported */

static double seconds(const struct pw_job *job)
{
	return (double)job->result.data_ns / 1e9;
}

static double per_second(const struct pw_job *job, uint64_t n)
{
	const double s = seconds(job);

	return s > 0 ? (double)n / s : 0;
}

/* Bits that the rate applies to: since its start where the sender holds it, else of the session. */
static uint64_t held_bits(const struct pw_job *job, const struct pw_tx_counters *c)
{
	return job->result.pace.on ? job->result.pace.bits : 8 * c->wire_bytes;
}

static uint64_t held_packets(const struct pw_job *job, const struct pw_tx_counters *c)
{
	return job->result.pace.on ? job->result.pace.packets : c->packets;
}

static void print_port(const struct pw_job *job)
{
	const unsigned int n = pw_job_n_queues(job->opt);

	printf("; held by the port, %u Mbit/s", job->info.queue_mbps);
	if (n > 1)
		printf(" on each of %u queues", n);
}

void pw_send_rate_human(const struct pw_job *job, const struct pw_tx_counters *c)
{
	const struct pw_pace *p = &job->result.pace;
	const enum pw_rate_unit unit = job->opt->set.rate.unit;
	const double late = p->late_ns / 1e9;
	char asked[32], got[32];

	if (unit == PW_RATE_NONE || job->result.data_ns == 0)
		return;
	if (unit == PW_RATE_AUTO)
		printf("rate: auto, achieved %s of Ethernet frames",
			pw_units_bitrate(got, sizeof(got), per_second(job, held_bits(job, c))));
	else if (unit == PW_RATE_BPS)
		printf("rate: asked %s, achieved %s of Ethernet frames",
			pw_units_bitrate(asked, sizeof(asked), job->opt->set.rate.value),
			pw_units_bitrate(got, sizeof(got), per_second(job, held_bits(job, c))));
	else
		printf("rate: asked %s, achieved %s",
			pw_units_pps(asked, sizeof(asked), job->opt->set.rate.value),
			pw_units_pps(got, sizeof(got), per_second(job, held_packets(job, c))));
	if (job->info.queue_mbps)
		print_port(job);
	if (late > LATE_SHARE * seconds(job))
		printf("; %.1f %% of the time was lost: the sender was held up, or its port full",
			100 * late / seconds(job));
	putchar('\n');
}

void pw_send_gaps_human(const struct pw_job *job)
{
	const struct pw_pace *p = &job->result.pace;
	char from[32], to[32];
	unsigned int i;

	if (!p->on)
		return;
	puts("gaps between bursts:");
	for (i = 0; i < PW_PACE_GAPS; i++)
		if (p->gaps[i])
			printf("  %8s to %-8s %12" PRIu64 "\n",
				pw_units_duration(from, sizeof(from), i ? 1ull << i : 0),
				pw_units_duration(to, sizeof(to), 2ull << i), p->gaps[i]);
}

static json_t *gaps_json(const struct pw_pace *p)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < PW_PACE_GAPS; i++)
		if (p->gaps[i])
			json_array_append_new(list,
				json_pack("{s:I, s:I, s:I}", "from_ns",
					(json_int_t)(i ? 1ull << i : 0), "to_ns",
					(json_int_t)(2ull << i), "bursts", (json_int_t)p->gaps[i]));
	return list;
}

json_t *pw_send_rate_json(const struct pw_job *job, const struct pw_tx_counters *c)
{
	static const char *const units[] = {"none", "bps", "pps", "auto"};
	const struct pw_pace *p = &job->result.pace;
	const struct pw_rate *rate = &job->opt->set.rate;
	json_t *o = json_pack("{s:{s:s, s:f}, s:f, s:s}", "rate_asked", "unit", units[rate->unit],
		"value", rate->value, "rate_achieved_bps", per_second(job, held_bits(job, c)),
		"pacing", pw_job_pace_name(job->opt, job->info.queue_mbps));

	if (rate->unit != PW_RATE_NONE)
		json_object_set_new(
			o, "rate_achieved_pps", json_real(per_second(job, held_packets(job, c))));
	if (job->info.queue_mbps)
		json_object_set_new(
			o, "queue_rate_mbps", json_integer((json_int_t)job->info.queue_mbps));
	if (p->on)
		json_object_update_new(o, json_pack("{s:f, s:o}", "rate_late_seconds",
						  p->late_ns / 1e9, "burst_gaps", gaps_json(p)));
	return o;
}
