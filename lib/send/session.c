/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs a session: passes over the files, group by group. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "file/guard.h"
#include "send/session_private.h"

#define NEWS_COPIES     3 /* of a table that brings digests */
#define NEWS_GAP_NS     2000000ull
#define HELD_GAP_NS     50000ull  /* between two checks of what the paths still hold */
#define READER_GAP_NS   200000ull /* between two checks whether the digests are there */
#define SYMBOL_MULTIPLE 32
#define TOLD_TABLES     3 /* any of them may be lost */

uint32_t pw_send_symbol_for_mtu(const struct pw_flow *flow, uint32_t mtu, bool wide)
{
	struct pw_alc_hdr hdr = {0};
	uint32_t overhead = pw_frame_l3_overhead(flow) + (uint32_t)pw_alc_len(&hdr, wide);

	if (mtu <= overhead + SYMBOL_MULTIPLE)
		return 0;
	return (uint32_t)pw_align_down(mtu - overhead, SYMBOL_MULTIPLE);
}

static void note_pages(struct pw_send_result *res, const struct pw_window *w)
{
	if (res->pages == PW_PAGES_AUTO || res->page_bytes == 0) {
		res->pages = w->pages;
		res->page_bytes = w->len_bytes ? w->page_bytes : 0;
	}
	res->page_in_copies = (uint8_t)pw_max_u64(res->page_in_copies, w->cpu_copies);
}

static void fill_entry(
	const struct pw_send_config *cfg, struct pw_fdt_file *e, const struct pw_send_slot *slot)
{
	const bool is_late = slot->is_late || !pw_send_digests(cfg);
	const struct pw_tx_object *obj = &slot->views[0].obj;
	const struct pw_file *file = slot->file;

	*e = (struct pw_fdt_file){
		.location = file->name,
		.toi = obj->toi,
		.content_len = slot->win.len_bytes,
		.transfer_len = slot->win.len_bytes,
		.symbol_len = obj->blocks.symbol_len,
		.max_sbl = obj->blocks.max_sbl,
		.fec_id = obj->blocks.fec_id,
		.max_n = obj->blocks.fec_id ? obj->blocks.max_n : 0,
		.digest = file->digest,
		.leaves = file->leaves,
		.digest_later = is_late && file->digest.kind == PW_DIGEST_NONE,
		.md5 = file->md5,
		.has_mode = true,
		.has_mtime = true,
		.mode = file->mode,
		.mtime_ns = file->mtime_ns,
	};
}

int pw_session_build_table(struct pw_send *s, struct pw_err *err)
{
	struct pw_fdt_file entries[PW_SEND_GROUP];
	const size_t first = (size_t)(s->group.slots[0]->file - s->cfg.files->v);
	size_t i;

	for (i = 0; i < s->group.n; i++)
		fill_entry(&s->cfg, &entries[i], s->group.slots[i]);
	return pw_send_tables_build(
		&s->tables, entries, s->group.n, first, first + s->group.n == s->cfg.files->n, err);
}

int pw_session_send_table(struct pw_send *s, struct pw_err *err)
{
	const uint64_t now = pw_clock_ns();
	int r = 0;

	s->next_table_ns = now + s->cfg.set.fdt_interval_ns;
	if (pw_send_tables_is_old(&s->tables, now))
		r = pw_session_build_table(s, err);
	if (r == 0)
		r = pw_send_tables_send(&s->tables, &s->lanes.v[0], err);
	if (r == 0 && ++s->n_tables == TOLD_TABLES)
		s->told_ns = now;
	return r;
}

/* Closes the files whose packets have all come back, also behind one that waits: a lane that had little to
 * do may keep an old packet for long. */
static void close_retired(struct pw_send *s)
{
	struct pw_send_slot **link = &s->retired;

	while (*link) {
		struct pw_send_slot *slot = *link;

		if (pw_send_slot_n_out(slot)) {
			link = &slot->next;
		} else {
			*link = slot->next;
			pw_send_slot_close(slot, &s->cfg);
		}
	}
	s->retired_tail = link;
}

