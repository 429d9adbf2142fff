/* SPDX-License-Identifier: BSD-3-Clause */
#include "replay/share.h"

bool pw_share_has(const struct pw_share *s, const uint8_t *frame, uint32_t len)
{
	struct pw_flow_key key;

	pw_flow_key_of(&key, frame, len);
	return pw_flow_queue(pw_flow_hash(&key), s->n_queues) == s->queue;
}
