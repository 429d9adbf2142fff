/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sender's end of the repair channel: an HTTP server in a thread of its own, by libmicrohttpd.
 *
 *   receivers --POST--> server thread --> table of receivers, union of what they miss
 *                                            ^ status(), take()
 *                                      the session's thread
 *
 * Anyone on the network may send to it. Connections, bodies, the memory of all bodies together, and the time
 * of a request are bounded; a request with another token learns nothing.
 */
#ifndef PW_REPAIR_SERVER_H
#define PW_REPAIR_SERVER_H

#include "base/log.h"
#include "repair/table.h"

#define PW_REPAIR_CONNECTIONS 512u           /* at a time */
#define PW_REPAIR_BODY_BYTES  (64u << 20)    /* of all requests at a time */
#define PW_REPAIR_REQUEST_NS  30000000000ull /* a request takes at most */

struct pw_repair_server_config {
	struct pw_addr listen; /* port 0: any free one */
	uint64_t session_bytes;
	/* Checks a manifest against the files that the sender has, drops what it does not have, and counts the
	 * bytes that are asked for. On the server's thread. -EBADMSG: it is of another session. */
	int (*check)(void *ctx, struct pw_gaps *gaps, uint64_t *bytes, struct pw_err *err);
	/* Called with each report that the table has taken; index: of the receiver, in the order in which they
	 * came. On the server's thread, with its lock: short, and no call of the server. May be NULL. */
	void (*heard)(void *ctx, size_t index, const struct pw_repair_receiver *receiver);
	void *ctx;
	uint32_t
		report_ms; /* what receivers are told; longer when many report. 0: PW_REPAIR_REPORT_MS */
	const struct pw_log *log;
};

struct pw_repair_status {
	size_t n_receivers;
	size_t n_complete;
	size_t n_asked;    /* their manifests are in the union */
	size_t n_open;     /* not complete, have not left, and were heard of within silent_ns */
	size_t n_awaited;  /* of n_open: have not answered */
	uint64_t heard_ns; /* the last manifest, complete, or new receiver; 0: none */
	uint64_t new_ns;   /* the last new receiver; 0: none */
};

struct pw_repair_server; /* opaque */

/* -EADDRINUSE, -EADDRNOTAVAIL, ...: err has the fix. */
int pw_repair_server_start(
	struct pw_repair_server **s, const struct pw_repair_server_config *cfg, struct pw_err *err);
/* http://ADDR:PORT/TOKEN; lives as long as s. */
const char *pw_repair_server_url(const struct pw_repair_server *s);
/* Any thread; silent_ns: who said nothing for so long is not awaited; longer where so many report that their turn comes
 * less often. */
void pw_repair_server_status(
	struct pw_repair_server *s, uint64_t silent_ns, struct pw_repair_status *st);
/* All of this round is sent: manifests are taken from now on. Any thread. */
void pw_repair_server_listen(struct pw_repair_server *s);
/* Moves the union to *gaps, which is zeroed or finished before, and begins the next round: manifests
 * are refused until pw_repair_server_listen(), and then those of earlier rounds. Any thread. */
void pw_repair_server_take(struct pw_repair_server *s, struct pw_gaps *gaps);
/* Copies up to n receivers, in the order in which they came; returns how many there are. */
size_t pw_repair_server_receivers(
	struct pw_repair_server *s, struct pw_repair_receiver *list, size_t n);
/* Where receiver `index` sent its last message from; zeroed: there is none. */
struct pw_host_key pw_repair_server_from(struct pw_repair_server *s, size_t index);
/* Messages that were refused so far. */
uint64_t pw_repair_server_refused(struct pw_repair_server *s);
/* Waits a moment until the answers to what was taken have left. Accepts NULL. */
void pw_repair_server_stop(struct pw_repair_server *s);

#endif
