/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fetches ranges of files from a web server that has the same files: the post-delivery repair of RFC 6726
 * section 9 and 3GPP TS 26.346 section 9.3, without their repair descriptor: the server is named by the user.
 *
 *   GET BASE/dir/a%20b.img    Range: bytes=0-1439,2880-5759,...    at most PW_FETCH_RANGES of them
 *
 * A server that takes fewer ranges in one request gets fewer; one that takes none sends the whole file. The
 * server is hostile: lengths, times and redirects are bounded, and what it sends is only as good as the digest
 * that the receiver compares.
 */
#ifndef PW_REPAIR_FETCH_H
#define PW_REPAIR_FETCH_H

#include "repair/http_body.h"

#define PW_FETCH_RANGES       64u           /* in one request */
#define PW_FETCH_REDIRECTS    5             /* of one request */
#define PW_FETCH_HEADER_BYTES (64ull << 10) /* of all answers to one request */

struct pw_fetch_config {
	const char *url; /* of the directory; see pw_fetch_check_url() */
	uint64_t
		stall_ns; /* ends a request that brings less than 1 KiB/s for so long; at least 1 s */
	bool (*stopped)(void);
};

struct pw_fetch_counters {
	uint64_t requests;
	uint64_t ranges; /* that were asked for, repetitions included */
	uint64_t bytes;  /* of bodies, wanted or not */
	uint64_t whole;  /* files that came whole, because the server ignores Range */
};

struct pw_fetch; /* opaque; one thread */

bool pw_fetch_is_url(const char *s); /* begins with http:// or https:// */
/* -EINVAL: not a URL, or not one of a directory (with a query or fragment). `what` is the option's name. */
int pw_fetch_check_url(const char *what, const char *url, struct pw_err *err);

int pw_fetch_open(struct pw_fetch **f, const struct pw_fetch_config *cfg, struct pw_err *err);
/* Fetches ranges[n] (n >= 1, sorted, disjoint) of the file `name` of len_bytes, and passes them to put. name is
 * percent-encoded and appended to the URL. put may have taken a part of the ranges when it fails.
 *   -ENOENT     the server does not have the file, or does not give it
 *   -EBADMSG    its answer is not what was asked for: another file, or no HTTP
 *   -ECANCELED  stopped() was true
 *   else        the server cannot be reached, or stalls; or put's error */
int pw_fetch_file(struct pw_fetch *f, const char *name, uint64_t len_bytes,
	const struct pw_range *ranges, size_t n, pw_http_put put, void *ctx, struct pw_err *err);
void pw_fetch_counters(const struct pw_fetch *f, struct pw_fetch_counters *c);
void pw_fetch_close(struct pw_fetch *f); /* accepts NULL */

#endif
