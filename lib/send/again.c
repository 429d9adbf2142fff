/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Repair rounds: when all passes are sent, the session stays open, its table asks the receivers for what they
 * miss, and their union is sent by the same lanes as the passes.
 *
 *   table with pw:Ask, again and again --> repair.ask() --> groups with gaps, pw:Round + 1 --> ...
 */
#include <errno.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "send/session_private.h"

#define ASK_COPIES 3 /* of the table that asks, at once: any packet may be lost */
#define ASK_GAP_NS 2000000ull
#define ASK_EACH   200000000ull /* then it is repeated */
#define LOOK_NS    1000000ull   /* between two questions to repair.ask() */

/* Sends the table that asks, and waits for the answers. */
static int listen_once(struct pw_send *s, enum pw_send_answer *answer, struct pw_err *err)
{
	struct pw_send_lane *lane = &s->lanes.v[0];
	uint64_t n = 0, next_ns = 0, now;
	int r;

	s->cfg.repair.listen(s->cfg.repair.ctx);
	s->tables.asks = true;
	s->is_listening = true;
	r = pw_session_build_table(s, err);
	for (*answer = PW_SEND_WAIT; r == 0 && *answer == PW_SEND_WAIT;) {
		now = pw_clock_ns();
		if (now >= next_ns) {
			r = pw_session_send_table(s, err);
			next_ns = now + (++n < ASK_COPIES ? ASK_GAP_NS : ASK_EACH);
		}
		if (r == 0)
			r = pw_lane_pause(lane, n < ASK_COPIES ? ASK_GAP_NS : LOOK_NS, err);
		if (r == 0)
			*answer = s->cfg.repair.ask(s->cfg.repair.ctx, false, s->told_ns);
	}
	s->tables.asks = false;
	s->is_listening = false;
	return r;
}

/* Bytes that the files' gaps ask for of the group that starts with file `first`. */
static uint64_t wanted_bytes(const struct pw_send *s, size_t first)
{
	const size_t end = pw_min_u64(first + PW_SEND_GROUP, s->cfg.files->n);
	uint64_t sum = 0;
	size_t i, k;

	for (; first < end; first++) {
		const struct pw_file *file = &s->cfg.files->v[first];

		if (!file->gap)
			sum += pw_max_u64(file->len_bytes, 1); /* an empty one lacks its table */
		for (i = 0, k = file->gap ? file->gap->n_missing : 0; i < k; i++)
			sum += file->gap->missing[i].to - file->gap->missing[i].from;
	}
	return sum;
}

/* Sends the groups of which something is missing. One that is open stays open. */
static int send_round(struct pw_send *s, struct pw_err *err)
{
	size_t first;
	uint64_t bytes;
	int r = 0;

	s->tables.round++;
	s->group.repairs = true;
	for (first = 0; r == 0 && first < s->cfg.files->n; first += PW_SEND_GROUP) {
		bytes = wanted_bytes(s, first);
		if (bytes == 0)
			continue;
		s->again_bytes += bytes;
		if (s->group.slots[0]->file == &s->cfg.files->v[first]) {
			r = pw_session_build_table(s, err);
		} else {
			r = pw_session_retire_group(s, err);
			if (r == 0)
				r = pw_session_open_group(s, first, err);
		}
		if (r == 0)
			r = pw_session_send_group(s, false, err);
	}
	return r;
}

int pw_session_repair(struct pw_send *s, struct pw_err *err)
{
	const uint64_t packets = pw_send_lanes_packets(&s->lanes);
	enum pw_send_answer answer;
	int r;

	do {
		r = listen_once(s, &answer, err);
		if (r == 0 && answer == PW_SEND_ROUND)
			r = send_round(s, err);
		s->res->rounds += r == 0 && answer == PW_SEND_ROUND;
	} while (r == 0 && answer == PW_SEND_ROUND);
	s->res->repair_bytes = pw_send_lanes_bytes(&s->lanes) - s->again_from;
	s->res->repair_packets = pw_send_lanes_packets(&s->lanes) - packets;
	/* all symbols have gone once: the receivers may have left */
	return r == -ENOLINK ? 0 : r;
}
