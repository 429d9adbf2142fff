/* SPDX-License-Identifier: BSD-3-Clause */
#include "send/slot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "file/guard.h"

#define READ_STEP (64ull << 20) /* bytes between two looks */

uint32_t pw_send_slot_n_out(const struct pw_send_slot *slot)
{
	uint32_t i, sum = slot->win.n_out;

	for (i = 1; i < slot->n_views; i++)
		sum += slot->views[i].win.n_out;
	for (i = 0; slot->parity && i < slot->n_views; i++)
		sum += i ? slot->parity_views[i].win.n_out : slot->parity->win.n_out;
	return sum;
}

static bool next_range(struct pw_send_gaps *g)
{
	const struct pw_gap_file *gap = g->slot->file->gap;
	const struct pw_blocks *b = &g->slot->views[0].obj.blocks;

	if (!gap) {
		g->from = g->sent_to;
		g->to = g->sent_to = b->n_symbols;
		return g->from < g->to;
	}
	for (; g->i < gap->n_missing; g->i++) {
		g->from = pw_max_u64(gap->missing[g->i].from / b->symbol_len, g->sent_to);
		g->to = pw_div_ceil(gap->missing[g->i].to, b->symbol_len);
		if (g->from < g->to) {
			g->sent_to = g->to;
			return true;
		}
	}
	return false;
}

bool pw_send_next_gap(struct pw_send_gaps *g, uint64_t *from, uint64_t *to)
{
	const uint64_t n_symbols = g->slot->views[0].obj.blocks.n_symbols;

	while (g->from < g->to || next_range(g)) {
		*from = g->from;
		*to = g->to;
		if (pw_stripe_clip(&g->stripe, g->turn, n_symbols, from, to)) {
			g->from = *to;
			return true;
		}
		g->from = g->to;
	}
	return false;
}

/* Headers of the packets of this object as one lane sends them. */
static void make_templates(
	const struct pw_send_config *cfg, const struct pw_send_lane *lane, struct pw_tx_object *obj)
{
	struct pw_flow flow = cfg->flow;
	struct pw_alc_hdr hdr = {.tsi = cfg->tsi, .toi = obj->toi, .codepoint = obj->blocks.fec_id};
	uint8_t alc[PW_ALC_HDR_MAX];
	size_t alc_len = pw_alc_build(alc, &hdr, pw_send_is_wide(cfg));

	flow.src.port = lane->src_port;
	pw_frame_template(
		&obj->tmpl, &flow, alc, alc_len, (uint16_t)cfg->symbol_len, cfg->csum_offload);
	obj->tmpl_last = obj->tmpl;
	if (obj->blocks.n_symbols)
		pw_frame_set_payload_len(&obj->tmpl_last,
			(uint16_t)pw_blocks_symbol_bytes(&obj->blocks, obj->blocks.n_symbols - 1));
}

/* The views of a window: lane 0's object is attached, the others are copies of it. */
static int make_views(struct pw_send_view *views, const struct pw_send_config *cfg,
	const struct pw_send_lanes *lanes, bool *attached, struct pw_err *err)
{
	struct pw_tx_object *first = &views[0].obj;
	const struct pw_window *win = first->win;
	uint32_t i;
	int r = 0;

	make_templates(cfg, &lanes->v[0], first);
	if (win->pages != PW_PAGES_STREAM) {
		r = cfg->ops->attach(cfg->paths[0], first, err);
		*attached = r == 0;
	}
	for (i = 1; r == 0 && i < lanes->n; i++) {
		struct pw_send_view *view = &views[i];

		view->obj = *first;
		view->win = *win;
		view->obj.win = &view->win;
		make_templates(cfg, &lanes->v[i], &view->obj);
	}
	return r;
}

static struct pw_send_view *new_views(uint32_t n)
{
	/* templates inside are aligned to cache lines */
	const size_t bytes = pw_align_up(n * sizeof(struct pw_send_view), 64);
	struct pw_send_view *views = aligned_alloc(64, bytes);

	return views ? memset(views, 0, bytes) : NULL;
}

