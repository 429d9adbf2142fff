/* SPDX-License-Identifier: BSD-3-Clause */
#include "recv/room.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

void pw_room_init(struct pw_room *room)
{
	*room = (struct pw_room){0};
	room->tables_end = &room->tables;
	room->unknown_end = &room->unknown;
}

void pw_waiting_free_list(struct pw_waiting *w)
{
	struct pw_waiting *next;

	for (; w; w = next) {
		next = w->next;
		free(w);
	}
}

void pw_room_finish(struct pw_room *room)
{
	pw_waiting_free_list(room->tables);
	pw_waiting_free_list(room->unknown);
	pw_room_init(room);
}

uint64_t pw_waiting_bytes(const struct pw_waiting *w)
{
	return sizeof(*w) + w->len + 16; /* malloc's own */
}

struct pw_waiting *pw_waiting_copy(const struct pw_rx_view *view, uint64_t toi)
{
	struct pw_waiting *w = malloc(sizeof(*w) + view->len);

	if (!w)
		return NULL;
	w->next = NULL;
	w->toi = toi;
	w->from = view->from;
	w->len = view->len;
	memcpy(w->bytes, view->data, view->len);
	return w;
}

/* A copy at the end of a list. NULL: memory is short. */
static struct pw_waiting *add(struct pw_room *room, struct pw_waiting ***end, uint64_t *bytes,
	const struct pw_rx_view *view, uint64_t toi)
{
	struct pw_waiting *w = pw_waiting_copy(view, toi);

	if (!w)
		return NULL;
	w->seq = ++room->seq;
	**end = w;
	*end = &w->next;
	*bytes += pw_waiting_bytes(w);
	return w;
}

bool pw_room_add_table(struct pw_room *room, const struct pw_rx_view *view)
{
	return room->table_bytes < PW_ROOM_TABLES &&
	       add(room, &room->tables_end, &room->table_bytes, view, 0);
}

uint64_t pw_room_unknown_bytes(const struct pw_room *room)
{
	return room->unknown_bytes + room->taken_bytes;
}

static struct pw_waiting *add_unknown(
	struct pw_room *room, const struct pw_rx_view *view, uint64_t toi)
{
	return add(room, &room->unknown_end, &room->unknown_bytes, view, toi);
}

unsigned int pw_room_add_unknown(
	struct pw_room *room, const struct pw_rx_view *view, uint64_t toi, bool bounded)
{
	struct pw_waiting *w = add_unknown(room, view, toi), *oldest;
	unsigned int n_lost = 0;

	if (!w)
		return 1;
	while (bounded && pw_room_unknown_bytes(room) > PW_ROOM_UNKNOWN && room->unknown != w) {
		oldest = room->unknown;
		room->unknown = oldest->next;
		room->unknown_bytes -= pw_waiting_bytes(oldest);
		free(oldest);
		n_lost++;
	}
	return n_lost;
}

unsigned int pw_room_put_back(struct pw_room *room, const struct pw_rx_view *view, uint64_t toi)
{
	const struct pw_waiting *w = add_unknown(room, view, toi);

	if (!w)
		return 1;
	room->taken_bytes -= pw_min_u64(room->taken_bytes, pw_waiting_bytes(w));
	return 0;
}

size_t pw_room_n_unknown(const struct pw_room *room)
{
	const struct pw_waiting *w;
	size_t n = 0;

	for (w = room->unknown; w; w = w->next)
		n++;
	return n;
}

struct pw_waiting *pw_room_take_tables(struct pw_room *room)
{
	struct pw_waiting *first = room->tables;

	room->tables = NULL;
	room->tables_end = &room->tables;
	room->table_bytes = 0;
	return first;
}

struct pw_waiting *pw_room_take_unknown(struct pw_room *room, uint64_t seq)
{
	struct pw_waiting *first = room->unknown, **end = &room->unknown;
	uint64_t bytes = 0;

	for (; *end && (*end)->seq < seq; end = &(*end)->next)
		bytes += pw_waiting_bytes(*end);
	if (end == &room->unknown)
		return NULL;
	room->unknown_bytes -= bytes;
	room->taken_bytes += bytes;
	room->unknown = *end;
	if (!room->unknown)
		room->unknown_end = &room->unknown;
	*end = NULL;
	return first;
}
