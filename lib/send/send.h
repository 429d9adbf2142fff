/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sender: sends files as one FLUTE session over any path, and decides when each symbol is sent.
 *
 *   pass 1..loops   for each group of files:  open the windows, file table, symbols by all lanes,
 *                                             the table again meanwhile and after the last symbol
 *   end             all tables once more; packets with the close-session flag until the driver has
 *                   released every page
 *
 *   session.c  passes, groups, link, clock      lane.c    the loop that feeds one queue; lanes.c  their threads
 *   group.c    hands the symbols out to lanes   parity.c  parity symbols, and the order of sending with them
 *   slot.c     one file: window, headers        reader.c  disk, parity and digests, ahead of the lanes or beside them
 *   tables.c   file tables                      pace.c    the rate
 *
 * Files go in groups, each with a file table: memory is bounded. Windows are closed when their last packet is back.
 */
#ifndef PW_SEND_SEND_H
#define PW_SEND_SEND_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "base/units.h"
#include "file/sign.h"
#include "file/stream.h"
#include "path/path.h"
#include "send/files.h"
#include "send/pace.h"
#include "send/parity.h"
#include "send/wayback.h"
#include "wire/fdt.h"

#define PW_SEND_LINK_GRACE_NS 500000000ull
#define PW_SEND_DIGEST_FIRST  (4ull << 20) /* usual digest_first_bytes */
#define PW_SEND_GROUP         64 /* files in one FDT instance, and windows open at once (twice that) */

enum pw_send_phase { PW_SEND_READING, PW_SEND_SENDING, PW_SEND_LISTENING, PW_SEND_CLOSING };

struct pw_send_status {
	enum pw_send_phase phase;
	uint64_t bytes_done;  /* of all passes; READING: of a file, before its first symbol */
	uint64_t bytes_total; /* 0: unknown, as with loops 0; READING: to be read of that file */
	uint64_t packets;
	uint64_t pass;      /* 1.. */
	uint64_t file;      /* the one under way, from 0; not while READING */
	uint64_t file_done; /* bytes of it in this pass */
	uint64_t start_ns;  /* of the first symbol, 0 = not yet */
};

/* What the user asks of a session. Options are parsed straight into it. */
struct pw_send_settings {
	enum pw_digest_kind digest;
	bool md5;               /* Content-MD5 as well */
	uint32_t flute_version; /* in EXT_FDT: 1 (RFC 3926) or 2 (RFC 6726) */
	struct pw_rate rate;
	uint64_t burst_limit; /* packets that may leave back to back; 0: 2 ms of the rate */
	uint64_t loops;       /* passes; 0 = until stopped */
	uint64_t fdt_interval_ns, lead_ns; /* lead: between the first FDT and the first symbol */
	uint64_t link_grace_ns;            /* how long the link, or the peer, may be gone */
	struct pw_send_fec fec;
};

#define PW_SEND_SETTINGS_DEFAULT                                                                 \
	{                                                                                        \
		.digest = PW_DIGEST_XXH3_128, .loops = 1, .fdt_interval_ns = 1000000000,         \
		.lead_ns = 50000000, .link_grace_ns = PW_SEND_LINK_GRACE_NS, .flute_version = 2, \
		.fec.points = PW_RS_N_POINTS,                                                    \
	}

struct pw_send_config {
	const struct pw_tx_ops *ops;
	void *const *paths; /* n_paths: the queues of one port, a lane for each */
	uint32_t n_paths;
	const char *path_text;  /* PORT, for messages */
	struct pw_files *files; /* digests are filled in */
	struct pw_flow flow;    /* complete: MACs, addresses, ports */
	uint32_t mtu;           /* IP MTU: bounds FDT packets */
	uint32_t symbol_len;
	bool csum_offload;
	bool force_wide; /* 32-bit TSI and TOI even when 16 bits suffice */
	uint32_t tsi;
	struct pw_stripe stripe; /* of the files' symbols, see send/stripe.h */
	struct pw_send_settings set;
	const struct pw_signer *signer; /* signs the file tables; NULL: they are not signed */
	/* The digest of a file up to this size is in the first file table, for which it is read before it is
	 * sent. The digest of a larger file is computed while it is sent, and a later table has it. */
	uint64_t digest_first_bytes;
	const cpu_set_t *reader_cpus; /* where files are read; NULL: where the caller runs */
	bool no_linger;    /* what the path has taken does not need this process any more */
	uint64_t drain_ns; /* longest time in which a queue whose rate the port holds runs empty */
	/* Opens a file's window with the provider that was chosen. */
	int (*open_window)(void *ctx, struct pw_window *w, const char *path, struct pw_err *err);
	void *ctx;
	struct pw_stream_plan stream;  /* for windows of the stream provider: a ring in stage_mem */
	struct pw_stage_mem stage_mem; /* for parity as well */
	/* A disk that is silent for so long is reported (0 = 5 s); a port that keeps all slots 6 times as long. */
	uint64_t read_patience_ns;
	bool (*stopped)(void); /* asked a few thousand times a second */
	void (*tick)(
		void *ctx, const struct pw_send_status *st); /* may be NULL; a few times a second */
	void *tick_ctx;
	/* Called at both ends of the time that data_ns measures; starts: before the first symbol. May be NULL. */
	void (*stretch)(void *ctx, bool starts);
	void *stretch_ctx;
	struct pw_send_repair repair;
	const struct pw_log *log;
};

struct pw_send_result {
	uint64_t passes;                       /* whole ones */
	uint64_t rounds;                       /* of repair */
	uint64_t repair_bytes, repair_packets; /* after data_ns, in these rounds */
	uint64_t parity_packets;               /* of data_ns */
	uint64_t data_ns; /* first symbol to last driver acceptance, pauses for pacing included */
	uint64_t busy_cycles;   /* of data_ns: building and handing over packets */
	uint64_t stall_cycles;  /* of data_ns: the driver took nothing */
	uint64_t pace_cycles;   /* of data_ns: waiting for the rate */
	struct pw_pace pace;    /* how the rate was held, up to the last symbol */
	uint64_t read_cycles;   /* of data_ns: bytes of a file, or its digest, were missing */
	uint8_t page_in_copies; /* highest of any window */
	enum pw_pages pages;    /* of the first window that was not empty */
	uint64_t page_bytes;
	bool interrupted;
};

/* 32-bit TSI and TOI in the headers; else 16. */
static inline bool pw_send_is_wide(const struct pw_send_config *cfg)
{
	return cfg->force_wide || cfg->tsi > UINT16_MAX || cfg->files->n >= UINT16_MAX;
}

/* The largest symbol that fits the MTU, a multiple of 32 (whole vectors; 0.8 % of 1500 at most).
 * 0 when the MTU is too small. */
uint32_t pw_send_symbol_for_mtu(const struct pw_flow *flow, uint32_t mtu, bool wide);

struct pw_send; /* opaque; one thread */

int pw_send_create(struct pw_send **s, const struct pw_send_config *cfg, struct pw_err *err);

/* Sends all files. 0, with result->interrupted when stopped() ended it; -errno: err has the reason and the
 * fix. Windows may still be in flight when this returns: stop the path, then pw_send_destroy(). */
int pw_send_run(struct pw_send *s, struct pw_send_result *result, struct pw_err *err);

/* Closes all windows. The path must not use them any more: call pw_dpdk_tx_stop() before. Accepts NULL. */
void pw_send_destroy(struct pw_send *s);

#endif
