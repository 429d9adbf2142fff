/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The virtual wire that profiles measure: a sender into a sink that only takes packets.
 *
 *   send, file on hugetlbfs -> net_vhost === net_virtio_user -> testpmd rxonly
 *   opt->source_cpu: its threads, all of them       opt->sink_cpu: one core, which polls all queues
 */
#ifndef PW_BENCH_WIREPAIR_H
#define PW_BENCH_WIREPAIR_H

#include "bench/profile.h"
#include "bench/store.h"

#define PW_WIREPAIR_EAL_BYTES (640ull << 20) /* huge pages for both programs, for pw_store_make() */

struct pw_wirepair {
	const struct pw_profile_options *opt;
	const struct pw_store *store; /* its first file is sent, from hugetlbfs */
	unsigned int symbol_bytes;    /* MTU 9000 from 1500 on */
	unsigned int n_queues, loops;
};

/* Gbit/s of file bytes, by the sender's own clock: from the first byte handed over to the last one taken.
 * What it handed over has been copied then; a full ring holds it back. Errors as pw_contender.measure. */
int pw_wirepair_measure(const struct pw_wirepair *w, double *value, struct pw_err *err);
/* For pw_contender.how. */
void pw_wirepair_how(const struct pw_wirepair *w, char *buf, size_t len);

#endif
