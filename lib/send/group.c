/* SPDX-License-Identifier: BSD-3-Clause */
#include "send/group.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "send/tables.h"

#define WAIT_NS \
	500000ull /* between two looks at what the reader has brought: shorter sleeps slow the disk down */

/* A file with parity: its blocks in turns, band by band. */
static int plan_turns(
	struct pw_send_group *g, size_t i, const struct pw_send_gaps *share, struct pw_err *err)
{
	const struct pw_send_parity *p = g->slots[i]->parity;
	const struct pw_send_fec *fec = &g->cfg->set.fec;
	const bool streamed = g->slots[i]->win.pages == PW_PAGES_STREAM;
	const uint32_t most =
		streamed ? pw_send_fec_fit(fec, &p->source, &g->cfg->stream) : UINT32_MAX;
	const struct pw_send_turns t = pw_send_fec_turns(
		fec, &p->source, &share->stripe, share->turn, (uint32_t)pw_max_u64(most, 1));
	struct pw_work_band band = {.source = &p->source, .parity = &p->blocks, .run = t.run};
	uint32_t n;
	int r = 0;

	band.piece_symbols = streamed ? g->cfg->stream.slot_bytes / g->cfg->symbol_len : 0;
	for (n = 0; r == 0 && n < t.n_bands; n++) {
		band.first_block = pw_send_fec_band(&t, n);
		band.end_block = pw_send_fec_band(&t, n + 1);
		r = pw_work_add_band(&g->work, i, &band, err);
	}
	return r;
}

/* The symbols of one file, as ranges of chunks. A repair has no parity: it sends what was asked for. */
static int plan_file(
	struct pw_send_group *g, size_t i, uint64_t pass, uint32_t n_lanes, struct pw_err *err)
{
	struct pw_send_gaps gaps = {.slot = g->slots[i],
		.stripe = g->repairs ? (struct pw_stripe){0} : g->cfg->stripe,
		.turn = (uint64_t)(g->slots[i]->file - g->cfg->files->v) + pass};
	const bool streamed = g->slots[i]->win.pages == PW_PAGES_STREAM;
	uint64_t from, to;
	int r = 0;

	if (g->slots[i]->parity && !g->slots[i]->file->gap)
		return plan_turns(g, i, &gaps, err);
	while (r == 0 && pw_send_next_gap(&gaps, &from, &to))
		r = streamed ? pw_work_add_streamed(&g->work, i, from, to,
				       g->cfg->stream.slot_bytes / g->cfg->symbol_len, err)
			     : pw_work_add(&g->work, i, from, to, n_lanes, err);
	return r;
}

/* File bytes of an item; the last symbol of a file may be shorter. */
static uint64_t item_bytes(const struct pw_send_group *g, const struct pw_work_item *it)
{
	const uint64_t symbol = g->cfg->symbol_len;

	if (it->is_parity)
		return 0;
	return pw_min_u64(it->to * symbol, g->slots[it->file]->win.len_bytes) - it->from * symbol;
}

/* Bands of the next work have new numbers. */
static void clear_work(struct pw_send_group *g)
{
	g->first_band += g->work.n_bands;
	pw_work_clear(&g->work);
}

int pw_send_group_plan(
	struct pw_send_group *g, uint64_t pass, uint32_t n_lanes, bool *reads, struct pw_err *err)
{
	size_t i;
	int r = 0;

	*reads = false;
	atomic_store(&g->is_starved, false);
	clear_work(g);
	for (i = 0; r == 0 && i < g->n; i++) {
		const struct pw_send_slot *slot = g->slots[i];

		*reads |= slot->read_pages || slot->win.pages == PW_PAGES_STREAM ||
			  (slot->parity && slot->parity->n_done < slot->parity->source.n_blocks);
		r = plan_file(g, i, pass, n_lanes, err);
	}
	if (r == 0 && g->work.n_pieces) {
		uint32_t *slots = reallocarray(g->piece_slots, g->work.n_pieces, sizeof(*slots));

		if (!slots)
			return pw_err_set(err, ENOMEM, "cannot stream: out of memory");
		g->piece_slots = slots;
	}
	g->bytes = 0;
	for (i = 0; i < g->work.n; i++)
		g->bytes += item_bytes(g, &g->work.items[i]);
	if (r == 0 && !*reads)
		atomic_store(&g->work.n_ready, g->work.n_chunks);
	return r;
}

bool pw_send_group_give_back(struct pw_send_group *g, struct pw_send_lane *lane)
{
	uint32_t i, n = 0;

	while (n < lane->n_held && pw_stream_slot(g->ring, lane->held[n])->n_out == 0)
		pw_stream_give_back(g->ring, lane->held[n++]);
	for (i = n; n && i < lane->n_held; i++)
		lane->held[i - n] = lane->held[i];
	lane->n_held -= n;
	return (!g->bands || pw_send_bands_leave(g->bands, lane)) && lane->n_held == 0;
}

/* Records that the lane sends this slot of the ring; it is given back once the driver has released it. */
static int hold_slot(
	struct pw_send_group *g, struct pw_send_lane *lane, uint32_t slot, struct pw_err *err)
{
	if (!lane->held)
		lane->held = calloc(pw_stream_n_slots(g->ring), sizeof(*lane->held));
	if (!lane->held)
		return pw_err_set(err, ENOMEM, "cannot stream: out of memory");
	lane->held[lane->n_held++] = slot;
	return 0;
}

