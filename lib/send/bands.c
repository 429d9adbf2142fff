/* SPDX-License-Identifier: BSD-3-Clause */
#include "send/bands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* A band takes two slots at least, so half as many of them as there are slots are in the ring. A lane may pass ahead of
 * the slowest as many bands as there are lanes, because each of them has taken one chunk at most that is not in
 * the ring. */
static uint32_t n_places(const struct pw_stream *ring, uint32_t n_lanes)
{
	return pw_stream_n_slots(ring) + n_lanes;
}

int pw_send_bands_create(
	struct pw_send_bands **out, struct pw_stream *ring, uint32_t n_lanes, struct pw_err *err)
{
	struct pw_send_bands *b = calloc(1, sizeof(*b));
	const uint32_t n = n_places(ring, n_lanes);
	const size_t wins_bytes = sizeof(struct pw_send_band_wins) * n * n_lanes;
	struct pw_send_band_wins *wins = aligned_alloc(64, wins_bytes);
	uint32_t i;

	*out = b;
	if (b)
		b->v = calloc(n, sizeof(*b->v));
	if (!b || !b->v || !wins) {
		free(wins);
		return pw_err_set(err, ENOMEM, "cannot stream: out of memory");
	}
	memset(wins, 0, wins_bytes);
	b->ring = ring;
	b->n = n;
	b->n_lanes = n_lanes;
	for (i = 0; i < n; i++)
		b->v[i].wins = wins + (size_t)n_lanes * i;
	for (i = 0; i < pw_stream_n_slots(ring); i++)
		b->slot_extents =
			(uint32_t)pw_max_u64(b->slot_extents, pw_stream_slot(ring, i)->n_extents);
	return 0;
}

static struct pw_send_band *at(const struct pw_send_bands *b, uint64_t number)
{
	return &b->v[number % b->n];
}

static bool grow(void **v, uint32_t *room, uint64_t n, size_t each)
{
	void *more;

	if (n <= *room)
		return true;
	more = reallocarray(*v, n, each);
	if (!more)
		return false;
	*v = more;
	*room = (uint32_t)n;
	return true;
}

static bool clear_part(struct pw_send_band_part *part, uint64_t n_extents)
{
	void *extents = part->win.extents;
	const bool ok = grow(&extents, &part->room, n_extents, sizeof(*part->win.extents));

	part->win.extents = extents;
	part->win.n_extents = 0;
	atomic_store_explicit(&part->n_readable, 0, memory_order_relaxed);
	return ok;
}

int pw_send_bands_open(struct pw_send_bands *b, struct pw_send_band **out, uint64_t number,
	uint32_t first_block, uint64_t n_source, uint64_t n_parity, struct pw_err *err)
{
	struct pw_send_band *band = *out = at(b, number);
	void *slots = band->slots;
	bool ok;

	if (band->is_open)
		return 0;
	ok = grow(&slots, &band->slot_room, n_source + n_parity, sizeof(*band->slots));
	band->slots = slots;
	if (!ok || !clear_part(&band->source, n_source * b->slot_extents) ||
		!clear_part(&band->parity, n_parity * b->slot_extents))
		return pw_err_set(err, ENOMEM, "cannot stream: out of memory");
	band->n_slots = 0;
	band->source_to = 0;
	band->next_block = first_block;
	band->is_open = true;
	return 0;
}

/* A slot may begin before its piece, with the rest of a block of the disk. */
static void add_extent(
	struct pw_window *win, const struct pw_extent *extent, const struct pw_stream_piece *piece)
{
	const uint64_t from = pw_max_u64(extent->offset, piece->offset);
	const uint64_t to =
		pw_min_u64(extent->offset + extent->len_bytes, piece->offset + piece->len_bytes);
	const uint64_t skip = from - extent->offset;

	if (from >= to)
		return;
	win->extents[win->n_extents++] = (struct pw_extent){
		.va = extent->va + skip,
		.iova = extent->iova == PW_IOVA_NONE ? PW_IOVA_NONE : extent->iova + skip,
		.offset = from,
		.len_bytes = to - from,
	};
}

void pw_send_bands_add(struct pw_send_bands *b, struct pw_send_band *band,
	const struct pw_stream_piece *piece, uint32_t slot)
{
	struct pw_send_band_part *part = piece->file ? &band->source : &band->parity;
	const struct pw_window *win = pw_stream_slot(b->ring, slot);
	uint32_t i;

	for (i = 0; i < win->n_extents; i++)
		add_extent(&part->win, &win->extents[i], piece);
	band->slots[band->n_slots++] = slot;
	atomic_store_explicit(&part->n_readable, part->win.n_extents, memory_order_release);
}

struct pw_window *pw_send_bands_window(
	struct pw_send_bands *b, uint64_t number, const struct pw_send_lane *lane, bool is_parity)
{
	struct pw_send_band *band = at(b, number);
	const struct pw_send_band_part *part = is_parity ? &band->parity : &band->source;
	struct pw_send_band_wins *wins = &band->wins[lane->index];
	struct pw_window *win = is_parity ? &wins->parity : &wins->source;

	win->extents = part->win.extents;
	win->n_extents = atomic_load_explicit(&part->n_readable, memory_order_acquire);
	return win;
}

/* The reader opens this place again when the ring has slots for as many bands as there are places: not before the
 * last slot is back. */
static void release(struct pw_send_bands *b, struct pw_send_band *band)
{
	const uint32_t n = band->n_slots;
	uint32_t i;

	band->is_open = false;
	atomic_store(&band->n_left, 0);
	for (i = 0; i < n; i++)
		pw_stream_give_back(b->ring, band->slots[i]);
}

bool pw_send_bands_leave(struct pw_send_bands *b, struct pw_send_lane *lane)
{
	for (; lane->bands_left < lane->bands_passed; lane->bands_left++) {
		struct pw_send_band *band = at(b, lane->bands_left);
		const struct pw_send_band_wins *wins = &band->wins[lane->index];

		if (wins->source.n_out || wins->parity.n_out)
			return false;
		if (atomic_fetch_add(&band->n_left, 1) + 1 == b->n_lanes)
			release(b, band);
	}
	return true;
}

/* Packets of the band that are in flight. */
static uint32_t n_out(const struct pw_send_bands *b, const struct pw_send_band *band)
{
	uint32_t i, sum = 0;

	for (i = 0; i < b->n_lanes; i++)
		sum += band->wins[i].source.n_out + band->wins[i].parity.n_out;
	return sum;
}

void pw_send_bands_destroy(struct pw_send_bands *b)
{
	bool is_held = false;
	uint32_t i, k, n;

	if (!b)
		return;
	for (i = 0; i < b->n; i++) {
		struct pw_send_band *band = &b->v[i];

		n = n_out(b, band);
		is_held |= n > 0;
		for (k = 0; n && k < band->n_slots; k++)
			pw_stream_slot(b->ring, band->slots[k])->n_out += n;
		free(band->slots);
		free(band->source.win.extents);
		free(band->parity.win.extents);
	}
	if (b->n && !is_held) /* else the driver counts in them */
		free(b->v[0].wins);
	free(b->v);
	free(b);
}
