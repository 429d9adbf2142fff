/* SPDX-License-Identifier: BSD-3-Clause */
#include "send/send.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "file/digest.h"
#include "file/guard.h"
#include "send/lanes.h"
#include "send/send_private.h"

#define READ_STEP       (64ull << 20) /* bytes between two looks at the stop flag */
#define NEWS_COPIES     3
#define NEWS_GAP_NS     2000000ull
#define SYMBOL_MULTIPLE 32
#define NARROW_MAX      65535 /* 16-bit TSI and TOI */

uint32_t pw_send_symbol_for_mtu(const struct pw_flow *flow, uint32_t mtu, bool wide)
{
	struct pw_alc_hdr hdr = {0};
	uint32_t overhead = pw_frame_l3_overhead(flow) + (uint32_t)pw_alc_len(&hdr, wide);

	if (mtu <= overhead + SYMBOL_MULTIPLE)
		return 0;
	return (uint32_t)pw_align_down(mtu - overhead, SYMBOL_MULTIPLE);
}

/* One CPU read of the file, before its first symbol, so that the FDT can name the digest. */
static int digest_file(struct pw_send *s, struct pw_send_slot *slot, enum pw_digest_kind kind,
	struct pw_digest *out, struct pw_err *err)
{
	struct pw_digest_state *st;
	uint64_t sent = s->bytes_done;
	uint32_t i;
	int r = pw_digest_create(&st, kind, err);

	for (i = 0; r == 0 && i < slot->win.n_extents; i++) {
		const struct pw_extent *run = &slot->win.extents[i];
		uint64_t done, step;

		for (done = 0; r == 0 && done < run->len_bytes; done += step) {
			step = pw_min_u64(READ_STEP, run->len_bytes - done);
			pw_digest_update(st, run->va + done, step);
			s->bytes_done = run->offset + done + step;
			r = pw_send_look(s, pw_clock_ns(), PW_SEND_READING, err);
		}
	}
	s->bytes_done = sent;
	if (r == 0)
		pw_digest_final(st, out);
	pw_digest_destroy(st);
	return r;
}

/* From disk, or just into our page table: before the file goes, so that no burst waits for it. */
static int bring_in(struct pw_send *s, struct pw_send_slot *slot, struct pw_err *err)
{
	const uint64_t len = slot->win.len_bytes, sent = s->bytes_done;
	uint64_t done, step;
	int r = 0;

	for (done = 0; r == 0 && done < len; done += step) {
		step = pw_min_u64(READ_STEP, len - done);
		r = pw_window_populate(&slot->win, done, step, slot->file->path, err);
		s->bytes_done = done + step;
		if (r == 0)
			r = pw_send_look(s, pw_clock_ns(), PW_SEND_READING, err);
	}
	s->bytes_done = sent;
	return r;
}

void pw_send_templates(
	const struct pw_send *s, const struct pw_flow *flow, struct pw_tx_object *obj)
{
	struct pw_alc_hdr hdr = {
		.tsi = s->cfg.tsi, .toi = obj->toi, .codepoint = PW_FEC_ID_NO_CODE};
	uint8_t alc[PW_ALC_HDR_MAX];
	size_t alc_len = pw_alc_build(alc, &hdr, s->wide);

	pw_frame_template(
		&obj->tmpl, flow, alc, alc_len, (uint16_t)s->cfg.symbol_len, s->cfg.csum_offload);
	obj->tmpl_last = obj->tmpl;
	if (obj->blocks.n_symbols)
		pw_frame_set_payload_len(&obj->tmpl_last,
			(uint16_t)pw_blocks_symbol_bytes(&obj->blocks, obj->blocks.n_symbols - 1));
}

static int make_headers(struct pw_send *s, struct pw_send_slot *slot, struct pw_err *err)
{
	struct pw_tx_object *obj = &slot->obj;
	uint32_t max_sbl = pw_blocks_choose_max_sbl(slot->win.len_bytes, s->cfg.symbol_len);
	int r;

	if (max_sbl == 0)
		return pw_err_set(err, EFBIG,
			"send %s: %" PRIu64
			" bytes do not fit 65536 blocks of 65536 symbols; raise --symbol",
			slot->file->path, slot->win.len_bytes);
	r = pw_blocks_init(&obj->blocks, slot->win.len_bytes, s->cfg.symbol_len, max_sbl, err);
	if (r)
		return r;
	pw_send_templates(s, &s->cfg.flow, obj);
	return 0;
}

static void note_pages(struct pw_send *s, const struct pw_window *w)
{
	if (s->res->pages == PW_PAGES_AUTO || s->res->page_bytes == 0) {
		s->res->pages = w->pages;
		s->res->page_bytes = w->len_bytes ? w->page_bytes : 0;
	}
	s->res->page_in_copies = (uint8_t)pw_max_u64(s->res->page_in_copies, w->cpu_copies);
}

