/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The slow path of a lane, for packets that are not symbols of the part that it has at hand: find their
 * part, queue them until their file is open or their table has come, or drop them and count why. All of
 * it runs under the receiver's lock.
 */
#include <unistd.h>

#include "base/clock.h"
#include "recv/lane_private.h"

/* A lane waits at most this long for the file worker; then it drops the packet. */
#define ROOM_PATIENCE_NS (30 * PW_NS_PER_S)

/* Takes the first symbol of a file that was opened ahead: from now on it counts against the free space.
 * false: there is not enough left. */
static bool admit(struct pw_recv *r, struct pw_recv_lane *l, struct pw_object *o)
{
	if (o->prepared) {
		pw_recv_unprepare(r, o);
		if (r->n_prepared % 16 == 0)
			pthread_cond_signal(&r->work);
		if (!r->cfg.discard && o->len_bytes > r->budget_bytes) {
			pw_recv_refuse(r, o,
				"too large for the free space of the output directory, less what "
				"other files still need",
				false);
			return false;
		}
		r->budget_bytes -= r->cfg.discard ? 0 : o->len_bytes;
	}
	if (o->state == PW_RECV_KNOWN || o->state == PW_RECV_MISMATCH)
		pw_recv_set_state(r, o, PW_RECV_PARTIAL);
	l->joins = !o->session->has_data && !o->part->resumed;
	o->session->has_data = true;
	return true;
}

/* The queue is full: the lane waits until the file worker has made space. Packets that wait in the port's
 * ring meanwhile are not lost. With the lock, which it releases meanwhile. */
static void wait_for_room(struct pw_recv *r, struct pw_recv_lane *l)
{
	pthread_mutex_unlock(&r->lock);
	pw_lane_leave(l);
	usleep(50);
	pw_lane_enter(r, l);
	pthread_mutex_lock(&r->lock);
}

/* Queues a packet whose file is not open. */
static void keep(struct pw_recv *r, struct pw_recv_lane *l, struct pw_object *o,
	const struct pw_rx_view *view)
{
	struct pw_waiting *w = pw_waiting_copy(view, o->toi);

	pw_lane_bump(&l->c.waited, !l->is_worker);
	if (!w) {
		pw_lane_bump(&l->c.wait_dropped, 1);
		return;
	}
	l->new_bytes += view->len;
	*o->waiting_end = w;
	o->waiting_end = &w->next;
	r->room.file_bytes += pw_waiting_bytes(w);
	pw_recv_want_open(r, o);
}

/* The file worker places the packets that waited before the lanes get the part. */
static bool is_opening(
	const struct pw_recv *r, const struct pw_recv_lane *l, const struct pw_part *p)
{
	return l->is_worker && r->opening == p && p->lists;
}

static bool is_over(const struct pw_object *o)
{
	return !pw_recv_state_is_open(o->state) || (o->has_len && o->len_bytes == 0);
}

/* A table waits for the file worker, or the worker reads it now. */
static bool is_table_due(const struct pw_recv *r)
{
	return r->room.tables || r->has_tables;
}

static bool is_ignored(const struct pw_recv *r, const struct pw_session *s)
{
	return !s || (r->cfg.trust && !s->is_trusted);
}

/* Queues a packet of an object that no table has named yet. */
static void keep_unknown(struct pw_recv *r, struct pw_recv_lane *l, const struct pw_session *s,
	const struct pw_alc_hdr *hdr, const struct pw_rx_view *view)
{
	pw_lane_bump(&l->c.waited, !l->is_worker);
	l->new_bytes += is_ignored(r, s) ? 0 : view->len;
	if (is_ignored(r, s) && !l->is_worker)
		pw_recv_ignore(r, view->from, hdr->tsi);
	r->c.unknown_toi +=
		l->is_worker ? pw_room_put_back(&r->room, view, hdr->toi)
			     : pw_room_add_unknown(&r->room, view, hdr->toi, !is_table_due(r));
}

/* The part that the packet's symbols go to. NULL: the packet was queued or dropped. With the lock. */
static struct pw_part *find_part(struct pw_recv *r, struct pw_recv_lane *l,
	const struct pw_alc_hdr *hdr, const struct pw_rx_view *view)
{
	uint64_t start = 0;

	for (;;) {
		struct pw_session *s = pw_recv_session(r, view->from, hdr->tsi);
		struct pw_object *o = s ? pw_objtab_find(&r->objs, s, hdr->toi) : NULL;
		/* A table came before this packet and is not read yet. It may name the object, restart
		 * it, or give its TOI to another file. */
		const bool is_due = is_table_due(r) && !l->is_worker;
		const bool has_room = is_due ? pw_room_unknown_bytes(&r->room) < PW_ROOM_UNKNOWN
					     : r->room.file_bytes <= PW_ROOM_FILES || l->is_worker;

		if ((is_due && has_room) || !(o || is_due)) {
			keep_unknown(r, l, s, hdr, view);
			return NULL;
		}
		if (o && is_over(o)) {
			pw_lane_bump(&l->c.finished_toi, 1);
			return NULL;
		}
		if (!is_due && o->part &&
			(!atomic_load(&o->part->shut) || is_opening(r, l, o->part))) {
			o->part->used = ++r->use_clock;
			return admit(r, l, o) ? o->part : NULL;
		}
		if (!is_due && has_room) {
			keep(r, l, o, view);
			return NULL;
		}
		start = start ? start : pw_clock_ns();
		wait_for_room(r, l);
		if (atomic_load(&r->stopped) || pw_clock_ns() - start > ROOM_PATIENCE_NS) {
			pw_lane_bump(&l->c.wait_dropped, 1);
			return NULL;
		}
	}
}

static bool is_taken(const struct pw_recv *r, const struct pw_alc_hdr *hdr, struct pw_host_key from)
{
	if (r->held.on) /* the packets are the receiver's own */
		return true;
	return (!r->cfg.tsi_given || hdr->tsi == r->cfg.tsi) &&
	       (!r->cfg.source.family || pw_host_key_equal(from, pw_host_key(&r->cfg.source)));
}

/* Counts the close. If the session's table is not read yet, the close is queued behind it. */
static void close_session(
	struct pw_recv *r, const struct pw_alc_hdr *hdr, const struct pw_rx_view *view)
{
	struct pw_session *s = pw_recv_session(r, view->from, hdr->tsi);

	if (s)
		s->n_closes++;
	else if (is_table_due(r))
		pw_room_add_table(&r->room, view);
}

void pw_lane_take_other(struct pw_recv *r, struct pw_recv_lane *l, const struct pw_alc_hdr *hdr,
	const struct pw_rx_view *view, size_t payload_len)
{
	if (!is_taken(r, hdr, view->from)) {
		pw_lane_bump(&l->c.strangers, 1);
		pw_recv_ignore(r, view->from, hdr->tsi);
		return;
	}
	r->st.session_seen = true;
	if (hdr->close_session)
		close_session(r, hdr, view);
	if (payload_len == 0 || (r->memory && hdr->toi != r->memory->toi))
		return;
	if (hdr->toi == PW_FDT_TOI) {
		pw_lane_bump(&l->c.fdt_packets, 1);
		if (!pw_room_add_table(&r->room, view))
			pw_lane_bump(&l->c.fdt_dropped, 1);
		pthread_cond_signal(&r->work);
		return;
	}
	l->part = find_part(r, l, hdr, view);
}
