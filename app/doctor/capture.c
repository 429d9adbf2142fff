/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks capture.*; app/doctor/replay.c has read the capture. */
#include "app/doctor/capture.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/units.h"
#include "wire/ethernet.h"

static void check_format(const struct pw_doctor_job *job, struct pw_doctor_report *report)
{
	const struct pw_doctor_capture *c = &job->capture;
	char size[32], what[160];

	snprintf(what, sizeof(what), "%s%s%s: %s%" PRIu64 " frames, %s", c->format,
		c->packed ? ", compressed by " : "", c->packed ? c->packed : "",
		c->partly ? "more than " : "", c->n_frames,
		pw_units_size(size, sizeof(size), c->n_bytes));
	if (c->err.code) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "capture.format", "%s; %s", what, c->err.msg);
		pw_doctor_set_fix(report,
			"pagewire replay --limit %" PRIu64 " %.150s ...   # the frames before it",
			c->n_frames, job->file);
	} else if (c->n_frames == 0) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "capture.format",
			"%s; there is nothing to replay", what);
		pw_doctor_set_fix(report, "ls -l %.150s   # has the capture begun?", job->file);
	} else if (c->file_is_cut) {
		pw_doctor_add(report, PW_DOCTOR_WARN, "capture.format",
			"%s; it ends within a record, which is left out", what);
		pw_doctor_set_fix(report, "ls -l %.150s   # is it being written still?", job->file);
	} else {
		pw_doctor_add(report, PW_DOCTOR_OK, "capture.format", "%s", what);
	}
}

static void check_frames(const struct pw_doctor_job *job, struct pw_doctor_report *report)
{
	const struct pw_doctor_capture *c = &job->capture;
	const uint32_t beyond_mtu = c->any_max - (uint32_t)job->opt->mtu;
	char cut[96] = "", takes[64];

	snprintf(takes, sizeof(takes), "%u", c->any_max);
	if (c->tagged_max > c->any_max)
		snprintf(
			takes, sizeof(takes), "%u (%u with a VLAN tag)", c->any_max, c->tagged_max);
	if (c->n_cut)
		snprintf(cut, sizeof(cut),
			"; %" PRIu64 " were cut by the snap length and go as they are", c->n_cut);
	if (c->n_frames == 0) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "capture.frames", "there are none");
	} else if (c->n_other) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "capture.frames",
			"%" PRIu64 " of %" PRIu64
			" frames are no Ethernet frames: the first one is "
			"of link type %u, %s",
			c->n_other, c->n_frames, c->other_link, c->other_name);
		if (pw_ethernet_replaces(c->other_link))
			pw_doctor_set_fix(
				report, "pagewire replay --ethernet DST,SRC %.150s ...", job->file);
		else
			pw_doctor_set_fix(report, "# capture on an Ethernet interface");
	} else if (c->n_long) {
		pw_doctor_add(report, PW_DOCTOR_WARN, "capture.frames",
			"%s%" PRIu64 " frames are too long for --mtu %" PRIu64
			", which takes %s bytes, and would be skipped; the longest has %u%s",
			c->partly ? "more than " : "", c->n_long, job->opt->mtu, takes, c->len_max,
			cut);
		pw_doctor_set_fix(report, "pagewire replay --mtu %u %.150s ...",
			c->len_max - beyond_mtu, job->file);
	} else {
		pw_doctor_add(report, PW_DOCTOR_OK, "capture.frames",
			"Ethernet, up to %u bytes; --mtu %" PRIu64 " takes %s%s", c->len_max,
			job->opt->mtu, takes, cut);
	}
}

static void check_pages(const struct pw_doctor_job *job, struct pw_doctor_report *report)
{
	const struct pw_doctor_capture *c = &job->capture;
	const char *name = pw_pages_name(job->pages);

	if (!job->has_port) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "capture.pages", "depends on the port");
	} else if (c->plan_err.code) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "capture.pages", "%s", c->plan_err.msg);
		pw_doctor_set_fix(report, "pagewire replay --help");
	} else if (job->pages == PW_PAGES_STREAM && c->packed) {
		pw_doctor_add(report, PW_DOCTOR_OK, "capture.pages",
			"stream: decompressed into a ring, the one copy of each byte; frames leave "
			"from there");
	} else if (job->pages == PW_PAGES_STREAM) {
		pw_doctor_add(report, PW_DOCTOR_OK, "capture.pages",
			"stream: read from the disk into a ring ahead of the port; frames leave "
			"from there");
	} else if (job->pages == PW_PAGES_STAGE) {
		pw_doctor_add(report, PW_DOCTOR_OK, "capture.pages",
			"stage: read into EAL memory first; frames leave from there");
	} else {
		pw_doctor_add(report, PW_DOCTOR_OK, "capture.pages",
			"%s: frames leave in place, from the capture's own pages; %s", name,
			job->traits->copy_why);
	}
}

void pw_doctor_check_capture(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	static const char *const ids[] = {"capture.format", "capture.frames", "capture.pages"};
	size_t i;

	(void)host;
	if (job->capture.format[0]) {
		check_format(job, report);
		check_frames(job, report);
		check_pages(job, report);
		return;
	}
	for (i = 0; i < PW_ARRAY_LEN(ids); i++)
		pw_doctor_add(report, PW_DOCTOR_SKIP, ids[i], "FILE is no capture");
}
