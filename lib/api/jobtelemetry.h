/* SPDX-License-Identifier: BSD-3-Clause */
/* Reports a send job (counters, progress of files) on DPDK's telemetry socket; see dpdk/telemetry.h. */
#ifndef PW_API_JOBTELEMETRY_H
#define PW_API_JOBTELEMETRY_H

#include "dpdk/tx.h"
#include "send/send.h"

struct pw_job_telemetry; /* opaque */

/* What is reported; all of it outlives the telemetry. */
struct pw_job_telemetry_config {
	const char *port, *driver;
	const struct pw_files *files;
	bool has_digests; /* a digest is sent of each file */
	struct pw_dpdk_tx *tx;
	/* The job's own tick, called after each report; may be NULL. */
	void (*tick)(void *ctx, const struct pw_send_status *st);
	void *tick_ctx;
};

/* After the port is open. *jt may also be set on failure: call pw_job_telemetry_stop(). */
int pw_job_telemetry_start(struct pw_job_telemetry **jt, const struct pw_job_telemetry_config *cfg,
	struct pw_err *err);
/* For pw_send_config.tick: publishes, then calls the job's own tick. */
void pw_job_telemetry_tick(void *jt, const struct pw_send_status *st);
/* Before the port is stopped. Accepts NULL. */
void pw_job_telemetry_stop(struct pw_job_telemetry *jt);

#endif