static int add_parity(struct pw_send_slot *slot, const struct pw_send_config *cfg,
	const struct pw_send_lanes *lanes, struct pw_err *err)
{
	const struct pw_tx_object *file = &slot->views[0].obj;
	struct pw_tx_object *first;
	int r;

	slot->parity_views = new_views(slot->n_views);
	if (!slot->parity_views)
		return pw_err_set(err, ENOMEM, "cannot send %s: out of memory", slot->file->path);
	r = slot->win.pages != PW_PAGES_HUGEFILE
		    ? 1
		    : pw_send_parity_open_staged(&slot->parity, &cfg->set.fec, &file->blocks,
			      slot->file->path, slot->win.mtime_ns, cfg->open_window, cfg->ctx,
			      err);
	if (r == 1)
		r = pw_send_parity_create(&slot->parity, &cfg->set.fec, &file->blocks,
			slot->win.pages == PW_PAGES_STREAM ? NULL : &cfg->stage_mem,
			slot->file->path, err);
	if (r == 0)
		r = pw_send_parity_check(slot->parity, &slot->file->digest, slot->file->path, err);
	if (r)
		return r;
	if (slot->parity->win.map)
		slot->parity_guard = pw_guard_add(slot->parity->win.map,
			slot->parity->win.map_bytes, slot->parity->win.page_bytes);
	first = &slot->parity_views[0].obj;
	first->win = &slot->parity->win;
	first->toi = file->toi;
	first->blocks = slot->parity->blocks;
	return make_views(slot->parity_views, cfg, lanes, &slot->parity_attached, err);
}

static int cut(struct pw_blocks *b, const struct pw_send_config *cfg, uint64_t len,
	const char *path, struct pw_err *err)
{
	const uint32_t max_sbl = pw_blocks_choose_max_sbl(len, cfg->symbol_len);

	if (cfg->set.fec.k)
		return pw_send_fec_cut(b, &cfg->set.fec, len, cfg->symbol_len, err);
	if (max_sbl == 0)
		return pw_err_set(err, EFBIG,
			"cannot send %s: its %" PRIu64
			" bytes exceed 65536 blocks of 65536 symbols; raise --symbol",
			path, len);
	return pw_blocks_init(b, len, cfg->symbol_len, max_sbl, err);
}

static int make_objects(struct pw_send_slot *slot, const struct pw_send_config *cfg,
	const struct pw_send_lanes *lanes, size_t index, struct pw_err *err)
{
	struct pw_tx_object *first = &slot->views[0].obj;
	int r = cut(&first->blocks, cfg, slot->win.len_bytes, slot->file->path, err);

	if (r)
		return r;
	first->win = &slot->win;
	first->toi = index + 1;
	r = make_views(slot->views, cfg, lanes, &slot->attached, err);
	/* a repair sends no parity */
	if (r == 0 && cfg->set.fec.k && first->blocks.n_symbols && !slot->file->gap)
		r = add_parity(slot, cfg, lanes, err);
	return r;
}

/* Reads the file with the CPU, before its first symbol is sent. */
static int digest_now(struct pw_send_slot *slot, enum pw_digest_kind kind, struct pw_digest *out,
	uint8_t **leaves, struct pw_send_lane *lane, struct pw_send_reading *reading,
	struct pw_err *err)
{
	struct pw_digest_state *st;
	uint32_t i;
	int r = pw_digest_create_for(&st, kind, slot->win.len_bytes, err);

	for (i = 0; r == 0 && i < slot->win.n_extents; i++) {
		const struct pw_extent *extent = &slot->win.extents[i];
		uint64_t done, step;

		for (done = 0; r == 0 && done < extent->len_bytes; done += step) {
			step = pw_min_u64(READ_STEP, extent->len_bytes - done);
			pw_digest_update(st, extent->va + done, step);
			reading->done_bytes += step;
			r = lane->look(lane, pw_clock_ns(), 0, err);
		}
	}
	if (r == 0) {
		pw_digest_final(st, out);
		*leaves = pw_digest_take_leaves(st);
	}
	pw_digest_destroy(st);
	return r;
}

static int populate_now(struct pw_send_slot *slot, struct pw_send_lane *lane,
	struct pw_send_reading *reading, struct pw_err *err)
{
	const uint64_t len = slot->win.len_bytes;
	uint64_t done, step;
	int r = 0;

	for (done = 0; r == 0 && done < len; done += step) {
		step = pw_min_u64(READ_STEP, len - done);
		r = pw_window_populate(&slot->win, done, step, slot->file->path, err);
		reading->done_bytes += step;
		if (r == 0)
			r = lane->look(lane, pw_clock_ns(), 0, err);
	}
	return r;
}

/* Computes the digests of a small file, before its first symbol is sent. */
static int read_now(struct pw_send_slot *slot, const struct pw_send_config *cfg,
	struct pw_send_lane *lane, struct pw_send_reading *reading, struct pw_err *err)
{
	const bool digest =
		cfg->set.digest != PW_DIGEST_NONE && slot->file->digest.kind == PW_DIGEST_NONE;
	const bool md5 = cfg->set.md5 && slot->file->md5.kind == PW_DIGEST_NONE;
	uint8_t *none; /* MD5 has no leaves */
	int r = 0;

