/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ways back that file tables name: one of each stripe, or one of a session that is sent by one host. With the
 * receiver's lock.
 */
#ifndef PW_RECV_WAYS_H
#define PW_RECV_WAYS_H

#include "recv/recv_private.h"

struct pw_way {
	uint32_t stripe; /* whose */
	char *url;       /* pw:Repair of its newest table; owned */
	uint64_t round;  /* pw:Round, and pw:Ask of that round */
	bool asks;
};

/* A table of the session. Takes its URL. */
void pw_recv_learn_way(struct pw_recv *r, struct pw_session *s, struct pw_fdt *fdt);
void pw_recv_drop_ways(struct pw_session *s);
/* The session whose sender, or whose set of them, takes requests: the newest one that has a way. NULL: none has. */
const struct pw_session *pw_recv_asked_session(const struct pw_recv *r);

#endif