static int fill_slot(struct pw_send *s, struct pw_send_slot *slot, struct pw_err *err)
{
	struct pw_file *file = slot->file;
	int r;

	note_pages(s, &slot->win);
	if (slot->win.len_bytes != file->len_bytes)
		return pw_err_set(err, ESTALE,
			"send %s: it had %" PRIu64 " bytes a moment ago, now %" PRIu64
			"; send it when it rests",
			file->path, file->len_bytes, slot->win.len_bytes);
	if (!pw_pages_borrowed(slot->win.pages) && slot->win.map)
		slot->guard =
			pw_guard_add(slot->win.map, slot->win.map_bytes, slot->win.page_bytes);
	if (slot->win.populate) {
		r = bring_in(s, slot, err);
		if (r)
			return r;
	}
	if (slot->win.pages == PW_PAGES_STREAM) {
		r = pw_sendstream_open(s, slot, err);
		return r ? r : make_headers(s, slot, err);
	}
	if (s->cfg.set.digest != PW_DIGEST_NONE && file->digest.kind == PW_DIGEST_NONE) {
		r = digest_file(s, slot, s->cfg.set.digest, &file->digest, err);
		if (r)
			return r;
	}
	if (s->cfg.set.md5 && file->md5.kind == PW_DIGEST_NONE) {
		r = digest_file(s, slot, PW_DIGEST_MD5, &file->md5, err);
		if (r)
			return r;
	}
	r = make_headers(s, slot, err);
	if (r == 0)
		r = s->cfg.ops->attach(s->cfg.path, &slot->obj, err);
	return r ? r : pw_lanes_dress(s, slot, err);
}

static void free_slot(struct pw_send *s, struct pw_send_slot *slot)
{
	uint32_t n_out = pw_lanes_n_out(s, slot);

	if (slot->obj.win && (n_out || s->cfg.ops->detach(s->cfg.path, &slot->obj))) {
		pw_warn(s->cfg.log, "%s: the driver kept %u packets; its pages stay mapped",
			slot->file->path, n_out);
		return; /* better a leak than a device reading unmapped memory */
	}
	pw_guard_remove(slot->guard);
	pw_digest_destroy(slot->digest);
	pw_digest_destroy(slot->md5);
	pw_lanes_undress(slot);
	pw_window_close(&slot->win);
	free(slot);
}

static int open_slot(struct pw_send *s, size_t index, struct pw_err *err)
{
	/* templates inside are aligned to cache lines */
	struct pw_send_slot *slot = aligned_alloc(64, pw_align_up(sizeof(*slot), 64));
	int r;

	if (!slot)
		return pw_err_set(
			err, ENOMEM, "send %s: out of memory", s->cfg.files->v[index].path);
	memset(slot, 0, sizeof(*slot));
	slot->file = &s->cfg.files->v[index];
	slot->guard = -1;
	r = s->cfg.open_window(s->cfg.ctx, &slot->win, slot->file->path, err);
	if (r) {
		free(slot);
		return r;
	}
	slot->obj.win = &slot->win;
	slot->obj.toi = index + 1;
	s->group[s->n_group++] = slot;
	return fill_slot(s, slot, err);
}

/* Files whose packets have all come back are closed; in order, so the list stays short. */
static void close_retired(struct pw_send *s)
{
	while (s->retired && pw_lanes_n_out(s, s->retired) == 0) {
		struct pw_send_slot *slot = s->retired;

		s->retired = slot->next;
		if (!s->retired)
			s->retired_tail = &s->retired;
		free_slot(s, slot);
	}
}

static int retire_group(struct pw_send *s, struct pw_err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; i < s->n_group; i++) {
		struct pw_send_slot *slot = s->group[i];

		if (r == 0)
			r = pw_window_check(&slot->win, slot->file->path, err);
		slot->next = NULL;
		*s->retired_tail = slot;
		s->retired_tail = &slot->next;
	}
	s->n_group = 0;
	s->cfg.ops->reap(s->cfg.path);
	pw_lanes_reap(s);
	close_retired(s);
	return r;
}

int pw_send_open_group(
	struct pw_send *s, struct pw_send_result *res, size_t first, struct pw_err *err)
{
	size_t end = pw_min_u64(first + PW_SEND_GROUP, s->cfg.files->n);
	size_t i;
	int r = 0;

	s->res = res;
	for (i = first; r == 0 && i < end; i++)
		r = open_slot(s, i, err);
	if (r)
		return r;
	return pw_send_fdt_build(s, end == s->cfg.files->n, err);
}

/* Digests that the group's table did not have. Each packet may be lost; what comes last is said
 * again as the session is closed. */
