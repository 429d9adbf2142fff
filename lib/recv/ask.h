/* SPDX-License-Identifier: BSD-3-Clause */
/* The way back to the sender: where its file tables say that it is, and what to ask for. Any thread. */
#ifndef PW_RECV_ASK_H
#define PW_RECV_ASK_H

#include "recv/gaps.h"
#include "recv/recv.h"

#define PW_RECV_ASK_FILES 32768u /* in each list of one request */

struct pw_recv_way_back {
	char url[PW_FDT_URL_MAX]; /* pw:Repair, as received: any text */
	uint64_t round;           /* pw:Round: highest so far */
	bool asks; /* the sender has sent all of that round, and waits for requests */
};

/* Of the newest session that has one. false: none has, so far. */
bool pw_recv_way_back(struct pw_recv *r, struct pw_recv_way_back *way);
/* What that session's files miss now, as a gap manifest without digests. With more than max_ranges ranges,
 * neighbours are joined, and files beyond the bounds left out. The caller finishes *g. */
int pw_recv_ask(struct pw_recv *r, size_t max_ranges, struct pw_gaps *g, struct pw_err *err);

#endif
