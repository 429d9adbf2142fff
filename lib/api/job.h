/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A send job: a port, the files' pages and the flow, put together. What `pagewire send` and
 * libpagewire share.
 *
 *   plan   files, symbols, provider of each file   (no DPDK yet: bad input ends here)
 *   open   EAL, port, link, addresses, MACs, checksums
 *   run    the session (send/send.h)
 */
#ifndef PW_API_JOB_H
#define PW_API_JOB_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"
#include "dpdk/tx.h"
#include "recv/gaps.h"
#include "send/files.h"
#include "send/send.h"

enum pw_job_csum { PW_JOB_CSUM_AUTO, PW_JOB_CSUM_OFFLOAD, PW_JOB_CSUM_SOFTWARE, PW_JOB_CSUM_NONE };
enum pw_job_pacing { PW_JOB_PACING_AUTO, PW_JOB_PACING_SW, PW_JOB_PACING_HW };
enum pw_job_digest { PW_JOB_DIGEST_XXH3_128, PW_JOB_DIGEST_SHA256, PW_JOB_DIGEST_NONE };

#define PW_JOB_NO_VLAN    UINT64_MAX
#define PW_JOB_DRAW_TSI   UINT64_MAX
#define PW_JOB_MAX_QUEUES 64

struct pw_job_options {
	const char *port, *to, *from, *to_mac, *gaps, *core, *file_prefix;
	uint64_t vlan, ttl, dscp, mtu, symbol, loops, tsi, queue_size, queues, memory_bytes;
	uint64_t stream_bytes; /* of the ring that streamed files go through, at most */
	uint64_t fdt_interval_ns, lead_ns, wait_ns, link_grace_ns;
	struct pw_rate rate;
	uint64_t burst_limit;
	int pacing;       /* enum pw_job_pacing */
	int pages;        /* enum pw_pages */
	int digest;       /* enum pw_job_digest */
	int udp_checksum; /* enum pw_job_csum */
	int iova;         /* enum pw_iova */
	bool md5, no_huge, telemetry, shared_mem;
	char **eal_argv;
	int eal_argc;
};

#define PW_JOB_DEFAULTS                                                                     \
	{                                                                                   \
		.vlan = PW_JOB_NO_VLAN, .mtu = 1500, .tsi = PW_JOB_DRAW_TSI, .loops = 1,    \
		.fdt_interval_ns = 1000000000, .lead_ns = 50000000, .wait_ns = 30000000000, \
		.link_grace_ns = PW_SEND_LINK_GRACE_NS, .stream_bytes = 256ull << 20,       \
		.pacing = PW_JOB_PACING_SW,                                                 \
	}

struct pw_job {
	const struct pw_job_options *opt;
	const struct pw_log *log;
	bool (*stopped)(void);                                    /* may be NULL */
	void (*tick)(void *ctx, const struct pw_send_status *st); /* may be NULL */
	void *tick_ctx;
	void (*stretch)(void *ctx, bool starts); /* may be NULL, see send/send.h */
	void *stretch_ctx;
	bool no_stream;   /* symbols are asked for in any order: auto stages what is large, too */
	bool no_populate; /* leave the page cache's pages to be faulted in while they go */

	struct pw_portspec spec;
	struct pw_flow flow;
	struct pw_files files;
	struct pw_gaps gaps;
	const struct pw_driver_traits *traits;
	enum pw_pages first_pages; /* of the first file */
	bool mixed_pages;
	bool readonly_maps;           /* the page cache, for a device */
	size_t n_in_place;            /* files with bytes that no stage copies */
	uint64_t stage_bytes;         /* EAL memory for stage and stream, besides the pools */
	bool stream_staged;           /* too large to be staged: streamed */
	bool stream_direct;           /* the first streamed file is read past the page cache */
	struct pw_stream_plan stream; /* n_slots 0: nothing is streamed */
	uint32_t tsi;                 /* as given, or drawn */
	uint32_t symbol_len;
	uint64_t va_next; /* where the next mapping for a device goes */
	struct pw_dpdk_tx *tx;
	void *queues[PW_JOB_MAX_QUEUES];    /* path handles */
	cpu_set_t cpus;                     /* that the process had before EAL bound it to one */
	struct pw_tx_counters counters;     /* all queues' sums, see pw_job_counters() */
	struct pw_job_telemetry *telemetry; /* NULL: not asked for */
	struct pw_dpdk_tx_info info;
	enum pw_csum csum;
	struct pw_send *send;
	struct pw_send_result result;
};

/* Everything before EAL starts. *usage: the options are at fault, not the world. */
int pw_job_plan(
	struct pw_job *job, char *const *operands, int n_operands, bool *usage, struct pw_err *err);
/* Starts the port and completes the flow: addresses, MACs, checksums. */
int pw_job_open(struct pw_job *job, struct pw_err *err);
/* Makes job->send, without sending. */
int pw_job_prepare(struct pw_job *job, struct pw_err *err);
/* Sends, stops the port, closes the windows. */
int pw_job_run(struct pw_job *job, struct pw_err *err);
/* Of the port, after open; of all its queues, now. */
const struct pw_tx_counters *pw_job_counters(struct pw_job *job);
void pw_job_finish(struct pw_job *job);

#endif
