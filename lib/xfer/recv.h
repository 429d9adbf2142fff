/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receiver: ALC packets in, verified files out.
 *
 *   packet -> parse -> TOI 0: FDT, collect, parse, learn files
 *                   -> TOI n: place the symbol at its offset in NAME.part (mapped), mark the bitmap
 *   last symbol     -> finisher thread: digest, rename NAME.part -> NAME
 *
 * Packets are hostile: nothing is written outside the output directory, memory is bounded by the
 * limits in the config, and every packet that is not taken has a counter. One thread calls
 * everything here; the finisher thread is inside. With several lanes, other threads bring packets, too.
 */
#ifndef PW_XFER_RECV_H
#define PW_XFER_RECV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "path/path.h"
#include "wire/fdt.h"
#include "xfer/output.h"

struct pw_recv_config {
	const char *out_dir;   /* must exist; NULL with discard */
	const char *gaps_path; /* where the manifest goes; NULL = out_dir/PW_GAPS_FILE */
	bool discard;          /* count and drop payload (no files); no digest */
	enum pw_write write;   /* new files */
	uint64_t
		write_memory_bytes; /* of each file that goes past the page cache; see xfer/direct.h */
	bool force;                 /* replace existing files */
	bool resume;                /* take up .part files by the manifest at gaps_path */
	bool tsi_given;
	uint64_t tsi;            /* only this session; else the first one seen */
	uint64_t max_file_bytes; /* refuse larger; 0 = the free space of out_dir's file system */
	uint64_t max_files;      /* 0 = 1,000,000 files known at once */
	uint64_t expect_files; /* done after this many files ended; 0 = when the session says so */
	uint32_t n_lanes; /* threads that bring packets: 0 or 1, one, by pw_recv_burst(); more, by
			     pw_recv_lane_burst() */
};

struct pw_recv_counters {
	uint64_t packets;
	uint64_t payload_bytes; /* file bytes written (or discarded), duplicates not counted */
	uint64_t duplicates;    /* symbols that were already there */
	uint64_t strangers;     /* other sessions' packets (TSI) */
	uint64_t unknown_toi;   /* no FDT has named it (yet) */
	uint64_t finished_toi;  /* for a file that is complete or refused */
	uint64_t malformed;     /* sum over ALC verdicts other than OK */
	uint64_t out_of_object; /* SBN/ESI or length contradict the FDT */
	uint64_t fdt_packets;
	uint64_t fdt_bad;       /* instances that do not parse or break a limit */
	uint64_t fdt_conflicts; /* entries that contradict an earlier instance; the first one stands
				 */
	uint64_t alc_verdicts[PW_ALC_N_VERDICTS];
};

enum pw_recv_file_state {
	PW_RECV_KNOWN,      /* named by an FDT, no symbol yet */
	PW_RECV_PARTIAL,    /* some symbols */
	PW_RECV_VERIFYING,  /* all symbols, with the finisher */
	PW_RECV_COMPLETE,   /* digest matches, renamed */
	PW_RECV_UNVERIFIED, /* complete and renamed, but the sender named no digest */
	PW_RECV_MISMATCH,   /* digest differs: NAME.part is kept */
	PW_RECV_REFUSED,    /* unsafe name, exists, too large, encoded, disk full, ... */
};

const char *pw_recv_file_state_name(enum pw_recv_file_state s);

struct pw_recv_file_info {
	uint64_t toi;
	const char *name; /* as received, control characters escaped for print */
	enum pw_recv_file_state state;
	uint64_t len_bytes;
	uint64_t have_bytes;
	struct pw_digest digest; /* as the sender named it */
	const char *reason;      /* REFUSED, MISMATCH: one sentence; else NULL */
};

struct pw_recv_status {
	uint64_t n_files;     /* known */
	uint64_t n_ended;     /* complete, unverified, mismatch or refused */
	uint64_t n_good;      /* complete or unverified */
	uint64_t bytes_total; /* of known files */
	uint64_t bytes_have;
	uint64_t symbols_expected; /* symbols that the sender has passed so far, by the highest seen
				      in each object: loss so far = 1 - symbols_seen /
				      symbols_expected */
	uint64_t symbols_seen;
	bool session_seen;   /* a packet of the session came */
	bool session_closed; /* LCT flag A came */
	bool done; /* nothing more to wait for: expect reached, or all files of the session ended */
	bool fatal; /* disk full or output gone: stop, pw_recv_finish() says why */
};

struct pw_recv; /* opaque */

int pw_recv_create(struct pw_recv **r, const struct pw_recv_config *cfg, const struct pw_log *log,
	struct pw_err *err);
/* Takes n packets. Never fails: what is wrong is counted, or turns up in the status. */
void pw_recv_burst(struct pw_recv *r, const struct pw_rx_view *views, size_t n);
/* The same for lane 0 .. n_lanes - 1, where n_lanes > 1; one thread a lane. Returns how many bytes of
 * files it brought that had not been there. Drops all once pw_recv_finish() was called. */
uint64_t pw_recv_lane_burst(
	struct pw_recv *r, uint32_t lane, const struct pw_rx_view *views, size_t n);
/* Cheap: collects the finisher's results too. */
void pw_recv_status(struct pw_recv *r, struct pw_recv_status *st);
/* With several lanes: as they are now, and brought up to date by each pw_recv_status(). */
const struct pw_recv_counters *pw_recv_counters(const struct pw_recv *r);
/* Waits for the finisher, writes the gap manifest if anything is missing (removes a stale one if
 * nothing is), closes files. Entries of an older manifest about files that this session said
 * nothing newer of stay in it. Returns
 *   0: every file of the session (with expect_files: at least that many) is good, or with discard
 *      has all its symbols; with resume nothing of the manifest is missing either
 *   1: incomplete, refused or mismatch (exit code 3)
 *   -errno: fatal, err says */
int pw_recv_finish(struct pw_recv *r, struct pw_err *err);
size_t pw_recv_n_files(const struct pw_recv *r);
/* Valid until destroy. */
void pw_recv_file(const struct pw_recv *r, size_t i, struct pw_recv_file_info *info);
/* The manifest that finish wrote, or NULL. */
const char *pw_recv_gaps_written(const struct pw_recv *r);
void pw_recv_destroy(struct pw_recv *r); /* accepts NULL; finishes if that was not done */

#endif
