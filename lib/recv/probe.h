/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counts the packets of a probe of the path (`pagewire doctor --to`), for the reports to its sender. A probe is no
 * session: it has no file and no table, and the receiver's end does not depend on it.
 *
 *   lanes: seen, next    -->  pw_recv_probe(): the sums, a few times a second  -->  reports (app)
 *
 * Packets are hostile. Memory is fixed; one probe is counted at a time, and for a bounded time. The next one is
 * counted when the one before it has been silent for a second. With keys or a source (config), only what they
 * allow is answered: no probe is signed.
 */
#ifndef PW_RECV_PROBE_H
#define PW_RECV_PROBE_H

#include "recv/recv.h"

struct pw_recv_probe {
	uint64_t id;
	char url[PW_PROBE_URL_MAX]; /* where to report, as received: any text */
	uint64_t expected, seen;    /* packets up to the last one that came, and those that came */
};

/* What is counted now; false: no probe is answered. Any thread. */
bool pw_recv_probe(struct pw_recv *r, uint64_t now_ns, struct pw_recv_probe *probe);

#endif
