/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which file tables a receiver with trusted keys takes: those that one of the keys signed, that have not
 * expired, and that belong to the newest session of their key.
 *
 *   text -> signature -> XML parsed -> Expires, Sequence -> taken
 *
 * Sequence is the time at which the session began, in microseconds since 1970. It grows with each session of a
 * key, so a recorded session is refused once a newer one came; and two sessions under one sequence cannot
 * come from two addresses. The newest sequence of each key is kept in PW_TRUST_FILE in the output directory, so
 * that this holds after a restart as well. There a session that was received whole is over; one that was not may
 * go on.
 *
 * Hosts that send together (`--stripe`) may sign with one key. Their sessions are a set, with one TSI; each has a
 * sequence of its own, which must be greater than those of the key before the set began. So the rule holds for each
 * stripe by itself.
 *
 * The file worker uses it, and pw_recv_finish() when all threads are idle.
 */
#ifndef PW_RECV_TRUST_H
#define PW_RECV_TRUST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "file/sign.h"
#include "wire/addr.h"
#include "wire/fdt.h"

#define PW_TRUST_FILE   "pagewire-trust.json"
#define PW_TRUST_SCHEMA "pagewire.trust/1"

enum pw_trust_verdict {
	PW_TRUST_GOOD,
	PW_TRUST_UNSIGNED,
	PW_TRUST_FORGED,  /* by a key that is not trusted, or not the signature of these bytes */
	PW_TRUST_STALE,   /* of an older session, or a session's copy from elsewhere */
	PW_TRUST_EXPIRED, /* or from the future */
};

/* A session, or one stripe of a set. */
struct pw_trust_session {
	uint64_t sequence; /* 0: none yet */
	bool is_bound;     /* this run has seen it: it comes from `from` with this TSI */
	struct pw_host_key from;
	uint64_t tsi;
};

/* The newest session of a key, or its newest set. */
struct pw_trust_newest {
	uint64_t sequence;  /* the greatest */
	uint64_t before;    /* the greatest of older sessions */
	bool whole;         /* all of it was received */
	uint32_t n_stripes; /* 0: one host sends all, as v[0] */
	uint64_t tsi;       /* of a set */
	struct pw_trust_session v[PW_STRIPES_MAX];
};

struct pw_trust {
	const struct pw_keys *keys;
	uint64_t skew_s;                /* how far the clocks of sender and receiver may differ */
	struct pw_trust_newest *newest; /* of each key */
	char *dir;                      /* NULL: nothing is kept on the disk */
	json_t *state;                  /* of the file: also keys that are not trusted now */
};

/* dir: where PW_TRUST_FILE is, or NULL. keys must outlive *t. -EBADMSG: the file is damaged. */
int pw_trust_open(struct pw_trust *t, const struct pw_keys *keys, uint64_t skew_ns, const char *dir,
	struct pw_err *err);

/* Verifies the signature of a table. *key: the number of the key, of PW_TRUST_GOOD. */
enum pw_trust_verdict pw_trust_verify(
	const struct pw_trust *t, const void *text, size_t len, size_t *key);

/* Whether a verified and parsed table of this key counts now. unix_s: the time. Remembers its session, and
 * writes the file when it is a newer one; *err: that failed (then err->code is set). */
enum pw_trust_verdict pw_trust_admit(struct pw_trust *t, size_t key, const struct pw_fdt *fdt,
	struct pw_host_key from, uint64_t tsi, uint64_t unix_s, struct pw_err *err);

/* A digest that a signature can stand on. */
bool pw_trust_takes_digest(enum pw_digest_kind kind);

/* All sessions that this run has seen were received whole: they are over. */
int pw_trust_end_sessions(struct pw_trust *t, struct pw_err *err);

void pw_trust_close(struct pw_trust *t); /* accepts a zeroed one */

#endif
