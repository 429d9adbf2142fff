/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which lane a frame goes through. Each lane has one, and asks it about every frame of the capture.
 *
 *   frame --> flow (wire/flow.h) --hash--> queue: a flow has one, so its frames stay in order
 */
#ifndef PW_REPLAY_SHARE_H
#define PW_REPLAY_SHARE_H

#include <stdbool.h>

#include "wire/flow.h"

struct pw_share {
	uint32_t n_queues; /* 0 and 1: every frame is the lane's */
	uint32_t queue;    /* the lane's */
};

static inline bool pw_share_is_all(const struct pw_share *s)
{
	return s->n_queues <= 1;
}

/* frame[len], an Ethernet frame, of which the first PW_HEADERS_LOOK bytes are readable. Not with pw_share_is_all(). */
bool pw_share_has(const struct pw_share *s, const uint8_t *frame, uint32_t len);

#endif
