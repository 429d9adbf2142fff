/* SPDX-License-Identifier: BSD-3-Clause */
/* Reports a replay job (counters, position, lateness) on DPDK's telemetry socket; see dpdk/telemetry.h. */
#ifndef PW_API_REPLAYTELEMETRY_H
#define PW_API_REPLAYTELEMETRY_H

#include "dpdk/tx.h"
#include "replay/replay.h"

struct pw_replay_telemetry; /* opaque */

/* What is reported; all of it outlives the telemetry. */
struct pw_replay_telemetry_config {
	const char *port, *driver; /* of the first */
	const char *file;
	struct pw_dpdk_tx *tx[PW_REPLAY_PORTS_MAX];
	uint32_t n_ports;
	uint64_t pass_bytes; /* 0: not known before the end of a pass */
	uint64_t loops;
	/* The job's own tick, called after each report; may be NULL. */
	void (*tick)(void *ctx, const struct pw_replay_status *st);
	void *tick_ctx;
};

/* After the ports are open. *rt may also be set on failure: call stop(). */
int pw_replay_telemetry_start(struct pw_replay_telemetry **rt,
	const struct pw_replay_telemetry_config *cfg, struct pw_err *err);
/* For pw_replay_config.tick, with ctx = rt: publishes, then calls the job's own tick. */
void pw_replay_telemetry_tick(void *ctx, const struct pw_replay_status *st);
/* Before the ports are stopped. Accepts NULL. */
void pw_replay_telemetry_stop(struct pw_replay_telemetry *rt);

#endif
