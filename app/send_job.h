/* SPDX-License-Identifier: BSD-3-Clause */
/* `pagewire send`: options, and the job that they make. */
#ifndef PW_APP_SEND_JOB_H
#define PW_APP_SEND_JOB_H

#include "app/cli.h"
#include "app/opt.h"
#include "dpdk/tx.h"
#include "xfer/files.h"
#include "xfer/gaps.h"
#include "xfer/send.h"

struct pw_send_options {
	const char *port, *to, *from, *to_mac, *pages, *gaps, *core;
	uint64_t vlan, ttl, dscp, mtu, symbol, loops, tsi, queue_size, memory_bytes;
	uint64_t fdt_interval_ns, lead_ns, wait_ns;
	struct pw_rate rate;
	int pages_choice, digest, udp_checksum, iova;
	bool md5, no_huge, dry_run, progress, json;
};

enum { PW_UDP_CSUM_AUTO, PW_UDP_CSUM_OFFLOAD, PW_UDP_CSUM_SOFTWARE, PW_UDP_CSUM_NONE };

struct pw_send_job {
	const struct pw_send_options *opt;
	const struct pw_context *ctx;
	struct pw_portspec spec;
	struct pw_flow flow;
	struct pw_files files;
	struct pw_gaps gaps;
	const struct pw_driver_traits *traits;
	enum pw_pages first_pages; /* of the first file */
	bool mixed_pages;
	uint64_t stage_bytes;
	uint32_t symbol_len;
	uint64_t va_next; /* where the next mapping for a device goes */
	struct pw_dpdk_tx *tx;
	struct pw_dpdk_tx_info info;
	enum pw_csum csum;
	struct pw_progress progress;
	struct pw_send_result result;
};

/* send_job.c: everything before EAL starts; usage errors return -EINVAL with *usage set. */
int pw_send_job_plan(
	struct pw_send_job *job, const struct pw_operands *ops, bool *usage, struct pw_err *err);
/* Starts the port and completes the flow: addresses, MACs, checksums. */
int pw_send_job_open(struct pw_send_job *job, const struct pw_operands *ops, struct pw_err *err);
int pw_send_job_run(struct pw_send_job *job, struct pw_err *err);
void pw_send_job_finish(struct pw_send_job *job);

/* send_report.c */
void pw_send_report_start(const struct pw_send_job *job);
void pw_send_report_end(const struct pw_send_job *job, const struct pw_tx_counters *c, int code);

#endif
