/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions of status.c that only the receiver itself calls. */
#ifndef PW_RECV_STATUS_PRIVATE_H
#define PW_RECV_STATUS_PRIVATE_H

#include "recv/recv.h"

/* Refuses the files whose writing has failed. With the lock. */
void pw_recv_check_failed(struct pw_recv *r);
/* Fills what the sessions tell: n_sessions, n_never_named, session_closed, done. With the lock. */
void pw_recv_look_at_sessions(struct pw_recv *r, struct pw_recv_status *st);
/* Counters of packets, and symbols, stay as they are now: what comes from now on is no sender's. */
void pw_recv_hold_counts(struct pw_recv *r);

#endif
