/* SPDX-License-Identifier: BSD-3-Clause */
/* What the session's thread checks between bursts and while it waits (link, lost pages, stop flag), the
 * progress that it reports, and the file tables that it repeats. */
#include <errno.h>
#include <inttypes.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "file/guard.h"
#include "send/session_private.h"

#define TICK_NS      100000000ull  /* progress */
#define ALIVE_NS     1000000000ull /* interval of packets to a receiver that waits while we read */
#define LINK_LOOK_NS 250000000ull  /* between two checks of the link: some drivers ask firmware */
#define LINK_GAP_NS  10000000ull   /* the same, while it is down or the path takes nothing */
#define RATE_NS      10000000ull   /* between two questions to repair.rate() */
#define REPEATS      2             /* of a table within its group */

/* The session's file that has lost pages, or NULL. */
static const char *lost_file(const struct pw_send *s)
{
	const struct pw_send_slot *slot;
	const char *path = NULL;
	size_t i;

	for (slot = s->retired; slot; slot = slot->next)
		if (pw_guard_lost(slot->guard) || pw_guard_lost(slot->parity_guard))
			path = slot->file->path;
	for (i = 0; i < s->group.n; i++)
		if (pw_guard_lost(s->group.slots[i]->guard) ||
			pw_guard_lost(s->group.slots[i]->parity_guard))
			path = s->group.slots[i]->file->path;
	return path;
}

static int check_fault(const struct pw_send *s, struct pw_err *err)
{
	const struct pw_tx_ops *ops = s->cfg.ops;
	const char *fault = ops->fault ? ops->fault(s->cfg.paths[0]) : NULL;

	return fault ? pw_err_set(
			       err, ECONNABORTED, "cannot send on %s: %s", s->cfg.path_text, fault)
		     : 0;
}

int pw_session_check_lost(const struct pw_send *s, struct pw_err *err)
{
	const char *path;
	int r;

	/* One flag of the process: another session, a receiver or a device may have lost its pages. */
	if (!pw_guard_any_lost())
		return 0;
	r = check_fault(s, err);
	path = lost_file(s);
	if (r || !path)
		return r;
	return pw_err_set(err, EIO,
		"cannot read %s: it was truncated while it was being sent, and its pages are gone; "
		"the receiver refuses it by its digest; send it again",
		path);
}

static bool link_is_soon_due(const struct pw_send *s, uint64_t stalled_ns)
{
	return stalled_ns >= LINK_GAP_NS || atomic_load(&s->lanes.shared.down_ns);
}

/* Reports what broke the path for good, or a link that is down for longer than link_grace_ns. */
static int check_path(struct pw_send *s, uint64_t now_ns, uint64_t stalled_ns, struct pw_err *err)
{
	const struct pw_tx_ops *ops = s->cfg.ops;
	void *path = s->cfg.paths[0];
	uint64_t down_ns = atomic_load(&s->lanes.shared.down_ns);
	int r = check_fault(s, err);

	if (r)
		return r;
	if (now_ns - s->asked_ns < (link_is_soon_due(s, stalled_ns) ? LINK_GAP_NS : LINK_LOOK_NS))
		return 0;
	s->asked_ns = now_ns;
	if (ops->alive(path)) {
		if (down_ns)
			pw_info(s->cfg.log, "the link of %s is up again", s->cfg.path_text);
		down_ns = 0;
	} else if (down_ns == 0) {
		pw_info(s->cfg.log, "the link of %s is down", s->cfg.path_text);
		down_ns = now_ns;
	}
	atomic_store(&s->lanes.shared.down_ns, down_ns);
	if (down_ns == 0 || now_ns - down_ns <= s->cfg.set.link_grace_ns)
		return 0;
	return pw_err_set(err, ENOLINK,
		"cannot send on %s: its link went down, the peer is gone; start the receiver and "
		"send "
		"again",
		s->cfg.path_text);
}

/* What this process sends in a pass: of a stripe, the mean of all N passes. */
static uint64_t share_bytes(const struct pw_send_config *cfg)
{
	return cfg->files->total_bytes /
	       (pw_stripe_is_shared(&cfg->stripe) ? cfg->stripe.count : 1);
}

