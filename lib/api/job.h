/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A send job: opens a port, the files' pages and the flow, and runs a session on them. `pagewire
 * send`, libpagewire and the bench use it.
 *
 *   plan   files, symbols, provider of each file   (no DPDK yet: wrong input ends here)
 *   open   EAL, port, link, addresses, MACs, checksums
 *   run    the session (send/send.h)
 */
#ifndef PW_API_JOB_H
#define PW_API_JOB_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/jobfec.h"
#include "api/joboptions.h"
#include "dpdk/tx.h"
#include "recv/gaps.h"
#include "send/files.h"
#include "send/send.h"

#define PW_JOB_MAX_QUEUES 64

struct pw_job {
	const struct pw_job_options *opt;
	const struct pw_log *log;
	bool (*stopped)(void);                                    /* may be NULL */
	void (*tick)(void *ctx, const struct pw_send_status *st); /* may be NULL */
	void *tick_ctx;
	void (*stretch)(void *ctx, bool starts); /* may be NULL, see send/send.h */
	void *stretch_ctx;
	struct pw_send_repair repair; /* url NULL: there is no way back; see send/wayback.h */
	uint64_t
		probe_bytes; /* of generated pages: no file is sent, see api/jobprobe.h; 0: files are */
	bool no_stream;      /* symbols are sent in any order: auto never streams */
	bool no_populate; /* pages of the page cache are faulted in while they are sent */
	bool keep_eal;    /* see struct pw_dpdk_config */

	struct pw_portspec spec;
	struct pw_flow flow;
	struct pw_files files;
	struct pw_gaps gaps;
	struct pw_signer *signer; /* NULL: the file tables are not signed */
	const struct pw_driver_traits *traits;
	enum pw_pages first_pages; /* of the first file */
	bool mixed_pages;
	bool readonly_maps;   /* the page cache, for a device */
	size_t n_in_place;    /* files with bytes that no stage copies */
	uint64_t stage_bytes; /* EAL memory for stage, stream and parity, besides the pools */
	bool stream_staged;   /* what would be staged is too large: it is streamed */
	bool stream_direct;   /* the first streamed file is read past the page cache */
	struct pw_stream_plan stream; /* n_slots 0: nothing is streamed */
	uint32_t tsi;                 /* as given, or drawn */
	struct pw_stripe stripe;
	struct pw_send_fec fec;    /* k 0: no parity */
	struct pw_job_bands bands; /* of streamed files with parity */
	uint32_t symbol_len;
	uint64_t va_next;                   /* where the next mapping for a device goes */
	struct pw_dpdk_tx *tx;              /* NULL: not open, or --port udp:IF */
	void *sock;                         /* of --port udp:IF, see jobsock.h */
	void *queues[PW_JOB_MAX_QUEUES];    /* path handles */
	cpu_set_t cpus;                     /* that the process had before EAL bound it to one */
	struct pw_tx_counters counters;     /* all queues' sums, see pw_job_counters() */
	struct pw_job_telemetry *telemetry; /* NULL: not asked for */
	struct pw_dpdk_tx_info info;
	enum pw_csum csum; /* the choice for udp_checksum */
	struct pw_send *send;
	struct pw_send_result result;
};

/* Everything before EAL starts. *usage: the options are at fault, not the host. */
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