static bool is_ready(const struct pw_send_group *g, uint64_t chunk)
{
	return chunk < atomic_load_explicit(&g->work.n_ready, memory_order_acquire);
}

/* Gets back what the lane's path keeps of the ring. Lazy drivers free packets only as they are handed new
 * ones: while the reader has no slot to fill, empty packets of the session. */
static void get_back(struct pw_send_group *g, struct pw_send_lane *lane)
{
	lane->ops->reap(lane->path);
	if (pw_send_group_give_back(g, lane) || !atomic_load(&g->is_starved))
		return;
	if (!lane->pace.on || pw_pace_wait(&lane->pace, pw_quick_ns(&lane->clock)) == 0)
		pw_send_tables_alive(g->cfg, lane);
}

/* Waits until the reader has brought the chunk into memory. */
static int wait_for_reader(
	struct pw_send_group *g, struct pw_send_lane *lane, uint64_t chunk, struct pw_err *err)
{
	const uint64_t start = pw_cycles();
	int r = 0;

	while (r == 0 && !is_ready(g, chunk)) {
		get_back(g, lane);
		pw_lane_nap(WAIT_NS);
		r = lane->look(lane, pw_clock_ns(), 0, err);
		if (r == 0 && lane->between)
			r = lane->between(lane, pw_clock_ns(), err);
	}
	lane->read_cycles += pw_cycles() - start;
	return r;
}

/* No chunk is left for this lane. Another one may still wait for a chunk, and the reader for a slot that
 * this lane's path keeps. */
static int finish_lane(struct pw_send_group *g, struct pw_send_lane *lane, struct pw_err *err)
{
	lane->bands_passed = g->first_band + g->work.n_bands;
	if (pw_send_group_give_back(g, lane) || g->work.n_chunks == 0 ||
		is_ready(g, g->work.n_chunks - 1))
		return 0;
	return wait_for_reader(g, lane, g->work.n_chunks - 1, err);
}

static struct pw_send_range range_of(const struct pw_send_slot *slot,
	const struct pw_send_lane *lane, const struct pw_work_chunk *chunk)
{
	struct pw_send_view *views = chunk->is_parity ? slot->parity_views : slot->views;

	return (struct pw_send_range){
		.obj = &views[lane->index].obj,
		.from = chunk->from,
		.to = chunk->to,
		.first_block = chunk->first_block,
		.end_block = chunk->end_block,
		.row = chunk->row,
		.run = chunk->run,
		.parity_of = chunk->is_parity ? &slot->parity->source : NULL,
	};
}

/* The window of the symbols of a streamed file. */
static int set_window(struct pw_send_group *g, struct pw_send_lane *lane,
	const struct pw_work_chunk *chunk, struct pw_tx_object *obj, struct pw_err *err)
{
	uint32_t slot;

	if (chunk->run) {
		obj->win = pw_send_bands_window(
			g->bands, g->first_band + chunk->band, lane, chunk->is_parity);
		return 0;
	}
	slot = g->piece_slots[chunk->piece];
	obj->win = pw_stream_slot(g->ring, slot);
	return hold_slot(g, lane, slot, err);
}

static int next(
	void *ctx, struct pw_send_lane *lane, struct pw_send_range *range, struct pw_err *err)
{
	struct pw_send_group *g = ctx;
	struct pw_work_chunk chunk;
	int r = 0;

	if (g->ring)
		pw_send_group_give_back(g, lane);
	if (!pw_work_take(&g->work, &lane->work_item, &chunk))
		return finish_lane(g, lane, err);
	lane->bands_passed = g->first_band + chunk.band;
	if (!is_ready(g, chunk.number))
		r = wait_for_reader(g, lane, chunk.number, err);
	else if (lane->between)
		r = lane->between(lane, pw_clock_ns(), err);
	if (r)
		return r;
	*range = range_of(g->slots[chunk.file], lane, &chunk);
	if (chunk.piece != PW_WORK_IN_PLACE)
		r = set_window(g, lane, &chunk, range->obj, err);
	return r ? r : 1;
}

void pw_send_group_init(struct pw_send_group *g, const struct pw_send_config *cfg)
{
	*g = (struct pw_send_group){.cfg = cfg, .source = {.next = next, .ctx = g}};
}

void pw_send_group_position(const struct pw_send_group *g, uint64_t sent_bytes,
	const struct pw_send_slot **slot, uint64_t *file_bytes)
{
	size_t i, file = SIZE_MAX;

	*slot = NULL;
	*file_bytes = 0;
	for (i = 0; i < g->work.n; i++) {
		const struct pw_work_item *it = &g->work.items[i];
		const uint64_t bytes = item_bytes(g, it);

		if (it->file != file) {
			if (file != SIZE_MAX && sent_bytes == 0)
				return;
			file = it->file;
			*slot = g->slots[file];
			*file_bytes = 0;
		}
		*file_bytes += pw_min_u64(bytes, sent_bytes);
		sent_bytes -= pw_min_u64(bytes, sent_bytes);
	}
}

void pw_send_group_clear(struct pw_send_group *g)
{
	clear_work(g);
	g->n = 0;
	g->bytes = 0;
}

void pw_send_group_finish(struct pw_send_group *g)
{
	pw_work_finish(&g->work);
	free(g->piece_slots);
	*g = (struct pw_send_group){0};
}
