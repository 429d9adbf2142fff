/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs the comparison of `pagewire bench`: rows (way x wire x file size x MTU), each measured once in every
 * round, in a new random order. docs/bench-method.md describes the method.
 *
 *   plan     rows, files, wires                     usage errors end here
 *   run      round 0 (warm-up, discarded: it also finds how many passes fill the stretch)
 *            rounds 1..N, then two evidence runs a row, which count calls and copies
 *   result   samples and their summaries
 */
#ifndef PW_BENCH_BENCH_H
#define PW_BENCH_BENCH_H

#include "base/log.h"
#include "base/units.h"
#include "bench/result.h"

struct pw_bench_options {
	const char *profile; /* "quick", "full": what the lists below are when NULL or 0 */
	const char *command; /* the command line, for the record */
	const char *file;    /* the user's; NULL: pseudo-random files of `sizes` are made */
	const char *wires;   /* "loopback,veth,nic:eth1" */
	const char *ways;    /* "udp_gso,dpdk_vhost" */
	const char *sizes;   /* "4KiB,64MiB" */
	const char *mtus;    /* "1500,9000": all but the first with the largest size only */
	const char *baseline;
	const char *cold_dir; /* where cold files lie: on a disk; NULL: warm only */
	const char *to;       /* nic: ADDR:PORT of the remote receiver */
	const char *cores;    /* "0,1": sender's and receiver's CPU; NULL: the first two allowed */
	uint64_t rounds, stretch_ns, seed, batch, chunk_bytes;
	struct pw_rate rate;
	bool rebind; /* nic: the bypass may take the device from the kernel's driver */
	bool no_evidence, no_huge, sqpoll, qdisc_bypass, verbose;
	const struct pw_log *log;
	bool (*stopped)(void);
};

struct pw_bench; /* opaque */

/* Makes files and wires; *usage: the options are at fault. Unshares the mount namespace of the
 * calling process, so that its file systems end with it. */
int pw_bench_create(
	struct pw_bench **b, const struct pw_bench_options *o, bool *usage, struct pw_err *err);
uint64_t pw_bench_estimate_ns(const struct pw_bench *b); /* how long run will take, about */
/* Called before each cell; what: "udp_gso on veth". */
void pw_bench_set_tick(struct pw_bench *b,
	void (*tick)(void *ctx, uint64_t done, uint64_t total, const char *what), void *ctx);
/* -ECANCELED: interrupted; what was measured so far is in the result. */
int pw_bench_run(struct pw_bench *b, struct pw_err *err);
const struct pw_bench_result *pw_bench_result(const struct pw_bench *b);
void pw_bench_destroy(struct pw_bench *b); /* accepts NULL */

#endif
