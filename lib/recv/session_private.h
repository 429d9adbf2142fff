/* SPDX-License-Identifier: BSD-3-Clause */
/* A session that is received: the packets of one TSI from one address. The receiver's lock protects it. */
#ifndef PW_RECV_SESSION_PRIVATE_H
#define PW_RECV_SESSION_PRIVATE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "recv/fdtrx.h"
#include "recv/limits.h"
#include "wire/addr.h"
#include "wire/stripe.h"

struct pw_session {
	struct pw_host_key from;
	uint64_t tsi;
	struct pw_fdtrx fdt;      /* the file worker's */
	uint64_t n_session_files; /* pw:Files of the newest instance that has it; 0 = unknown */
	uint64_t n_named;         /* files in its tables */
	uint64_t n_first;         /* objects that it announced first */
	uint64_t n_shared;        /* of n_first: that a session outside its set announced again */
	struct pw_way *ways;      /* see ways.h; owned */
	size_t n_ways;
	unsigned int n_closes;
	uint32_t n_stripes; /* of its set, see below; 0: it has none */
	uint64_t stripes;   /* which of them it has said to be: bit I */
	bool fdt_complete;
	bool is_trusted;  /* with keys: a signed table of it came */
	uint8_t reported; /* bits of enum pw_trust_verdict: a warning was given */
	bool has_data;    /* a symbol came */
	bool forgets;     /* its tables count as new; see tables.c */
	bool names_old;   /* it named a file of the old manifest; see manifest.c */
};

/* A probe of the path, which is no session; see probe.h. */
struct pw_probe {
	_Atomic uint64_t id; /* TSI + 1; 0: none is counted */
	/* with the lock */
	char url[PW_PROBE_URL_MAX];
	uint64_t start_ns;
	uint64_t seen, seen_ns; /* packets, and when their number changed */
};

static_assert(PW_STRIPES_MAX <= 64, "a bit of a word each");
static_assert(PW_STRIPES_MAX <= PW_RECV_MAX_SESSIONS, "a session each");

/* Whether both are stripes of one set: hosts that send the same files together, with one TSI. A session is in
 * its own set. */
static inline bool pw_session_same_set(const struct pw_session *a, const struct pw_session *b)
{
	return a->n_stripes && a->n_stripes == b->n_stripes && a->tsi == b->tsi;
}

#endif