int pw_session_retire_group(struct pw_send *s, struct pw_err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; i < s->group.n; i++) {
		struct pw_send_slot *slot = s->group.slots[i];

		if (r == 0)
			r = pw_window_check(&slot->win, slot->file->path, err);
		slot->next = NULL;
		*s->retired_tail = slot;
		s->retired_tail = &slot->next;
	}
	pw_send_group_clear(&s->group);
	pw_send_lanes_reap(&s->lanes);
	close_retired(s);
	return r;
}

int pw_session_open_group(struct pw_send *s, size_t first, struct pw_err *err)
{
	const size_t end = pw_min_u64(first + PW_SEND_GROUP, s->cfg.files->n);
	size_t i;
	int r = 0;

	for (i = first; r == 0 && i < end; i++) {
		struct pw_send_slot *slot;

		r = pw_send_slot_open(&slot, &s->cfg, &s->lanes, i, &s->reading, err);
		if (!slot)
			return r;
		s->group.slots[s->group.n++] = slot;
		if (s->res)
			note_pages(s->res, &slot->win);
		if (r == 0 && slot->win.pages == PW_PAGES_STREAM)
			r = pw_send_reader_make_ring(s->reader, err);
	}
	s->reading = (struct pw_send_reading){0};
	return r ? r : pw_session_build_table(s, err);
}

/* Sends the table on a lane that is parked. The session's thread drives it, so it must look at the link,
 * the stop flag and the other threads' failures itself: no other thread does. */
static int announce_on(struct pw_send *s, struct pw_send_lane *lane, struct pw_err *err)
{
	int (*const own)(struct pw_send_lane *, uint64_t, uint64_t, struct pw_err *) = lane->look;
	int r;

	lane->look = pw_session_look;
	lane->owner = s;
	r = pw_send_tables_send(&s->tables, lane, err);
	lane->look = own;
	lane->owner = NULL;
	return r;
}

/* Sends the table first on every lane: packets of one queue stay in order, those of several may not. */
static int announce(struct pw_send *s, struct pw_err *err)
{
	uint32_t i;
	int r = pw_session_send_table(s, err);

	for (i = 1; r == 0 && i < s->lanes.n; i++)
		r = announce_on(s, &s->lanes.v[i], err);
	return r;
}

/* The time before the first symbol. The table goes several times in it: a receiver that misses it can place no symbol until
 * the next one, and with a way back the session would wait for it at its end. */
static int lead(struct pw_send *s, struct pw_err *err)
{
	const uint64_t parts = s->cfg.set.lead_ns || s->cfg.repair.url ? TOLD_TABLES : 1;
	uint64_t i;
	int r = pw_lane_pause(&s->lanes.v[0], s->cfg.set.lead_ns / parts, err);

	for (i = 1; r == 0 && i < parts; i++) {
		r = pw_session_send_table(s, err);
		if (r == 0)
			r = pw_lane_pause(&s->lanes.v[0], s->cfg.set.lead_ns / parts, err);
	}
	return r;
}

static int start_clock(struct pw_send *s, struct pw_err *err)
{
	int r = lead(s, err);

	s->streaming = true;
	if (s->cfg.stretch)
		s->cfg.stretch(s->cfg.stretch_ctx, true);
	s->start_ns = pw_clock_ns();
	pw_send_lanes_pace_start(&s->lanes, s->start_ns);
	return r;
}

/* Waits until the reader has the group's digests. */
static int await_reader(struct pw_send *s, struct pw_err *err)
{
	struct pw_send_lane *lane = &s->lanes.v[0];
	const uint64_t start = pw_cycles();
	int r = 0;

	pw_send_reader_hurry(s->reader);
	while (r == 0 && pw_send_reader_is_busy(s->reader)) {
		pw_send_group_give_back(&s->group, lane);
		r = pw_lane_pause(lane, READER_GAP_NS, err);
		if (r == 0)
			r = pw_session_between(lane, pw_clock_ns(), err);
	}
	lane->read_cycles += pw_cycles() - start;
	return r ? r : pw_send_lanes_failed(&s->lanes, err);
}

