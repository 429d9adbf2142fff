/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads a capture: its header, the statistics of `replay --dry-run`, and replay's plan for the port. */
#include "app/doctor/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/replayjob.h"
#include "base/bytes.h"
#include "replay/input.h"
#include "replay/ring.h"
#include "replay/survey.h"

#define HEAD_BYTES PW_FILEREADER_ALIGN /* more than a pcap's header, or a pcapng's first block's */
#define LOOK_MAX   1000000u            /* frames: about a second */

struct head {
	uint8_t *bytes; /* the first ones, uncompressed */
	size_t len;
};

static int view(
	void *ctx, uint64_t offset, size_t len, struct pw_capture_view *v, struct pw_err *err)
{
	const struct head *h = ctx;

	(void)err;
	if (offset + len > h->len)
		return 0;
	*v = (struct pw_capture_view){h->bytes, 0, h->len};
	return 1;
}

static void name_format(const struct head *h, const char *path, struct pw_doctor_capture *c)
{
	const struct pw_capture_source source = {.view = view, .ctx = (void *)h, .path = path};
	static const uint8_t section[] = {0x0a, 0x0d, 0x0d, 0x0a};
	struct pw_capture capture = {0};
	bool is_ng = h->len > sizeof(section) && !memcmp(h->bytes, section, sizeof(section));
	struct pw_err err;

	if (pw_capture_open(&capture, &source, &err) == 0)
		snprintf(c->format, sizeof(c->format), "%s%s",
			is_ng                      ? "pcapng"
			: capture.unit_ns == 1     ? "pcap with nanoseconds"
			: capture.header_len != 16 ? "Kuznetzov's pcap"
						   : "pcap",
			capture.swapped ? ", of the other byte order" : "");
	pw_capture_finish(&capture);
}

/* Whether the file begins as a capture does. An error is none of a capture. */
static void look_at_head(const char *path, struct pw_doctor_capture *c)
{
	struct pw_replay_input in = {.fd = -1};
	struct head h = {.bytes = aligned_alloc(PW_FILEREADER_ALIGN, HEAD_BYTES)};
	enum pw_unpack_kind kind;
	struct pw_err err;
	ssize_t n = -1;

	if (h.bytes && pw_replay_input_kind(path, &kind, &err) == 0 &&
		pw_replay_input_open(&in, path, NULL, NULL, &err) == 0)
		n = pw_replay_input_read(&in, h.bytes, HEAD_BYTES, &err);
	if (n > 0) {
		h.len = (size_t)n;
		name_format(&h, path, c);
		c->packed = kind == PW_UNPACK_PLAIN ? NULL : pw_unpack_kind_name(kind);
	}
	pw_replay_input_close(&in);
	free(h.bytes);
}

/* Frames that are too long; of a capture that the first look has seen whole. */
static void count_long(const char *path, struct pw_doctor_capture *c)
{
	struct pw_scan_settings set = PW_SCAN_SETTINGS_DEFAULT;
	struct pw_survey v = {0};
	struct pw_err err;
	char text[96];

	c->n_long = c->len_max > c->tagged_max;
	if (c->len_max <= c->any_max || c->partly)
		return;
	snprintf(text, sizeof(text), "greater %u and (greater %u or not ether[12:2] = 0x8100)",
		c->any_max + 1, c->tagged_max + 1);
	if (pw_filter_create(&set.filter, text, &err))
		return;
	if (pw_survey_run(&v, path, &set, NULL, &err) == 0)
		c->n_long = v.stats.n_frames;
	pw_survey_finish(&v);
	pw_filter_destroy(set.filter);
}

static void look_at_frames(const char *path, struct pw_doctor_capture *c)
{
	struct pw_scan_settings set = PW_SCAN_SETTINGS_DEFAULT;
	struct pw_survey v = {0};

	set.limit = LOOK_MAX;
	pw_survey_run(&v, path, &set, NULL, &c->err);
	c->n_frames = v.stats.n_frames;
	c->n_bytes = v.stats.n_bytes;
	c->n_cut = v.stats.n_cut;
	c->len_max = v.stats.len_max;
	c->partly = v.stats.n_frames == LOOK_MAX;
	c->file_is_cut = v.file_is_cut;
	c->n_other = v.n_other;
	c->other_link = v.other_link;
	c->other_name = pw_link_name(v.other_link);
	pw_survey_finish(&v);
	count_long(path, c);
}

static void plan(struct pw_doctor_job *job)
{
	struct pw_replayjob_options o = PW_REPLAYJOB_OPTIONS_DEFAULT;
	struct pw_replayjob r = {.opt = &o};
	bool usage;

	o.ports = &job->opt->port;
	o.n_ports = 1;
	o.port.mtu = (uint32_t)job->opt->mtu;
	if (pw_replayjob_plan(&r, job->file, &usage, &job->capture.plan_err))
		return;
	job->pages = r.pages;
	if (r.pages == PW_PAGES_STREAM)
		job->stage_bytes = pw_dpdk_stage_bytes(pw_replay_ring_memory(o.stream_bytes));
	else if (r.pages == PW_PAGES_STAGE)
		job->stage_bytes = pw_dpdk_stage_bytes(pw_dpdk_stage_file_bytes(r.len_bytes));
	else
		job->stage_bytes = 0;
}

void pw_doctor_read_capture(struct pw_doctor_job *job)
{
	struct pw_doctor_capture *c = &job->capture;
	struct pw_scan_max max;

	if (!job->file || job->file_err.code || job->file_is_dir)
		return;
	look_at_head(job->file, c);
	if (!c->format[0])
		return;
	max = pw_replay_frame_max((uint32_t)job->opt->mtu, job->has_port && job->traits->needs_tag);
	c->any_max = max.any;
	c->tagged_max = max.tagged;
	look_at_frames(job->file, c);
	if (job->has_port)
		plan(job);
}
