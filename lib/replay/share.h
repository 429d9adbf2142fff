/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which lane a frame goes through. Each lane has one, and asks it about every frame of the capture.
 *
 *   frame --> flow (wire/flow.h) --hash--> queue: a flow has one, so its frames stay in order
 *                                --side--> port: that of the clients, or that of the servers (wire/side.h)
 */
#ifndef PW_REPLAY_SHARE_H
#define PW_REPLAY_SHARE_H

#include <stdbool.h>

#include "wire/side.h"

#define PW_SIDES_FLOWS (1u << 20) /* flows whose first frame is remembered */

enum pw_sides_kind { PW_SIDES_FIRST, PW_SIDES_NETS, PW_SIDES_CACHE };

/* How the sides of two ports are known; all lanes read it. */
struct pw_sides {
	enum pw_sides_kind kind;
	struct pw_side_nets nets;
	struct pw_side_cache cache;
	const char *cache_path;
	uint8_t *cache_bytes; /* owned */
};

/* Reads a cache file of tcpprep. -EBADMSG: it is none. */
int pw_sides_read_cache(struct pw_sides *sides, const char *path, struct pw_err *err);
void pw_sides_finish(struct pw_sides *sides); /* accepts a zeroed one */

struct pw_share {
	uint32_t n_queues;            /* of each port; 0: one */
	uint32_t queue;               /* the lane's */
	const struct pw_sides *sides; /* NULL: one port */
	enum pw_side side;            /* the lane's */
	struct pw_side_table table;   /* PW_SIDES_FIRST */
};

enum pw_share_verdict {
	PW_SHARE_OWN,
	PW_SHARE_OTHER, /* another lane's */
	PW_SHARE_NONE,  /* the cache tells not to send it */
	PW_SHARE_END,   /* the cache has fewer frames */
	PW_SHARE_LOST,  /* the frame is no longer there */
};

/* The other fields are set before. */
int pw_share_init(struct pw_share *s, struct pw_err *err);
void pw_share_finish(struct pw_share *s); /* accepts a zeroed one */

static inline bool pw_share_is_all(const struct pw_share *s)
{
	return s->n_queues <= 1 && !s->sides;
}

/* frame[len], an Ethernet frame, of which the first PW_HEADERS_LOOK bytes are readable; index: its number in the
 * capture, from 0. Asked of every frame once a pass, in order. Not with pw_share_is_all(). */
enum pw_share_verdict pw_share_of(
	struct pw_share *s, const uint8_t *frame, uint32_t len, uint64_t index);

#endif