/* Sends the group's last table. If it has new digests it is sent several times: any packet may be lost. */
static int send_last_table(struct pw_send *s, bool last, struct pw_err *err)
{
	struct pw_send_lane *lane = &s->lanes.v[0];
	bool news = false;
	size_t i;
	int n, r = 0;

	for (i = 0; i < s->group.n; i++) {
		struct pw_send_slot *slot = s->group.slots[i];

		note_pages(s->res, &slot->win); /* a streamed file may have lost O_DIRECT */
		if (!slot->is_late)
			continue;
		slot->is_late = false;
		/* only one of them may be late: a gap manifest names the other */
		if (slot->late_digest.kind != PW_DIGEST_NONE) {
			slot->file->digest = slot->late_digest;
			slot->file->leaves = slot->late_leaves;
			slot->late_leaves = NULL;
		}
		if (slot->parity && r == 0)
			r = pw_send_parity_check(
				slot->parity, &slot->file->digest, slot->file->path, err);
		if (slot->late_md5.kind != PW_DIGEST_NONE)
			slot->file->md5 = slot->late_md5;
		news = true;
	}
	s->late_digests |= news;
	if (news && r == 0)
		r = pw_session_build_table(s, err);
	for (n = 0; r == 0 && n < (news ? NEWS_COPIES : 1); n++) {
		if (n)
			r = pw_lane_pause(lane, NEWS_GAP_NS, err);
		/* a receiver that has all it wants leaves: there is nothing to wait for */
		if (last && !lane->ops->alive(lane->path))
			return -ENOLINK;
		if (r == 0)
			r = pw_session_send_table(s, err);
	}
	return r;
}

static bool has_late_digests(const struct pw_send *s)
{
	size_t i;

	for (i = 0; i < s->group.n; i++)
		if (s->group.slots[i]->is_late)
			return true;
	return false;
}

/* Waits until the last packets have left at the rate. A path that holds the rate itself may still have a ring
 * full of them. Not all drivers give the last ones back by themselves, so this takes drain_ns at most. */
static int await_rate(struct pw_send *s, struct pw_err *err)
{
	struct pw_send_lane *lane = &s->lanes.v[0];
	const uint64_t start = pw_cycles(), end = pw_clock_ns() + s->cfg.drain_ns;
	int r = 0;

	if (s->streaming && s->cfg.drain_ns) {
		while (r == 0 && pw_clock_ns() < end && pw_send_lanes_outstanding(&s->lanes) > 0) {
			r = pw_lane_pause(lane, HELD_GAP_NS, err);
			pw_send_lanes_reap(&s->lanes);
		}
		lane->pace_cycles += pw_cycles() - start;
	} else if (s->streaming) {
		r = pw_lane_await_rate(lane, err);
	}
	return r;
}

/* Called once, after the last symbol: the digests and tables that follow are not part of data_ns. */
static void stop_clock(struct pw_send *s)
{
	if (!s->streaming || s->res->data_ns)
		return;
	s->res->data_ns = pw_clock_ns() - s->start_ns;
	s->again_from = pw_send_lanes_bytes(&s->lanes);
	pw_send_lanes_account(&s->lanes, s->res);
	if (s->cfg.stretch)
		s->cfg.stretch(s->cfg.stretch_ctx, false);
}

int pw_session_send_group(struct pw_send *s, bool last, struct pw_err *err)
{
	bool reads;
	uint32_t i;
	int r = pw_session_look(&s->lanes.v[0], pw_clock_ns(), 0, err);

	for (i = 0; i < s->lanes.n; i++)
		s->lanes.v[i].work_item = 0;
	s->n_repeats = 0;
	s->group_from = pw_send_lanes_bytes(&s->lanes);
	if (r == 0)
		r = pw_send_group_plan(&s->group, s->pass - 1, s->lanes.n, &reads, err);
	if (r == 0 && (reads || has_late_digests(s)))
		r = pw_send_reader_start(s->reader, err);
	if (r == 0)
		r = announce(s, err);
	if (r == 0 && !s->streaming)
		r = start_clock(s, err);
	if (r == 0)
		r = pw_send_lanes_run(&s->lanes, &s->group.source, err);
	if (r == 0 && last) {
		r = await_rate(s, err);
		stop_clock(s);
	}
	if (r == 0)
		r = await_reader(s, err);
	pw_send_reader_stop(s->reader);
	if (r == 0)
		r = send_last_table(s, last, err);
	/* all symbols have gone: the receiver may have left */
	return r == -ENOLINK && last && s->res->data_ns ? 0 : r;
}

