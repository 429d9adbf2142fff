/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Assembles file tables (FDT instances) from the packets of TOI 0. Memory is bounded: a few instances at a
 * time, each of at most PW_FDT_MAX_BYTES; a new one replaces the one whose last packet is oldest. An
 * instance that was parsed is remembered by its number, length and hash, so that repetitions of it are
 * not parsed again. Used by one thread.
 */
#ifndef PW_RECV_FDTRX_H
#define PW_RECV_FDTRX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/alc.h"
#include "wire/blocks.h"
#include "wire/fdt.h"

#define PW_FDTRX_SLOTS 4
#define PW_FDTRX_SEEN  4096 /* instances remembered, by their number's low bits */

struct pw_fdtrx_slot {
	uint8_t *xml; /* NULL: slot is free */
	uint64_t *bits;
	struct pw_blocks blocks;
	uint64_t n_missing; /* symbols */
	uint64_t used;      /* packet count at its last packet */
	uint32_t instance;
	uint64_t hash;             /* of all bytes, once they have come */
	enum pw_encoding encoding; /* EXT_CENC */
};

struct pw_fdtrx_seen {
	uint64_t len_bytes; /* 0: none */
	uint64_t hash;
	uint32_t instance;
};

struct pw_fdtrx {
	struct pw_fdtrx_slot slots[PW_FDTRX_SLOTS];
	struct pw_fdtrx_seen seen[PW_FDTRX_SEEN];
	uint64_t n_packets;
	uint64_t *left_bytes; /* memory that instances may still take; shared by all sessions */
};

enum pw_fdtrx_outcome {
	PW_FDTRX_WAIT,  /* taken, or a repetition */
	PW_FDTRX_BAD,   /* contradicts itself or breaks a limit */
	PW_FDTRX_WHOLE, /* *slot is an instance to parse; then pw_fdtrx_done() */
};

/* A packet of TOI 0 with a payload. */
enum pw_fdtrx_outcome pw_fdtrx_take(struct pw_fdtrx *x, const struct pw_alc_hdr *hdr,
	const uint8_t *payload, size_t len, struct pw_fdtrx_slot **slot);

/* Frees the slot. good: the instance is remembered. Else (it may be damaged) its next copy is tried. */
void pw_fdtrx_done(struct pw_fdtrx *x, struct pw_fdtrx_slot *slot, bool good);

/* Forgets which instances were parsed: repetitions count as new. */
void pw_fdtrx_forget(struct pw_fdtrx *x);

void pw_fdtrx_finish(struct pw_fdtrx *x); /* accepts a zeroed one */

#endif
