/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes of files that come by another way than packets, as from a web server: after the receive loop has
 * ended, and before pw_recv_finish().
 *
 *   pw_recv_bytes_want()  ->  ranges  ->  somebody fetches them  ->  pw_recv_bytes_put()
 *
 * They become packets again and take the path of all packets: claims, file worker, finisher. So a file of
 * which they are a part is verified and published as any other. The counters of packets, and the estimate of
 * loss, stay as they were when the loop ended.
 */
#ifndef PW_RECV_BYTES_H
#define PW_RECV_BYTES_H

#include "recv/gaps.h"
#include "recv/recv.h"

struct pw_recv_bytes; /* opaque; one thread, which is the only one that gives packets to the receiver */

int pw_recv_bytes_create(struct pw_recv_bytes **b, struct pw_recv *r, struct pw_err *err);
/* With resume: makes files known that the manifest lists and that no table of this run has named, as a table
 * would. So a manifest is enough, without any packet. */
int pw_recv_bytes_announce(struct pw_recv_bytes *b, struct pw_err *err);
/* What file i (below pw_recv_n_files()) misses, in whole symbols: *ranges[*n] (malloc; the caller frees). *n is 0
 * if it needs nothing, or cannot be completed by these bytes: without a digest nobody could tell what they
 * are, and a file that was whole and did not match is not received a second time. */
int pw_recv_bytes_want(
	struct pw_recv_bytes *b, size_t i, struct pw_range **ranges, size_t *n, struct pw_err *err);
/* Takes bytes [at, at + len) of the file of the last pw_recv_bytes_want(). A symbol whose bytes do not come in
 * order, one call after the other, is dropped. */
void pw_recv_bytes_put(struct pw_recv_bytes *b, uint64_t at, const void *data, size_t len);
/* Hands on what was taken, and waits until whole files are verified. */
void pw_recv_bytes_settle(struct pw_recv_bytes *b);
void pw_recv_bytes_destroy(struct pw_recv_bytes *b); /* accepts NULL */

#endif
