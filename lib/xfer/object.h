/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One file of the session at the receiver. A million of them may be known, so what only a file
 * under way needs is in its part, made at the first symbol:
 *
 *   pw_object  what the FDT said, state          (about 130 bytes and the name)
 *     `- part  blocks, bitmap, mapping of NAME.part, place in the list of mapped parts
 */
#ifndef PW_XFER_OBJECT_H
#define PW_XFER_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/blocks.h"
#include "wire/fdt.h"
#include "xfer/gaps.h"
#include "xfer/output.h"
#include "xfer/recv.h"

/* A smaller file is digested in no time when it is complete, from the cache; and of such files there
 * may be very many. */
#define PW_PART_LARGE_BYTES (1u << 20)

/* One step, from memory: the packets wait for some microseconds. In a stream that leaves no time for it
 * the finisher has the rest to do. */
#define PW_PART_DIGEST_STEP (128u << 10)

struct pw_digest_state;
struct pw_object;

struct pw_part {
	struct pw_blocks blocks;
	struct pw_mapping map; /* base NULL: evicted, or discard */
	uint64_t n_missing;    /* symbols */
	uint64_t n_reached;    /* highest symbol index seen, plus one */
	bool is_large;         /* no cache will have it when it is complete */
	bool resumed;          /* symbols above n_reached may be there already */
	/* Over the file's first digested_bytes, which are there; NULL: left to the finisher. */
	struct pw_digest_state *digest;
	uint64_t digested_bytes;
	/* With several lanes, and while it is mapped: symbols that are there or that a lane copies now.
	 * NULL: bits say it all. */
	uint64_t *claims;
	unsigned int n_writing; /* lanes that copy to it or digest it: it stays mapped */
	bool digesting;         /* one of them digests what came before its turn */
	struct pw_object *obj;
	struct pw_part *prev, *next; /* mapped parts, the one used last in front */
	uint64_t bits[];             /* one a symbol, set when it is there */
};

struct pw_object {
	uint64_t toi;
	uint64_t len_bytes;
	uint64_t have_bytes;
	char *name;         /* as received, control characters escaped; owned */
	const char *reason; /* REFUSED, MISMATCH; owned if reason_owned */
	struct pw_part *part;
	const struct pw_gap_file *gap; /* of the manifest that is resumed */
	uint32_t symbol_len;
	uint32_t max_sbl;
	struct pw_digest digest;
	uint8_t state; /* enum pw_recv_file_state */
	bool reason_owned;
	bool digest_due; /* the sender will name it once it has read the whole file */
	bool awaits;     /* all symbols are there, the digest is not */
};

/* Bytes that a part for this object takes. */
uint64_t pw_part_bytes(const struct pw_blocks *b);

/* A part without a symbol, or, with o->gap, with those symbols that no missing range touches.
 * o->part owns it. */
int pw_part_create(struct pw_object *o, const struct pw_blocks *b, struct pw_err *err);
void pw_part_destroy(struct pw_object *o); /* unmaps; accepts an object without one */

/* Starts the digest of a file that is worth it; without one, all of it is left to the finisher. */
void pw_part_digest_start(struct pw_part *p);

/* Takes what came before its turn, and lies behind the digested bytes without a gap now, into the
 * digest; only some of it at a time, because packets wait meanwhile. */
void pw_part_digest_more(struct pw_part *p);

/* How many bytes that would be, of most_bytes (PW_PART_DIGEST_STEP or more) at most. */
uint64_t pw_part_digest_due(const struct pw_part *p, uint64_t most_bytes);

/* From now on several lanes write to it; -ENOMEM. */
int pw_part_claims_start(struct pw_part *p);

/* n <= 64 symbols from index on: as they lie in one word of the bitmap or two. */
static inline bool pw_bits_any(const uint64_t *bits, uint64_t index, unsigned int n)
{
	const uint64_t run = UINT64_MAX >> (64 - n), shift = index % 64;

	return (bits[index / 64] & run << shift) ||
	       (shift + n > 64 && (bits[index / 64 + 1] & run >> (64 - shift)));
}

static inline void pw_bits_set(uint64_t *bits, uint64_t index, unsigned int n)
{
	const uint64_t run = UINT64_MAX >> (64 - n), shift = index % 64;

	bits[index / 64] |= run << shift;
	if (shift + n > 64)
		bits[index / 64 + 1] |= run >> (64 - shift);
}

/* Symbols in [from, to) that are not there. */
uint64_t pw_part_count_clear(const struct pw_part *p, uint64_t from, uint64_t to);

/* First symbol at or after index that is there (`set`) or is not; n_symbols when there is none. */
uint64_t pw_part_next(const struct pw_part *p, uint64_t index, bool set);

/* Bytes that the manifest's entry leaves there, in whole symbols of b. */
uint64_t pw_gap_have_bytes(const struct pw_gap_file *gap, const struct pw_blocks *b);

/* state REFUSED or another; reason is static, or a copy is made. */
void pw_object_reason(struct pw_object *o, const char *reason, bool copy);

#endif
