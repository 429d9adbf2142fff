/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Answers on DPDK's telemetry socket, to dpdk-telemetry.py and others:
 *
 *   polling thread   pw_telemetry_tick(): sums are published -> [snapshot] -> /pagewire/stats
 *                    list() on request: a page of files <- [request] <- /pagewire/transfers
 *   DPDK's thread    a handler for each client: reads the snapshot, never the transfer's structures
 *
 * The polling thread takes no lock and does not wait. Telemetry does nothing between two ticks, so the fast
 * path costs the same with and without it.
 */
#ifndef PW_DPDK_TELEMETRY_H
#define PW_DPDK_TELEMETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "path/path.h"

#define PW_TELEMETRY_TICK_NS 100000000ull
#define PW_TELEMETRY_QUEUES  16 /* the room of an answer; further queues are only in the sums */
#define PW_TELEMETRY_COUNTS  12 /* words of a queue, or of the source's own */
#define PW_TELEMETRY_PAGE    32 /* files in an answer: DPDK's have at most 16 KiB */
#define PW_TELEMETRY_NAME    120

/* The transfer's sums. All words are uint64_t: they are published one by one. */
struct pw_telemetry_sample {
	uint64_t now_ns;
	uint64_t start_ns; /* of the first payload, 0 = none yet */
	uint64_t phase;    /* index of source->phases */
	uint64_t packets;
	uint64_t payload_bytes;
	uint64_t bytes_done;
	uint64_t bytes_total;
	uint64_t pass; /* 0: does not apply */
	uint64_t n_files;
	uint64_t n_ended;
	uint64_t counts[PW_TELEMETRY_COUNTS]; /* source->counts */
	uint64_t n_queues;
	uint64_t queues[PW_TELEMETRY_QUEUES][PW_TELEMETRY_COUNTS]; /* source->queue_counts */
	uint64_t packets_per_s_now; /* over the last second; filled in by the tick */
	uint64_t goodput_bps_now;
};

struct pw_telemetry_file {
	char name[PW_TELEMETRY_NAME]; /* of a longer one: "..." and its end */
	uint64_t toi;
	uint64_t len_bytes;
	uint64_t done_bytes;
	const char *state; /* static */
	const char *digest;
};

struct pw_telemetry_page {
	uint64_t first; /* asked for */
	uint32_t n;
	struct pw_telemetry_file files[PW_TELEMETRY_PAGE];
};

/* Names end with NULL; their order is that of the words. Static. */
struct pw_telemetry_source {
	const char *role; /* "send" */
	const char *port, *driver;
	const char *const *phases;
	const char *const *counts;
	const char *const *queue_counts;
	/* Fills page->n files from page->first on; called in the polling thread. */
	void (*list)(void *ctx, struct pw_telemetry_page *page);
	void *ctx;
};

struct pw_telemetry; /* opaque */

/* After EAL's start with config.telemetry. One at a time: DPDK's handlers get no context. */
int pw_telemetry_start(
	struct pw_telemetry **t, const struct pw_telemetry_source *source, struct pw_err *err);
/* True when the next tick is due. */
bool pw_telemetry_due(const struct pw_telemetry *t, uint64_t now_ns);
void pw_telemetry_tick(struct pw_telemetry *t, const struct pw_telemetry_sample *sample);
/* Afterwards no handler reads the source or the mempools. Accepts NULL. */
void pw_telemetry_stop(struct pw_telemetry *t);

/* A queue's words, and their names. */
extern const char *const pw_telemetry_tx_names[];
extern const char *const pw_telemetry_rx_names[];
void pw_telemetry_tx_words(uint64_t *words, const struct pw_tx_counters *c);
void pw_telemetry_rx_words(uint64_t *words, const struct pw_rx_counters *c);

/* A name or a path in printable ASCII, other bytes as %XX. Of a long one "..." and its end. to has
 * PW_TELEMETRY_NAME bytes. */
void pw_telemetry_name(char *to, const char *name);

#endif