	*reading = (struct pw_send_reading){
		.total_bytes = slot->win.len_bytes * ((uint64_t)digest + md5 + slot->win.populate)};
	if (slot->win.populate)
		r = populate_now(slot, lane, reading, err);
	if (r == 0 && digest)
		r = digest_now(slot, cfg->set.digest, &slot->file->digest, &slot->file->leaves,
			lane, reading, err);
	if (r == 0 && md5)
		r = digest_now(slot, PW_DIGEST_MD5, &slot->file->md5, &none, lane, reading, err);
	*reading = (struct pw_send_reading){0};
	return r;
}

/* Prepares the digests of a larger file, which the reader computes. */
static int read_later(
	struct pw_send_slot *slot, const struct pw_send_config *cfg, struct pw_err *err)
{
	struct pw_file *file = slot->file;
	int r = 0;

	slot->read_pages = slot->win.populate;
	if (!pw_send_digests(cfg))
		return 0;
	if (cfg->set.digest != PW_DIGEST_NONE && file->digest.kind == PW_DIGEST_NONE)
		r = pw_digest_create_for(&slot->digest, cfg->set.digest, slot->win.len_bytes, err);
	if (r == 0 && cfg->set.md5 && file->md5.kind == PW_DIGEST_NONE)
		r = pw_digest_create(&slot->md5, PW_DIGEST_MD5, err);
	slot->is_late = slot->digest || slot->md5;
	return r;
}

static int fill(struct pw_send_slot *slot, const struct pw_send_config *cfg,
	struct pw_send_lanes *lanes, size_t index, struct pw_send_reading *reading,
	struct pw_err *err)
{
	struct pw_window *win = &slot->win;
	struct pw_file *file = slot->file;
	int r;

	if (win->len_bytes != file->len_bytes)
		return pw_err_set(err, ESTALE,
			"cannot send %s: it had %" PRIu64
			" bytes when it was found and has %" PRIu64
			" now; send it when nothing writes to it",
			file->path, file->len_bytes, win->len_bytes);
	if (!pw_pages_borrowed(win->pages) && win->map)
		slot->guard = pw_guard_add(win->map, win->map_bytes, win->page_bytes);
	/* A repair reads only what is missing: the manifest has the digest. But what is signed is what was read:
	 * anybody may have written the manifest. */
	if (file->gap && !cfg->signer && file->gap->digest.kind == cfg->set.digest)
		file->digest = file->gap->digest;
	if (win->pages != PW_PAGES_STREAM && win->len_bytes <= cfg->digest_first_bytes &&
		pw_send_digests(cfg))
		r = read_now(slot, cfg, &lanes->v[0], reading, err);
	else
		r = read_later(slot, cfg, err);
	return r ? r : make_objects(slot, cfg, lanes, index, err);
}

int pw_send_slot_open(struct pw_send_slot **out, const struct pw_send_config *cfg,
	struct pw_send_lanes *lanes, size_t index, struct pw_send_reading *reading,
	struct pw_err *err)
{
	struct pw_file *file = &cfg->files->v[index];
	struct pw_send_slot *slot = calloc(1, sizeof(*slot));
	int r;

	*out = NULL;
	if (slot)
		slot->views = new_views(lanes->n);
	if (!slot || !slot->views) {
		free(slot);
		return pw_err_set(err, ENOMEM, "cannot send %s: out of memory", file->path);
	}
	slot->n_views = lanes->n;
	slot->file = file;
	slot->guard = slot->parity_guard = -1;
	r = cfg->open_window(cfg->ctx, &slot->win, file->path, err);
	if (r) {
		free(slot->views);
		free(slot);
		return r;
	}
	*out = slot;
	return fill(slot, cfg, lanes, index, reading, err);
}

static bool detach(const struct pw_send_config *cfg, bool attached, struct pw_send_view *views)
{
	return !attached || cfg->ops->detach(cfg->paths[0], &views[0].obj) == 0;
}

void pw_send_slot_close(struct pw_send_slot *slot, const struct pw_send_config *cfg)
{
	uint32_t n_out = pw_send_slot_n_out(slot);

	if (n_out || !detach(cfg, slot->attached, slot->views) ||
		!detach(cfg, slot->parity_attached, slot->parity_views)) {
		pw_warn(cfg->log, "%s: the driver kept %u packets; its pages stay mapped",
			slot->file->path, n_out);
		return; /* a leak is better than a device that reads unmapped memory */
	}
	pw_guard_remove(slot->guard);
	pw_guard_remove(slot->parity_guard);
	pw_digest_destroy(slot->digest);
	pw_digest_destroy(slot->md5);
	free(slot->late_leaves);
	pw_window_close(&slot->win);
	pw_send_parity_destroy(slot->parity);
	free(slot->parity_views);
	free(slot->views);
	free(slot);
}
