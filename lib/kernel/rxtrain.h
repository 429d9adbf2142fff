/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/kernel: a message of the kernel that may hold several datagrams of one sender, because GRO
 * has merged them or the sender's GSO was never undone.
 *
 *   train   | seg | seg | seg | short |
 *   train   | datagram |                   seg == len
 */
#ifndef PW_KERNEL_RXTRAIN_H
#define PW_KERNEL_RXTRAIN_H

#include <stdint.h>

#include "path/path.h"

struct pw_rxtrain {
	const uint8_t *data; /* len bytes that are not handed out yet */
	uint32_t len;
	uint32_t seg; /* bytes of each datagram but the last; > 0 when len > 0 */
	struct pw_host_key from;
};

/* The number of its datagrams. An empty message is one. */
static inline uint32_t pw_rxtrain_count(const struct pw_rxtrain *t)
{
	return t->len ? (t->len + t->seg - 1) / t->seg : 1;
}

/* Takes up to n datagrams from trains[*cur] on, and counts them. Moves *cur to the first train that is not empty;
 * returns how many. */
static inline uint16_t pw_rxtrain_views(struct pw_rx_counters *c, struct pw_rxtrain *trains,
	unsigned int n_trains, unsigned int *cur, struct pw_rx_view *views, uint16_t n)
{
	uint16_t k = 0;

	while (k < n && *cur < n_trains) {
		struct pw_rxtrain *t = &trains[*cur];
		const uint32_t len = t->len < t->seg ? t->len : t->seg;

		if (len == 0) {
			++*cur;
			continue;
		}
		views[k++] = (struct pw_rx_view){.data = t->data, .len = len, .from = t->from};
		t->data += len;
		t->len -= len;
		c->bytes += len;
	}
	c->packets += k;
	return k;
}

#endif