static int send_pass(struct pw_send *s, struct pw_err *err)
{
	const uint64_t sent = pw_send_lanes_bytes(&s->lanes);
	const size_t n = s->cfg.files->n;
	size_t first;
	int r = 0;

	for (first = 0; r == 0 && first < n; first += PW_SEND_GROUP) {
		/* a single group stays open over all passes */
		if (n > PW_SEND_GROUP || s->group.n == 0) {
			r = pw_session_retire_group(s, err);
			if (r == 0)
				r = pw_session_open_group(s, first, err);
		}
		if (r == 0)
			r = pw_session_send_group(
				s, s->pass == s->cfg.set.loops && first + PW_SEND_GROUP >= n, err);
	}
	/* if all files are empty, repeated passes would only flood the network with file tables */
	if (r == 0 && pw_send_lanes_bytes(&s->lanes) == sent && s->pass != s->cfg.set.loops) {
		const uint64_t start = pw_cycles();

		r = pw_lane_pause(&s->lanes.v[0], s->cfg.set.fdt_interval_ns, err);
		s->lanes.v[0].pace_cycles += pw_cycles() - start;
	}
	return r;
}

int pw_send_create(struct pw_send **out, const struct pw_send_config *cfg, struct pw_err *err)
{
	struct pw_send *s;
	int r = pw_guard_init(err);

	if (r)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s)
		return pw_err_set(err, ENOMEM, "cannot send: out of memory");
	s->cfg = *cfg;
	s->retired_tail = &s->retired;
	pw_send_tables_init(&s->tables, &s->cfg);
	pw_send_group_init(&s->group, &s->cfg);
	r = pw_send_lanes_create(&s->lanes, &s->cfg, pw_session_look, pw_session_between, s, err);
	if (r == 0)
		r = pw_send_reader_create(&s->reader, &s->group, &s->lanes, err);
	if (r) {
		pw_send_destroy(s);
		return r;
	}
	*out = s;
	return 0;
}

int pw_send_run(struct pw_send *s, struct pw_send_result *result, struct pw_err *err)
{
	int r = 0;

	memset(result, 0, sizeof(*result));
	s->res = result;
	for (s->pass = 1; r == 0 && (s->cfg.set.loops == 0 || s->pass <= s->cfg.set.loops);
		s->pass++) {
		r = send_pass(s, err);
		result->passes += r == 0;
		if (r == 0 && s->cfg.set.loops == 0 && s->cfg.repair.url &&
			s->cfg.repair.ask(s->cfg.repair.ctx, true, s->told_ns) == PW_SEND_END)
			break;
	}
	if (r == 0 && s->cfg.repair.url && s->cfg.set.loops)
		r = pw_session_repair(s, err);
	s->cfg.ops->reap(s->cfg.paths[0]);
	stop_clock(s);
	if (s->group.ring)
		pw_stream_drop(s->group.ring);
	if (r == 0 && s->tables.n > 1)
		r = pw_send_tables_send_all(&s->tables, &s->lanes.v[0], err);
	if (r == -ECANCELED) {
		result->interrupted = true;
		r = 0;
		s->cfg.stopped =
			NULL; /* the packets that end the session are still sent; this is short */
	}
	if (r == 0)
		r = pw_session_close(s, err);
	if (r == 0)
		r = pw_session_retire_group(s, err);
	return r;
}

void pw_send_destroy(struct pw_send *s)
{
	size_t i;

	if (!s)
		return;
	pw_send_reader_destroy(s->reader);
	pw_send_bands_destroy(s->group.bands);
	pw_stream_destroy(s->group.ring); /* while the files are open */
	for (i = 0; i < s->group.n; i++)
		pw_send_slot_close(s->group.slots[i], &s->cfg);
	while (s->retired) {
		struct pw_send_slot *slot = s->retired;

		s->retired = slot->next;
		pw_send_slot_close(slot, &s->cfg);
	}
	pw_send_group_finish(&s->group);
	pw_send_lanes_destroy(&s->lanes);
	pw_send_tables_finish(&s->tables);
	free(s);
}
