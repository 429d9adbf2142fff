/* SPDX-License-Identifier: BSD-3-Clause */
#include "send/deal.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "path/path.h"

#define CHUNK_BURSTS 16 /* at most: the cursor's cache line is asked for once in so many bursts */
#define CHUNKS_EACH  4  /* at least, of a small file, for each thread */

void pw_deal_clear(struct pw_deal *d)
{
	d->n = 0;
	d->n_chunks = 0;
	atomic_store(&d->cursor, 0);
}

int pw_deal_add(struct pw_deal *d, size_t what, uint64_t from, uint64_t to, uint32_t n_hands,
	struct pw_err *err)
{
	uint64_t bursts = pw_div_ceil(to - from, (uint64_t)PW_BURST * CHUNKS_EACH * n_hands);
	uint64_t chunk = pw_min_u64(pw_max_u64(bursts, 1), CHUNK_BURSTS) * PW_BURST;

	if (from >= to)
		return 0;
	if (d->n == d->room) {
		size_t room = d->room ? 2 * d->room : 64;
		struct pw_deal_item *items = reallocarray(d->items, room, sizeof(*items));

		if (!items)
			return pw_err_set(err, ENOMEM, "deal the symbols out: out of memory");
		d->items = items;
		d->room = room;
	}
	d->items[d->n++] = (struct pw_deal_item){
		.what = what,
		.from = from,
		.to = to,
		.first_chunk = d->n_chunks,
		.chunk = chunk,
	};
	d->n_chunks += pw_div_ceil(to - from, chunk);
	return 0;
}

bool pw_deal_take(
	struct pw_deal *d, struct pw_deal_hand *h, size_t *what, uint64_t *from, uint64_t *to)
{
	uint64_t c = atomic_fetch_add_explicit(&d->cursor, 1, memory_order_relaxed);
	const struct pw_deal_item *item;

	if (c >= d->n_chunks)
		return false;
	/* chunks come in rising order to each hand */
	while (h->item + 1 < d->n && d->items[h->item + 1].first_chunk <= c)
		h->item++;
	item = &d->items[h->item];
	*what = item->what;
	*from = item->from + (c - item->first_chunk) * item->chunk;
	*to = pw_min_u64(*from + item->chunk, item->to);
	return true;
}

void pw_deal_finish(struct pw_deal *d)
{
	free(d->items);
	d->items = NULL;
	d->n = d->room = 0;
}
