/* SPDX-License-Identifier: BSD-3-Clause */
/* The way back to the sender, or to each of those that send together: where their file tables say that it is, and
 * what to ask for. Any thread. */
#ifndef PW_RECV_ASK_H
#define PW_RECV_ASK_H

#include "recv/gaps.h"
#include "recv/recv.h"
#include "wire/stripe.h"

#define PW_RECV_ASK_FILES 32768u /* in each list of one request */
#define PW_RECV_WAYS_MAX  PW_STRIPES_MAX

struct pw_recv_way_back {
	char url[PW_FDT_URL_MAX]; /* pw:Repair, as received: any text */
	struct pw_stripe stripe;  /* whose; count 1: one host sends all */
	uint64_t round;           /* pw:Round: highest so far */
	bool asks; /* the sender has sent all of that round, and waits for requests */
};

/* Of the newest session that has one, and of the others of its set; those of one stripe stand together, stripe 0
 * first. Returns how many: 0: none has, so far. */
size_t pw_recv_ways_back(struct pw_recv *r, struct pw_recv_way_back ways[PW_RECV_WAYS_MAX]);
/* What those sessions' files miss now, as a gap manifest without digests: of that only the share of one of several
 * senders. With more than max_ranges ranges, neighbours are joined, and ranges and files beyond the bounds left
 * out. The caller finishes *g. */
int pw_recv_ask(struct pw_recv *r, const struct pw_stripe *share, size_t max_ranges,
	struct pw_gaps *g, struct pw_err *err);

#endif
