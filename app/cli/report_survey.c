/* SPDX-License-Identifier: BSD-3-Clause */
/* Prints the statistics of a capture, as text and as JSON. */
#include "app/cli/report_survey.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "app/cli/cli.h"
#include "base/units.h"

#define NS_PER_S 1000000000ll

/* ISO 8601 in UTC; the number of nanoseconds since 1970 if no calendar has the year. */
static const char *time_text(char *buf, size_t len, int64_t ns)
{
	const int64_t part = (ns % NS_PER_S + NS_PER_S) % NS_PER_S;
	const time_t s = (time_t)(ns / NS_PER_S - (ns % NS_PER_S < 0));
	char day[32];
	struct tm tm;

	if (gmtime_r(&s, &tm) && strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm))
		snprintf(buf, len, "%s.%09" PRId64 "Z", day, part);
	else
		snprintf(buf, len, "%" PRId64 " ns", ns);
	return buf;
}

static void print_times(const struct pw_capture_stats *s)
{
	char first[64], last[64], rate[32], pps[32], back[32];

	if (s->n_timed == 0)
		return;
	printf("times: %s to %s, %.9f s\n", time_text(first, sizeof(first), s->earliest_ns),
		time_text(last, sizeof(last), s->latest_ns),
		(double)pw_capture_stats_duration_ns(s) / 1e9);
	printf("peak in 1 ms: %s, %s\n",
		pw_units_bitrate(rate, sizeof(rate), pw_capture_stats_peak_bps(s)),
		pw_units_pps(pps, sizeof(pps), pw_capture_stats_peak_pps(s)));
	if (s->n_backwards)
		printf("times run backwards: %" PRIu64 " frames, by %s at most\n", s->n_backwards,
			pw_units_duration(back, sizeof(back), s->backwards_max_ns));
	if (s->n_timed < s->n_frames)
		printf("frames without a time: %" PRIu64 "\n", s->n_frames - s->n_timed);
}

static void print_sizes(const struct pw_capture_stats *s)
{
	unsigned c;

	if (s->n_frames == 0)
		return;
	printf("lengths: %u to %u bytes, mean %.1f\n", s->len_min, s->len_max,
		(double)s->n_wire_bytes / (double)s->n_frames);
	printf("sizes (with check sequence):");
	for (c = 0; c < PW_SIZE_N_CLASSES; c++)
		if (s->n_by_size[c])
			printf(" [%s] %" PRIu64, pw_size_class_name((enum pw_size_class)c),
				s->n_by_size[c]);
	putchar('\n');
}

void pw_survey_report_human(const struct pw_survey *v)
{
	const struct pw_capture_stats *s = &v->stats;
	char size[32];

	if (v->interrupted)
		printf("interrupted: these are the figures so far\n");
	printf("frames: %" PRIu64 ", %" PRIu64 " bytes (%s) on the wire, %" PRIu64 " in the file\n",
		s->n_frames, s->n_wire_bytes, pw_units_size(size, sizeof(size), s->n_wire_bytes),
		s->n_bytes);
	print_times(s);
	print_sizes(s);
	printf("flows: %s%" PRIu64 "\n", s->flows_more ? "more than " : "", s->n_flows);
	if (s->n_cut)
		printf("cut by the snap length: %" PRIu64 " frames\n", s->n_cut);
	if (v->other_time)
		printf("outside of --from-time and --to-time: %" PRIu64 " frames\n", v->other_time);
	if (v->filtered)
		printf("do not match --filter: %" PRIu64 " frames\n", v->filtered);
	if (v->n_other)
		printf("%s: %" PRIu64 " frames of a link type other than Ethernet, the first "
		       "one's is %u (%s)\n",
			pw_ethernet_replaces(v->other_link) ? "need --ethernet" : "cannot be sent",
			v->n_other, v->other_link, pw_link_name(v->other_link));
	if (v->file_is_cut)
		printf("the capture ends within a record\n");
}

static json_t *times_json(const struct pw_capture_stats *s)
{
	if (s->n_timed == 0)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "first_ns",
		(json_int_t)s->earliest_ns, "last_ns", (json_int_t)s->latest_ns, "duration_ns",
		(json_int_t)pw_capture_stats_duration_ns(s), "timed", (json_int_t)s->n_timed,
		"backwards", (json_int_t)s->n_backwards, "backwards_max_ns",
		(json_int_t)s->backwards_max_ns, "peak_bps", pw_capture_stats_peak_bps(s),
		"peak_pps", pw_capture_stats_peak_pps(s));
}

void pw_survey_report_json(const struct pw_survey *v, int code)
{
	const struct pw_capture_stats *s = &v->stats;
	json_t *o = pw_cli_json_result("pagewire.capture/1", code), *sizes = json_object();
	unsigned c;

	for (c = 0; c < PW_SIZE_N_CLASSES; c++)
		json_object_set_new(sizes, pw_size_class_name((enum pw_size_class)c),
			json_integer((json_int_t)s->n_by_size[c]));
	json_object_update_new(
		o, json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "interrupted",
			   v->interrupted, "frames", (json_int_t)s->n_frames, "bytes",
			   (json_int_t)s->n_wire_bytes, "file_bytes", (json_int_t)s->n_bytes, "cut",
			   (json_int_t)s->n_cut, "length_min", (json_int_t)s->len_min, "length_max",
			   (json_int_t)s->len_max, "file_is_cut", v->file_is_cut));
	json_object_update_new(
		o, json_pack("{s:I, s:b, s:I}", "flows", (json_int_t)s->n_flows, "more_flows",
			   s->flows_more, "not_ethernet", (json_int_t)v->n_other));
	json_object_set_new(o, "other_time", json_integer((json_int_t)v->other_time));
	json_object_set_new(o, "filtered", json_integer((json_int_t)v->filtered));
	json_object_set_new(o, "sizes", sizes);
	json_object_set_new(o, "times", times_json(s));
	pw_cli_print_json(o);
}
