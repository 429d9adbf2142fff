/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The finisher: a thread that verifies files whose symbols are all there and gives them their
 * names, while packets go on being placed.
 *
 *   receiver   submit(object, mapping) ->  [queue]  -> finisher: digest, rename
 *              collect() <- [results] <-------------------'
 *
 * The thread reads an object's toi, name, length and digest, which never change; everything else of
 * it stays the receiver's. Signals but the synchronous ones go to other threads.
 */
#ifndef PW_XFER_FINISH_H
#define PW_XFER_FINISH_H

#include <stdbool.h>

#include "base/err.h"
#include "xfer/object.h"
#include "xfer/output.h"

enum pw_finish_kind {
	PW_FINISH_PART,   /* verify NAME.part, rename it to NAME */
	PW_FINISH_EMPTY,  /* create it first */
	PW_FINISH_TARGET, /* only verify NAME (resume) */
};

enum pw_finish_result {
	PW_FINISH_GOOD,       /* digest matches; renamed */
	PW_FINISH_UNVERIFIED, /* no digest; renamed */
	PW_FINISH_MISMATCH,   /* why says both digests */
	PW_FINISH_FAILED,     /* code, why */
};

struct pw_finish_job {
	struct pw_finish_job *next;
	struct pw_object *obj;
	struct pw_mapping map;
	struct pw_digest_state *digest; /* over digested_bytes, or NULL; owned */
	uint64_t digested_bytes;
	enum pw_finish_kind kind;
	enum pw_finish_result result;
	int code;  /* FAILED: positive errno */
	char *why; /* owned, or NULL */
};

struct pw_finish; /* opaque */

/* out outlives the finisher. */
int pw_finish_create(
	struct pw_finish **f, const struct pw_output *out, bool force, struct pw_err *err);

/* The part's digest is taken over. map: taken over when the finisher has room for one more mapping, else closed; may be NULL. Then
 * the finisher maps the file itself. */
int pw_finish_submit(struct pw_finish *f, struct pw_object *o, enum pw_finish_kind kind,
	struct pw_mapping *map, struct pw_err *err);

/* Finished jobs in order, or NULL; each is the caller's, for pw_finish_job_destroy(). One relaxed
 * load when there is none. */
struct pw_finish_job *pw_finish_collect(struct pw_finish *f);
void pw_finish_job_destroy(struct pw_finish_job *job);

void pw_finish_wait(struct pw_finish *f);    /* until every job submitted is finished */
void pw_finish_destroy(struct pw_finish *f); /* waits too; accepts NULL */

#endif
