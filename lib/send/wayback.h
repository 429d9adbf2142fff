/* SPDX-License-Identifier: BSD-3-Clause */
/* How a session learns what its receivers miss, where there is a way back from them. */
#ifndef PW_SEND_WAYBACK_H
#define PW_SEND_WAYBACK_H

#include <stdbool.h>
#include <stdint.h>

#include "send/ratectl.h"

/* What the receivers want, as far as is known: see struct pw_send_repair. */
enum pw_send_answer { PW_SEND_WAIT, PW_SEND_ROUND, PW_SEND_END };

/* With a way back from the receivers. */
struct pw_send_repair {
	const char *url; /* in each file table; NULL: there is no way back */
	/* Asked many times a second by the session's thread when all passes are sent, until it returns
	 *   PW_SEND_ROUND  each file's gap says what to send once more, in a new round
	 *   PW_SEND_END    no receiver wants more: the session closes
	 * With loops 0 it is asked between two passes instead, with is_carousel, and PW_SEND_END ends them.
	 * told_ns: by pw_clock_ns(), when the tables had been sent so often that every receiver that hears the
	 * session knows the URL; 0: not yet. */
	enum pw_send_answer (*ask)(void *ctx, bool is_carousel, uint64_t told_ns);
	/* Called before the first table that asks, in each round: what receivers said before is about symbols
	 * that were still to be sent. */
	void (*listen)(void *ctx);
	/* NULL: the rate stays. Called by the session's thread a few dozen times a second; returns the rate of
	 * all lanes together, in bit/s. */
	double (*rate)(void *ctx, const struct pw_rate_sent *sent, uint64_t now_ns);
	void *ctx;
};

#endif
