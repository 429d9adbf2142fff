/* SPDX-License-Identifier: BSD-3-Clause */
#include "replay/survey.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "replay/input.h"
#include "wire/ethernet.h"
#include "wire/flow.h"

#define ROOM_BYTES (1u << 20) /* more than the longest frame with its headers */
#define READ_BYTES (1u << 20)
#define STOP_LOOK  4096u /* frames between two looks for a stop */

/* The capture's bytes [from, to); the last ones were read behind the room, those before them are in its end. */
struct reader {
	struct pw_replay_input in;
	struct pw_capture capture;
	bool (*stopped)(void);
	uint8_t *mem;
	uint64_t from, to;
	bool is_end;
};

static const uint8_t *at(const struct reader *r, uint64_t offset)
{
	return r->mem + ROOM_BYTES + READ_BYTES - (r->to - offset);
}

static bool is_stopped(void *ctx)
{
	const struct reader *r = ctx;

	return r->stopped && r->stopped();
}

/* Bytes from `keep_from` on stay, unless there are too many of them: then what may be looked at again. */
static int read_next(struct reader *r, uint64_t keep_from, struct pw_err *err)
{
	uint64_t keep = keep_from < r->to ? r->to - pw_max_u64(keep_from, r->from) : 0;
	ssize_t n;

	if (is_stopped(r))
		return -ECANCELED;
	if (keep > ROOM_BYTES)
		keep = PW_CAPTURE_LOOK_MAX;
	memmove(r->mem + ROOM_BYTES - keep, at(r, r->to - keep), keep);
	n = pw_replay_input_read(&r->in, r->mem + ROOM_BYTES, READ_BYTES, err);
	if (n < 0)
		return (int)n;
	r->is_end = n == 0;          /* a short read may be one before an error */
	if (n < (ssize_t)READ_BYTES) /* the data always ends where the memory does */
		memmove(r->mem + ROOM_BYTES + READ_BYTES - n - keep, r->mem + ROOM_BYTES - keep,
			keep + (size_t)n);
	r->from = r->to - keep;
	r->to += (uint64_t)n;
	return 0;
}

static int view(
	void *ctx, uint64_t offset, size_t len, struct pw_capture_view *v, struct pw_err *err)
{
	struct reader *r = ctx;

	while (offset + len > r->to) {
		int e;

		if (offset + len < offset || r->is_end)
			return 0;
		e = read_next(r, pw_min_u64(offset, r->capture.at), err);
		if (e)
			return e;
	}
	*v = (struct pw_capture_view){at(r, r->from), r->from, r->to};
	return 1;
}

/* The flow of a frame that is an Ethernet frame or can become one, with MACs of zeros. False: it has none. */
static bool find_flow(const struct pw_capture_frame *f, const uint8_t *frame, uint64_t *hash)
{
	static const struct pw_ethernet no_macs;
	uint8_t head[PW_HEADERS_LOOK];
	struct pw_flow_key key;
	uint32_t len = f->len;

	if (f->link == PW_LINK_ETHERNET)
		pw_flow_key_of(&key, frame, len);
	else if (pw_ethernet_head(&no_macs, f->link, frame, len, head, &len) >= 0)
		pw_flow_key_of(&key, head, len);
	else
		return false;
	*hash = pw_flow_hash(&key);
	return true;
}

static int count(struct pw_survey *v, const struct reader *r, const struct pw_capture_frame *f,
	struct pw_filter *filter, struct pw_err *err)
{
	struct pw_capture_seen seen = {.len = f->len,
		.full_len = f->full_len > f->len ? f->full_len : f->len,
		.has_time = f->has_time,
		.time_ns = f->time_ns};
	int e = 1;

	if (f->offset < r->from)
		return pw_err_set(err, EBADMSG,
			"cannot read %s: the block of frame %" PRIu64 " is longer than 1 MiB",
			r->in.path, r->capture.n_frames);
	if (filter)
		e = pw_filter_match(filter, f, at(r, f->offset), err);
	v->filtered += e == 0;
	if (e <= 0)
		return e;
	seen.has_flow = find_flow(f, at(r, f->offset), &seen.flow_hash);
	if (f->link != PW_LINK_ETHERNET && v->n_other++ == 0)
		v->other_link = f->link;
	pw_capture_stats_add(&v->stats, &seen);
	return 0;
}

static int read_frames(struct pw_survey *v, struct reader *r, const struct pw_scan_settings *set,
	struct pw_err *err)
{
	struct pw_capture_frame f;
	struct pw_span_first first = {0};
	uint64_t seen = 0;
	bool in_span;
	int e = 1;

	while (!set->limit || v->stats.n_frames < set->limit) {
		e = pw_capture_next(&r->capture, &f, err);
		if (e > 0 && ++seen % STOP_LOOK == 0 && is_stopped(r))
			e = -ECANCELED;
		if (e <= 0)
			break;
		in_span = pw_span_has(&set->span, &first, f.has_time, f.time_ns);
		v->other_time += !in_span && seen > set->skip;
		if (in_span && seen > set->skip)
			e = count(v, r, &f, set->filter, err);
		if (e < 0)
			break;
	}
	v->file_is_cut = r->capture.is_cut;
	return e < 0 ? e : 0;
}

static int survey(struct pw_survey *v, struct reader *r, const char *path,
	const struct pw_scan_settings *set, struct pw_err *err)
{
	const struct pw_capture_source source = {.view = view, .ctx = r, .path = path};
	int e;

	r->mem = aligned_alloc(PW_FILEREADER_ALIGN, ROOM_BYTES + READ_BYTES);
	if (!r->mem)
		return pw_err_set(err, ENOMEM, "cannot read %s: out of memory", path);
	e = pw_replay_input_open(&r->in, path, is_stopped, r, err);
	if (e == 0)
		e = pw_capture_open(&r->capture, &source, err);
	return e ? e : read_frames(v, r, set, err);
}

int pw_survey_run(struct pw_survey *v, const char *path, const struct pw_scan_settings *set,
	bool (*stopped)(void), struct pw_err *err)
{
	struct reader r = {.stopped = stopped, .in.fd = -1};
	int e;

	*v = (struct pw_survey){0};
	e = pw_capture_stats_init(&v->stats, err);
	if (e)
		return e;
	e = survey(v, &r, path, set, err);
	pw_capture_stats_end(&v->stats);
	pw_capture_finish(&r.capture);
	pw_replay_input_close(&r.in);
	free(r.mem);
	v->interrupted = e == -ECANCELED;
	return v->interrupted ? 0 : e;
}

void pw_survey_finish(struct pw_survey *v)
{
	pw_capture_stats_finish(&v->stats);
}