static int send_news(struct pw_send *s, struct pw_err *err)
{
	int i, r;

	if (!s->fdt_news)
		return 0;
	s->fdt_late = true;
	r = pw_send_fdt(s, false, err);
	for (i = 1; r == 0 && i < NEWS_COPIES && !s->fdt_last; i++) {
		r = pw_send_pause(s, NEWS_GAP_NS, err);
		if (r == 0)
			r = pw_send_fdt(s, false, err);
	}
	return r;
}

static int send_group(struct pw_send *s, struct pw_err *err)
{
	size_t i;
	int r = pw_send_look(
		s, pw_clock_ns(), s->streaming ? PW_SEND_SENDING : PW_SEND_READING, err);

	if (r == 0)
		r = pw_sendstream_start(s, err);
	if (r == 0)
		r = pw_send_fdt(s, false, err);
	if (r == 0)
		r = pw_lanes_fdt(s, err);
	if (r == 0 && !s->streaming) {
		r = pw_send_pause(s, s->cfg.set.lead_ns, err);
		s->streaming = true;
		if (s->cfg.stretch)
			s->cfg.stretch(s->cfg.stretch_ctx, true);
		s->start_ns = pw_clock_ns();
		pw_pace_start(&s->pace, s->start_ns);
		s->res->busy_cycles = pw_cycles();
	}
	if (r == 0 && s->lanes)
		r = pw_lanes_symbols(s, err);
	for (i = 0; r == 0 && i < s->n_group; i++)
		if (!s->group[i]->lanes)
			r = pw_send_symbols(s, s->group[i], err);
	return r ? r : send_news(s, err);
}

static int send_pass(struct pw_send *s, struct pw_err *err)
{
	const uint64_t sent = s->bytes_done;
	const size_t n = s->cfg.files->n;
	size_t first;
	int r = 0;

	for (first = 0; r == 0 && first < n; first += PW_SEND_GROUP) {
		/* a single group stays open over all passes */
		if (n > PW_SEND_GROUP || s->n_group == 0) {
			r = retire_group(s, err);
			if (r == 0)
				r = pw_send_open_group(s, s->res, first, err);
		}
		if (r == 0)
			r = send_group(s, err);
	}
	/* a pass over nothing but empty files would only be a flood of file tables */
	if (r == 0 && s->bytes_done == sent && s->pass != s->cfg.set.loops) {
		const uint64_t start = pw_cycles();

		r = pw_send_pause(s, s->cfg.set.fdt_interval_ns, err);
		s->res->pace_cycles += pw_cycles() - start;
	}
	return r;
}

static void stop_clock(struct pw_send *s)
{
	struct pw_send_result *res = s->res;
	uint64_t spent;

	if (!s->streaming)
		return;
	spent = pw_cycles() - res->busy_cycles;
	res->data_ns = pw_clock_ns() - s->start_ns;
	res->pace = s->pace;
	res->busy_cycles =
		spent - pw_min_u64(spent, res->stall_cycles + res->pace_cycles + res->read_cycles);
	pw_lanes_account(s, res);
	if (s->cfg.stretch)
		s->cfg.stretch(s->cfg.stretch_ctx, false);
}

int pw_send_create(struct pw_send **out, const struct pw_send_config *cfg, struct pw_err *err)
{
	struct pw_send *s;
	int r = pw_guard_init(err);

	if (r)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s)
		return pw_err_set(err, ENOMEM, "send: out of memory");
	s->cfg = *cfg;
	s->wide = cfg->force_wide || cfg->tsi > NARROW_MAX || cfg->files->n >= NARROW_MAX;
	s->retired_tail = &s->retired;
	s->bytes_total = cfg->set.loops * cfg->files->total_bytes;
	pw_pace_init(&s->pace, &cfg->set.rate, cfg->set.burst_limit);
	pw_quick_sync(&s->clock); /* its rate is known by the time the lead is over */
	r = pw_lanes_create(s, err);
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
	}
	if (r == 0)
		r = pw_send_await_rate(s, err); /* the last packet has its time of the rate, too */
	s->cfg.ops->reap(s->cfg.path);
	stop_clock(s);
	pw_sendstream_drop(s);
	if (r == -ECANCELED) {
		result->interrupted = true;
		r = 0;
		s->cfg.stopped = NULL; /* the session's end is still said, and is short */
	}
	if (r == 0)
		r = pw_lanes_drain(s, err);
	if (r == 0 && s->fdt)
		r = pw_send_close_session(s, err);
	if (r == 0)
		r = retire_group(s, err);
	return r;
}

void pw_send_destroy(struct pw_send *s)
{
	size_t i;

	if (!s)
		return;
	pw_sendstream_destroy(s);
	for (i = 0; i < s->n_group; i++)
		free_slot(s, s->group[i]);
	while (s->retired) {
		struct pw_send_slot *slot = s->retired;

		s->retired = slot->next;
		free_slot(s, slot);
	}
	pw_lanes_destroy(s);
	free(s->fdt);
	free(s);
}
