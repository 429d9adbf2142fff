/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receivers that have reported to a sender, and the union of what they miss. No I/O and no lock: the
 * server (repair/server.h) has the lock.
 *
 * Anyone with the token may report, so everything is bounded: the receivers, those of one address, what one
 * of them asks for, and the ranges of the union.
 */
#ifndef PW_REPAIR_TABLE_H
#define PW_REPAIR_TABLE_H

#include "recv/gaps.h"
#include "repair/message.h"

#define PW_REPAIR_MAX_RECEIVERS 16384u
#define PW_REPAIR_MAX_OF_HOST   4096u      /* receivers of one address */
#define PW_REPAIR_MAX_UNION     (4u << 20) /* ranges of the union */
#define PW_REPAIR_MAX_SHARE     8u /* a receiver asks for the session's bytes so many times at most */

#define PW_REPAIR_REPORTS 1000u /* a second, of all receivers: more of them report less often */

struct pw_repair_receiver {
	struct pw_host_key from;        /* of its last message */
	struct pw_repair_report report; /* its last one; id is always set */
	bool is_complete;
	bool has_left;               /* it ended without all files */
	bool has_asked;              /* since the union was taken last */
	bool has_nothing;            /* the same, to ask for: another stripe has it */
	uint64_t missing_bytes;      /* of its last manifest; 0 with is_complete */
	uint64_t rounds;             /* manifests that were taken of it */
	uint64_t asked_bytes;        /* of all of them */
	uint64_t first_ns, heard_ns; /* pw_clock_ns() of its first and last message */
	uint64_t complete_ns;        /* 0: not yet */
};

struct pw_repair_table {
	struct pw_repair_receiver *v;
	size_t n, room;
	struct pw_gaps gaps;    /* the union of the manifests since it was taken last */
	size_t n_asked;         /* receivers whose manifests are in it */
	uint64_t n_refused;     /* messages */
	uint64_t round;         /* manifests of other rounds are refused */
	bool is_listening;      /* else all are: the round is still being sent */
	uint64_t heard_ns;      /* the last manifest, complete, or new receiver */
	uint64_t new_ns;        /* the last new receiver */
	uint64_t session_bytes; /* of the share */
};

/* What the table makes of a message: an HTTP status. */
enum pw_repair_verdict {
	PW_REPAIR_TAKEN = 200,
	PW_REPAIR_BAD = 400,
	PW_REPAIR_STALE =
		409, /* another round's; the receiver sends a new one at that round's end */
	PW_REPAIR_TOO_MUCH = 429,
	PW_REPAIR_FULL = 503,
};

/* A report, a complete or a leave. *index, if it is taken: of the receiver in v. */
enum pw_repair_verdict pw_repair_table_report(struct pw_repair_table *t, struct pw_host_key from,
	const struct pw_repair_report *report, enum pw_repair_kind kind, uint64_t now_ns,
	size_t *index);
/* A manifest that asks for `bytes`; takes what is in gaps (also when it is refused). */
enum pw_repair_verdict pw_repair_table_gaps(struct pw_repair_table *t, struct pw_host_key from,
	uint64_t id, uint64_t round, struct pw_gaps *gaps, uint64_t bytes, uint64_t now_ns);
/* Milliseconds between two reports of a receiver, at least, so that all together keep to PW_REPAIR_REPORTS. */
uint64_t pw_repair_table_least_ms(const struct pw_repair_table *t);
/* silent_ns, or three of these intervals if that is longer. */
uint64_t pw_repair_table_silent_ns(const struct pw_repair_table *t, uint64_t silent_ns);
void pw_repair_table_finish(struct pw_repair_table *t); /* accepts a zeroed one */

#endif
