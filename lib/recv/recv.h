/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receiver: takes ALC packets and makes verified and durable files of them.
 *
 *   lane (a thread per queue)      file worker                 finisher
 *   parse, claim, place     --->   tables, open parts  --->    digest, sync, rename
 *   lane.c                         tables.c, ready.c           finish.c
 *     '-- parity symbols --> decoder: restores symbols, places them like a lane (parity.h, decode.c)
 *
 * A lane never opens, maps or renames a file, and never parses a table: packets that need this wait in
 * bounded queues (room.c) until the file worker has done it. Packets are hostile: nothing is written
 * outside the output directory, the config bounds the memory, and every packet that is dropped is counted.
 */
#ifndef PW_RECV_RECV_H
#define PW_RECV_RECV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "file/outdir.h"
#include "file/sign.h"
#include "path/path.h"
#include "recv/state.h"
#include "wire/alc.h"
#include "wire/fdt.h"

struct pw_recv_memory;

struct pw_recv_config {
	const char *out_dir;         /* must exist; NULL with discard */
	const char *gaps_path;       /* the manifest; NULL = out_dir/PW_GAPS_FILE */
	bool discard;                /* count and drop payload: no files, no digests */
	enum pw_outdir_write write;  /* new files */
	uint64_t write_memory_bytes; /* bytes that may wait for the disk; see file/outdir.h */
	bool force;                  /* replace existing files */
	bool resume;                 /* continue the partial files that the manifest lists */
	bool not_durable;            /* COMPLETE does not mean that the disk has the file */
	bool require_digest;         /* a file without a digest is a failure */
	const struct pw_keys *trust; /* take only tables that they signed; NULL: all tables */
	uint64_t clock_skew_ns;      /* with trust: between sender and receiver, at most */
	bool tsi_given;
	uint64_t tsi;            /* with tsi_given: take only sessions of this TSI */
	struct pw_addr source;   /* family 0: any; else only sessions from this address */
	uint64_t max_file_bytes; /* refuse larger; 0 = no limit but the free space */
	uint64_t max_files;      /* files and directories; 0 = 1,000,000 */
	uint64_t expect_files;   /* done when so many files ended; 0 = all of the sessions */
	uint32_t n_lanes;        /* threads that take in packets; 0 = 1 */
	const struct pw_recv_memory *memory; /* NULL: files; else one lane, see recv/memory.h */
};

struct pw_recv_counters {
	uint64_t packets;
	uint64_t payload_bytes; /* file bytes placed, also restored ones; no duplicates */
	uint64_t symbols;       /* symbols of open files, duplicates included */
	uint64_t duplicates;    /* symbols that had come before */
	uint64_t again_bytes;   /* with memory: of duplicates, which were placed once more */
	uint64_t strangers;     /* packets of sessions that are ignored */
	uint64_t unknown_toi;  /* no table has named the object by the end, or the queue was full */
	uint64_t finished_toi; /* for a file that is complete, refused or superseded */
	uint64_t malformed;    /* sum over ALC verdicts other than OK and PROBE */
	uint64_t parity;       /* parity symbols of open files */
	uint64_t parity_dropped; /* of parity: memory was short */
	uint64_t restored;       /* source symbols that parity restored */
	uint64_t out_of_object;  /* SBN/ESI or length contradict the table */
	uint64_t fdt_packets;
	uint64_t fdt_bad;       /* instances that cannot be used, and packets that contradict */
	uint64_t fdt_dropped;   /* table packets that found the queue full */
	uint64_t fdt_conflicts; /* entries that contradict an earlier one; the newest one stands */
	uint64_t fdt_unsigned;  /* with trust: instances that were not taken ... */
	uint64_t fdt_forged;    /* ... signed by another key, or changed */
	uint64_t fdt_stale;     /* ... of a session that was replayed */
	uint64_t fdt_expired;
	uint64_t waited;       /* packets that waited for their file or its table */
	uint64_t wait_dropped; /* of waited: the queue was full for too long */
	uint64_t alc_verdicts[PW_ALC_N_VERDICTS];
};