static void tick(struct pw_send *s, uint64_t now_ns)
{
	const bool reading = !s->is_closing && (s->reading.total_bytes > 0 || !s->streaming);
	const struct pw_send_slot *slot;
	struct pw_send_status st = {
		.phase = s->is_closing     ? PW_SEND_CLOSING
			 : s->is_listening ? PW_SEND_LISTENING
			 : reading         ? PW_SEND_READING
					   : PW_SEND_SENDING,
		.bytes_done = reading ? s->reading.done_bytes : pw_send_lanes_bytes(&s->lanes),
		.bytes_total = reading ? s->reading.total_bytes
				       : s->cfg.set.loops * share_bytes(&s->cfg) + s->again_bytes,
		.packets = pw_send_lanes_packets(&s->lanes),
		.pass = s->pass,
		.start_ns = s->start_ns,
	};

	pw_send_group_position(
		&s->group, pw_send_lanes_bytes(&s->lanes) - s->group_from, &slot, &st.file_done);
	if (slot)
		st.file = (uint64_t)(slot->file - s->cfg.files->v);
	s->cfg.tick(s->cfg.tick_ctx, &st);
	s->next_tick_ns = now_ns + TICK_NS;
}

/* Asks for the rate, where the receivers' reports decide on it. */
static void ask_for_rate(struct pw_send *s, uint64_t now_ns)
{
	const struct pw_send_repair *repair = &s->cfg.repair;
	const struct pw_rate_sent sent = {
		.packets = pw_send_lanes_packets(&s->lanes),
		.bits = 8 * pw_send_lanes_wire_bytes(&s->lanes),
		.is_pass =
			s->streaming && !s->is_closing && !s->is_listening && s->tables.round == 0,
	};

	s->next_rate_ns = now_ns + RATE_NS;
	pw_send_lanes_set_bps(&s->lanes, repair->rate(repair->ctx, &sent, now_ns));
}

int pw_session_look(
	struct pw_send_lane *lane, uint64_t now_ns, uint64_t stalled_ns, struct pw_err *err)
{
	struct pw_send *s = lane->owner;
	const bool polls = s->cfg.ops->polls;
	int r = 0;

	/* a path that sleeps in send() is only asked while it takes nothing */
	if (!polls && stalled_ns == 0)
		atomic_store(&s->lanes.shared.down_ns, 0);
	/* before the pages: those of a device that is gone are guarded as well */
	if (stalled_ns || (polls && s->streaming))
		r = check_path(s, now_ns, stalled_ns, err);
	if (r == 0)
		r = pw_session_check_lost(s, err);
	if (r == 0)
		r = pw_send_lanes_failed(&s->lanes, err);
	if (r)
		return r;
	if (now_ns >= s->next_rate_ns && s->cfg.repair.rate)
		ask_for_rate(s, now_ns);
	if (now_ns >= s->next_tick_ns && s->cfg.tick)
		tick(s, now_ns);
	if (!s->streaming && now_ns >= s->next_alive_ns) {
		if (s->next_alive_ns)
			pw_send_tables_alive(&s->cfg, lane);
		s->next_alive_ns = now_ns + ALIVE_NS;
	}
	return s->cfg.stopped && s->cfg.stopped() ? -ECANCELED : 0;
}

/* Whether enough of the group was sent to repeat its table. */
static bool repeat_is_due(const struct pw_send *s)
{
	const uint64_t sent = pw_send_lanes_bytes(&s->lanes) - s->group_from;

	return s->n_repeats < REPEATS && s->group.bytes > 0 &&
	       sent * (REPEATS + 1) >= s->group.bytes * (s->n_repeats + 1);
}

int pw_session_between(struct pw_send_lane *lane, uint64_t now_ns, struct pw_err *err)
{
	struct pw_send *s = lane->owner;
	const bool repeat = repeat_is_due(s);

	if (!repeat && now_ns < s->next_table_ns)
		return 0;
	s->n_repeats += repeat;
	return pw_session_send_table(s, err);
}
