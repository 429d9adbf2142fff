/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pagewire send --repair: the server that receivers report to, when a round begins and when the session ends,
 * and the table of receivers at the end.
 *
 *   server thread: manifests --> union            session's thread: ask() --> gaps of the job's files
 */
#ifndef PW_APP_CMD_SEND_REPAIR_H
#define PW_APP_CMD_SEND_REPAIR_H

#include <jansson.h>
#include <pthread.h>

#include "api/job.h"
#include "repair/server.h"

struct pw_send_repair_options {
	const char *where;   /* NULL: no repair; "auto", or ADDR[:PORT] to listen at */
	uint64_t max_rounds; /* more are not sent */
	uint64_t silence_ns; /* a receiver that says nothing for so long is not waited for */
	uint64_t n_expected; /* receivers that there are; 0: not known */
	uint64_t n_ignored;  /* with --rate auto: so many of the slowest receivers do not count */
};

#define PW_SEND_REPAIR_AUTO     "auto"
#define PW_SEND_REPAIR_RATE_MAX 160 /* bytes of pw_send_repair_rate()'s text */

struct pw_send_repair_run {
	const struct pw_send_repair_options *opt;
	struct pw_job *job;
	struct pw_repair_server *server;
	const struct pw_file **by_name; /* the job's files */
	struct pw_gaps gaps;            /* what this round sends */
	struct pw_gap_file nothing;     /* of a file that nobody misses */
	uint64_t rounds;
	uint64_t start_ns;  /* the server's */
	uint64_t listen_ns; /* since when the session waits for this round's requests */
	struct pw_repair_receiver *receivers;   /* at the end: those that lack something first */
	size_t n_receivers, n_whole, n_unheard; /* n_unheard: expected, and have not reported */
	uint64_t n_refused;                     /* messages */
	/* With --rate auto: the server's thread reports, the session's asks for the rate. */
	pthread_mutex_t rate_lock;
	struct pw_ratectl *rate;       /* NULL: the rate is given */
	struct pw_host_key bound_from; /* at the end: the receiver that bounds the rate */
};

/* Whether the options go together; before the job is planned. */
int pw_send_repair_check(const struct pw_send_repair_options *o, const struct pw_job_options *job,
	struct pw_err *err);
/* Starts the server, and makes the job use it. The job is open and not prepared. */
int pw_send_repair_start(struct pw_send_repair_run *r, const struct pw_send_repair_options *o,
	struct pw_job *job, struct pw_err *err);
/* Ends the server when the job has run. Afterwards the table can be printed. */
void pw_send_repair_end(struct pw_send_repair_run *r);
/* Whether every receiver that reported has every file, and as many as expected did: at least one. */
bool pw_send_repair_is_whole(const struct pw_send_repair_run *r);
/* With --rate auto: what the controller has found so far. */
void pw_send_repair_rate_state(struct pw_send_repair_run *r, struct pw_ratectl_state *st);
/* "rate 190 Mbit/s, bound by the link to 10.0.0.2", while the session runs. NULL without --rate auto. */
const char *pw_send_repair_rate(struct pw_send_repair_run *r, char *buf, size_t len);
const char *pw_send_repair_bound_name(enum pw_rate_bound bound); /* "link" */
/* ", bound by the link to 10.0.0.2", a part of a sentence; "": nothing is known to bound it yet. */
const char *pw_send_repair_bound(const struct pw_send_repair_run *r,
	const struct pw_ratectl_state *st, char *buf, size_t len);
void pw_send_repair_human(struct pw_send_repair_run *r);
json_t *pw_send_repair_json(struct pw_send_repair_run *r);
void pw_send_repair_finish(struct pw_send_repair_run *r); /* accepts a zeroed one */

#endif