struct pw_recv_file_info {
	uint64_t toi;
	uint64_t tsi;
	const char *name; /* as received, control characters escaped for print */
	enum pw_recv_file_state state;
	uint64_t len_bytes;
	uint64_t have_bytes;
	struct pw_digest digest; /* as the sender named it */
	const char *reason;      /* REFUSED, MISMATCH, SUPERSEDED: one sentence; else NULL */
};

/* A session whose packets were ignored. */
struct pw_recv_ignored {
	struct pw_host_key from;
	uint64_t tsi;
	uint64_t packets;
};

struct pw_recv_status {
	uint64_t n_files;      /* known */
	uint64_t n_ended;      /* good, refused or superseded */
	uint64_t n_good;       /* complete or unverified */
	uint64_t n_unverified; /* of n_good */
	uint64_t
		n_never_named; /* the senders' counts (pw:Files) less the files in their tables; after
				 * finish() with resume, less what the old manifest knows */
	uint64_t bytes_total; /* of known files */
	uint64_t bytes_have;
	uint64_t symbols_expected; /* sent so far, in all passes; not in repair rounds */
	uint64_t symbols_seen;     /* of them; loss on the path = 1 - seen / expected */
	uint64_t n_sessions;
	uint64_t n_stripes, n_stripes_closed; /* hosts that send together, as their tables say */
	bool session_seen;                    /* a packet of a session that is not ignored came */
	bool session_closed; /* every session was closed by its sender (LCT flag A, at least twice), and
			      * of stripes every one, also those of which nothing came yet */
	bool done; /* nothing more to wait for: expect reached, or all files of all sessions ended */
	uint64_t disk_waited_ns; /* by packets; see file/outdir.h */
	bool fatal;              /* an error ends the transfer: stop; pw_recv_finish() returns it */
};

struct pw_recv; /* opaque */

int pw_recv_create(struct pw_recv **r, const struct pw_recv_config *cfg, const struct pw_log *log,
	struct pw_err *err);
/* Takes n packets on lane 0. Never fails: faults are counted, or shown in the status. */
void pw_recv_burst(struct pw_recv *r, const struct pw_rx_view *views, size_t n);
/* The same for lane 0 .. n_lanes - 1; one thread for each lane. Returns how many new bytes came, including
 * those that wait for their file. Drops all packets once pw_recv_finish() was called. */
uint64_t pw_recv_lane_burst(
	struct pw_recv *r, uint32_t lane, const struct pw_rx_view *views, size_t n);
/* Any thread; cheap, but too slow for every packet. */
void pw_recv_status(struct pw_recv *r, struct pw_recv_status *st);
void pw_recv_counters(struct pw_recv *r, struct pw_recv_counters *c);
/* Waits until all packets so far are placed, and all complete files are verified: for tests and the end. */
void pw_recv_settle(struct pw_recv *r);
/* Settles, syncs partial files, and writes the gap manifest if anything is missing; else removes an old one.
 * Entries of an old manifest about files that are still not complete stay in it.
 *   0: every file of every session (with expect_files: at least that many) is good
 *   1: incomplete, refused, mismatch or conflict (exit code 3)
 *   -errno: fatal, see err */
int pw_recv_finish(struct pw_recv *r, struct pw_err *err);
size_t pw_recv_n_files(struct pw_recv *r);
void pw_recv_file(struct pw_recv *r, size_t i, struct pw_recv_file_info *info);
/* Up to n sessions that were ignored; returns how many. */
size_t pw_recv_ignored(struct pw_recv *r, struct pw_recv_ignored *list, size_t n);
/* The path of the manifest that finish wrote, or NULL. */
const char *pw_recv_gaps_written(const struct pw_recv *r);
void pw_recv_destroy(struct pw_recv *r); /* accepts NULL; calls finish if that was not done */

#endif
