/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The result of a bench: rows of samples, and the environment in which they were measured. bench.c fills it;
 * the outputs (table, JSON, CSV, report) read it.
 *
 *   result   env, command, rounds
 *     row    a way on a wire with a file size and an MTU       -> summaries, or why it was skipped
 *       sample   one round: a number per metric                -> or why it is void
 */
#ifndef PW_BENCH_RESULT_H
#define PW_BENCH_RESULT_H

#include "base/err.h"
#include "bench/env.h"
#include "bench/metric.h"
#include "bench/stats.h"
#include "bench/wire.h"

/* How the receiver knows that the bytes are the file's. */
enum pw_proof {
	PW_PROOF_NONE,     /* only the driver counted: null, a NIC without the kernel */
	PW_PROOF_DIGEST,   /* every byte arrived, XXH3-128 equals the file's */
	PW_PROOF_COMPARED, /* with loss: all that arrived was compared with the file */
	PW_PROOF_COUNTED,  /* a device's counters; the bytes were not read */
};
const char *pw_proof_name(enum pw_proof p);

struct pw_sample {
	double v[PW_N_METRICS];
	uint32_t round; /* 0 = warm-up, left out of the summaries */
	bool evidence; /* ran under a meter that slows the kernel: only what pw_metric_is_evidence() says of it
			   enters the summaries, and of no other */
	enum pw_proof proof;
	uint64_t
		packets_sent; /* that kernel or driver accepted, file tables included; stream ways: 0 */
	uint64_t packets_counted;  /* PW_PROOF_COUNTED: by the device or its queue */
	char void_why[PW_ERR_MAX]; /* "" = valid; a wrong digest, a crash, a deadline */
};

/* What a way is expected to cost on a wire, and why: kernel functions and calls (bench-method.md). */
struct pw_expected {
	double cpu_copies;  /* per payload byte, sender's side; NaN: not known */
	double dma_copies;  /* the device's; never measured */
	const char *reason; /* one line */
};

struct pw_row {
	const char *way;   /* "udp_gso", "dpdk_vhost" */
	const char *label; /* "udp_gso", "dpdk_vhost hugefile" */
	const char *pages; /* "hugetlbfs", "tmpfs": where the file lay; bypass: the provider */
	bool bypass;
	bool stream; /* 64 KiB calls over TCP, not packets of the MTU */
	enum pw_wire_kind wire;
	uint64_t file_bytes;
	uint32_t mtu;
	bool cold;
	struct pw_expected expected;
	char skipped[PW_ERR_MAX]; /* "" = it ran; else what this host lacks */
	struct pw_sample *samples;
	size_t n_samples;
	/* Of the valid samples after the warm-up. */
	struct pw_summary sum[PW_N_METRICS];
	struct pw_summary ratio; /* goodput over the baseline's, round by round; n 0: no baseline */
	const char *not_measured[PW_N_METRICS]; /* why a metric is NaN; NULL: it does not apply */
};

struct pw_bench_result {
	struct pw_env env;
	const char *command;  /* the command line */
	const char *profile;  /* "quick", "full", "classic" */
	const char *baseline; /* label of the way that ratios are against, per wire where it ran */
	uint32_t rounds;      /* warm-up not counted */
	uint64_t seed;
	double seconds;      /* the whole bench took */
	struct pw_row *rows; /* grouped by wire, then file size, MTU, cold */
	size_t n_rows;
};

/* Rows' summaries and ratios from their samples. */
void pw_result_summarize(struct pw_bench_result *r);
void pw_result_finish(struct pw_bench_result *r); /* frees rows and samples */

#endif
