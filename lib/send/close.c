/* SPDX-License-Identifier: BSD-3-Clause */
/* Ends a session: repeats the file tables, sends the close flag, waits for the driver's last packets. */
#include <errno.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "send/session_private.h"

#define CLOSE_PACKETS 5 /* at least: a receiver needs two of them, and each may be lost */
#define CLOSE_GAP_NS  5000000ull
#define SHORT_GAP_NS  1000000ull /* the same, if the receivers have said that they are done */
#define DRAIN_NS      2000000000ull
#define DRAIN_GAP_NS  50000ull
#define LINGER_NS     250000000ull /* in this time, a peer that did not run takes its last packets */
#define LINGER_GAP_NS 5000000ull

/* Waits for ns even if the pause ends early, as it does when a file's pages are lost: packets that leave
 * together may all be lost together. */
static void keep_apart(struct pw_send *s, uint64_t ns)
{
	const uint64_t end = pw_clock_ns() + ns;
	uint64_t now;

	if (pw_lane_pause(&s->lanes.v[0], ns, NULL) == 0)
		return;
	while ((now = pw_clock_ns()) < end)
		pw_lane_nap(pw_min_u64(end - now, PW_NS_PER_S - 1));
}

/* Waits until the drivers of lanes 1 and up have released their packets. Some drivers release packets only
 * when they get new ones, so this sends empty packets of the session. A peer that has all files may be gone
 * by now, which is no error; a peer that reads fewer queues than the session fills is an error. */
static int drain_others(struct pw_send *s, struct pw_err *err)
{
	const uint64_t end = pw_clock_ns() + DRAIN_NS;
	uint32_t i;

	for (i = 1; i < s->lanes.n; i++) {
		struct pw_send_lane *lane = &s->lanes.v[i];

		while (lane->ops->outstanding(lane->path) && lane->ops->alive(s->cfg.paths[0])) {
			if (pw_clock_ns() >= end)
				return pw_err_set(err, ETIMEDOUT,
					"cannot finish on %s: the peer did not read %u packets of "
					"queue %u; give the receiver as many --queues",
					s->cfg.path_text, lane->ops->outstanding(lane->path), i);
			lane->ops->reap(lane->path);
			pw_send_tables_alive(&s->cfg, lane);
			pw_lane_nap(DRAIN_GAP_NS);
		}
	}
	return 0;
}

/* Packets with the close flag, apart in time; then more of them until the driver has freed every payload
 * mbuf. */
static int send_close_packets(struct pw_send *s, struct pw_err *err)
{
	const struct pw_tx_ops *ops = s->cfg.ops;
	struct pw_send_lane *lane = &s->lanes.v[0];
	uint64_t start = pw_clock_ns(), now = start, gap, n = 0;
	int r;

	for (; ops->alive(lane->path); n++, now = pw_clock_ns()) {
		if (n >= CLOSE_PACKETS && ops->outstanding(lane->path) == 0)
			return 0;
		if (now - start > DRAIN_NS) {
			pw_warn(s->cfg.log, "%s keeps %u packets: the last ones may not have left",
				s->cfg.path_text, ops->outstanding(lane->path));
			return 0;
		}
		/* no other table has the last digests */
		r = pw_send_tables_send_close(
			&s->tables, lane, s->late_digests && n < CLOSE_PACKETS, err);
		if (r)
			return r == -ENOLINK ? 0 : r;
		gap = n >= CLOSE_PACKETS  ? DRAIN_GAP_NS
		      : s->cfg.repair.url ? SHORT_GAP_NS
					  : CLOSE_GAP_NS;
		if (n >= CLOSE_PACKETS &&
			lane->pace.on) /* a driver may ask for a ring full of them */
			gap = pw_max_u64(gap, pw_pace_wait(&lane->pace, pw_clock_ns()));
		keep_apart(s, pw_min_u64(gap, DRAIN_NS));
	}
	return 0;
}

int pw_session_close(struct pw_send *s, struct pw_err *err)
{
	struct pw_send_lane *lane = &s->lanes.v[0];
	uint64_t now, end;
	int r = drain_others(s, err);

	if (r || s->tables.n == 0)
		return r;
	s->is_closing = true;
	s->cfg.stopped = NULL; /* the rest is short, and the session is over: ignore signals */
	r = send_close_packets(s, err);
	if (r)
		return r;
	if (s->cfg.no_linger)
		return 0;
	/* the ring's memory may go with this process; a peer that has all it wants leaves first */
	now = pw_clock_ns();
	for (end = now + LINGER_NS; now < end && lane->ops->alive(lane->path); now = pw_clock_ns())
		pw_lane_pause(lane, LINGER_GAP_NS, NULL);
	return 0;
}
