/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receiver's end of the repair channel: sends messages from a thread of its own, by libcurl.
 *
 *   want() --> due after a random back-off --> make the body --> POST --> again later, if the sender was not
 *                                                                         reached or had no room
 *
 * A report is sent again and again, as often as the sender asks for it: from the first one that is wanted until
 * COMPLETE or LEAVE is.
 *
 * The threads that receive packets only call want() and status(), which never wait for the network.
 */
#ifndef PW_REPAIR_CLIENT_H
#define PW_REPAIR_CLIENT_H

#include <sched.h>

#include "base/log.h"
#include "recv/gaps.h"
#include "repair/message.h"

struct pw_repair_client_config {
	/* A message waits a random time: up to backoff_each_ns for each receiver that the sender has reported,
	 * but at most backoff_ns; that is also the bound while their number is not known, and doubles after each
	 * failure. */
	uint64_t backoff_ns, backoff_each_ns;
	unsigned int n_tries;  /* of a message; at least 1 */
	const cpu_set_t *cpus; /* where its thread runs; NULL: where the caller does */
	/* Fill in what the receiver has and misses, on the client's thread, when the message is due. The client
	 * fills in id and name. gaps() sets *gaps (zeroed) to at most PW_REPAIR_RANGES_MAX ranges; the client
	 * finishes it. -errno: the message is dropped, with a warning. */
	int (*report)(void *ctx, struct pw_repair_report *report, struct pw_err *err);
	int (*gaps)(void *ctx, struct pw_gaps *gaps, struct pw_err *err);
	void *ctx;
	const struct pw_log *log;
};

struct pw_repair_client_status {
	bool has_url;
	bool is_pending[PW_REPAIR_N_KINDS];  /* wanted, and neither taken nor given up */
	uint64_t n_taken[PW_REPAIR_N_KINDS]; /* by the sender */
	uint64_t n_given_up;                 /* messages */
	uint64_t n_unreached; /* messages in a row that did not reach it, or its answer this end */
	uint64_t round;       /* that the sender was in when it answered last */
	uint64_t n_receivers; /* that it knew then; 0: it did not tell */
	bool is_refused;      /* it answered that it takes no more of this receiver */
};

struct pw_repair_client; /* opaque */

int pw_repair_client_start(
	struct pw_repair_client **c, const struct pw_repair_client_config *cfg, struct pw_err *err);
/* Where messages go from now on; those that wait for another sender are dropped. NULL: nowhere. -EINVAL: not a URL of
 * this channel. */
int pw_repair_client_set_url(struct pw_repair_client *c, const char *url, struct pw_err *err);
/* Wants the message to be sent, once; one of this kind that still waits is replaced, and COMPLETE
 * and LEAVE replace all. round: of GAPS. */
void pw_repair_client_want(struct pw_repair_client *c, enum pw_repair_kind kind, uint64_t round);
void pw_repair_client_status(struct pw_repair_client *c, struct pw_repair_client_status *st);
/* Waits until no message is pending, or for ns; returns whether none is. */
bool pw_repair_client_wait(struct pw_repair_client *c, uint64_t ns);
/* Breaks off a message that is being sent. Accepts NULL. */
void pw_repair_client_stop(struct pw_repair_client *c);

#endif
