/* SPDX-License-Identifier: BSD-3-Clause */
#include "send/direct.h"

#include <errno.h>

#include "base/bytes.h"
#include "send/session_private.h"

int pw_send_open(struct pw_send *s, struct pw_err *err)
{
	if (s->cfg.files->n > PW_SEND_GROUP)
		return pw_err_set(err, E2BIG, "cannot open %zu files: at most %d at once",
			s->cfg.files->n, PW_SEND_GROUP);
	return pw_session_open_group(s, 0, err);
}

bool pw_send_view(const struct pw_send *s, size_t i, struct pw_send_file_view *view)
{
	const struct pw_send_slot *slot;
	const struct pw_extent *first, *last;

	if (i >= s->group.n)
		return false;
	slot = s->group.slots[i];
	*view = (struct pw_send_file_view){
		.n_symbols = slot->views[0].obj.blocks.n_symbols, .len_bytes = slot->win.len_bytes};
	if (slot->win.n_extents == 0)
		return true;
	first = &slot->win.extents[0];
	last = &slot->win.extents[slot->win.n_extents - 1];
	/* extents that differ only in their IOVAs are still one mapping */
	if (last->va - first->va == (ptrdiff_t)last->offset)
		view->pages = first->va;
	return true;
}

int pw_send_announce(struct pw_send *s, struct pw_err *err)
{
	const bool is_first = s->next_table_ns == 0;
	int r = pw_session_send_table(s, err);

	/* DPDK's virtio driver drops what came into its ring before its start ended (virtio_dev_start). */
	if (r == 0 && is_first)
		r = pw_lane_pause(&s->lanes.v[0], s->cfg.set.lead_ns, err);
	if (r == 0 && is_first)
		r = pw_session_send_table(s, err);
	return r;
}

int pw_send_burst(struct pw_send *s, size_t i, uint64_t first, unsigned int n, struct pw_err *err)
{
	struct pw_tx_object *obj = i < s->group.n ? &s->group.slots[i]->views[0].obj : NULL;
	struct pw_tx_burst b = {.obj = obj};
	uint32_t sbn, esi;
	uint16_t sent;
	int r;

	if (!obj || n == 0 || n > PW_BURST || first >= obj->blocks.n_symbols ||
		n > obj->blocks.n_symbols - first)
		return pw_err_set(err, EINVAL,
			"cannot send %u symbols from %llu: file %zu does not have them; ask "
			"pagewire_symbols()",
			n, (unsigned long long)first, i);
	r = pw_session_check_lost(s, err);
	if (r)
		return r;
	pw_blocks_locate(&obj->blocks, first, &sbn, &esi);
	b.offset = first * obj->blocks.symbol_len;
	b.payload_id = pw_blocks_payload_id(&obj->blocks, sbn, esi);
	b.n = (uint16_t)pw_min_u64(n, pw_blocks_block_len(&obj->blocks, sbn) - esi);
	sent = s->cfg.ops->send(s->cfg.paths[0], &b);
	/* This burst may be the last one, and the path may have read pages that are gone. */
	r = pw_session_check_lost(s, err);
	return r ? r : sent;
}

int pw_send_close(struct pw_send *s, struct pw_err *err)
{
	int r = pw_session_close(s, err);

	/* the path may have read the pages of the last packets only now */
	return r ? r : pw_session_check_lost(s, err);
}
