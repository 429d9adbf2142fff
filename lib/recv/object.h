/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One announced file. A million of them may be known, so what only a file under way needs is in its
 * part, made when the file is opened:
 *
 *   pw_object  what the table said, state       (about 200 bytes and the name)
 *     `- part  blocks, claim bitmap, digest so far, the open file NAME.part
 *
 * An object is one announcement: (session, TOI, name, length, symbols, digest). A table that says
 * something else about the same TOI or name makes another object; `older` links those of one name.
 */
#ifndef PW_RECV_OBJECT_H
#define PW_RECV_OBJECT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "file/outdir.h"
#include "file/outfile.h"
#include "recv/gaps.h"
#include "wire/blocks.h"
#include "wire/fdt.h"

/* A smaller file is digested in no time when it is complete, from the cache. */
#define PW_PART_LARGE_BYTES (1u << 20)

#define PW_DIGEST_BUSY (1ull << 63) /* in digest_at: a thread has the digest */

struct pw_digest_state;
struct pw_object;
struct pw_session;
struct pw_waiting;

enum pw_finish_kind {
	PW_FINISH_PART,   /* verify the part and rename it to NAME */
	PW_FINISH_TARGET, /* only verify NAME */
};

struct pw_part {
	struct pw_blocks blocks;
	struct pw_outfile *file; /* NULL: discard, or closed for now */
	struct pw_object *obj;
	atomic_bool shut;               /* lanes must not use it */
	bool resumed;                   /* symbols above `reached` may be there already */
	bool lists;                     /* is in the list of open parts */
	_Atomic uint64_t missing_bytes; /* not placed yet; the lane that makes it 0 submits */
	/* The digest covers the bytes below digest_at; PW_DIGEST_BUSY: its holder works on it. */
	struct pw_digest_state *digest;
	_Atomic uint64_t digest_at;
	/* For the loss: how far this pass has come, and what earlier passes had. Estimates: lanes
	 * write them without a lock. */
	_Atomic uint64_t reached, passed;
	uint64_t used; /* pw_recv.use_clock at the last switch to it */
	struct pw_outfile_id id;
	unsigned int number; /* of NAME.part */
	struct pw_part *prev, *next;
	struct pw_part *next_retired;
	_Atomic uint64_t claims[]; /* one bit a symbol: a lane has it, or had it */
};

struct pw_object {
	uint64_t toi;
	uint64_t len_bytes;
	char *name;         /* as received, control characters escaped; owned */
	const char *reason; /* owned if reason_owned */
	struct pw_session *session;
	struct pw_part *part;
	struct pw_object *older; /* of the same name */
	struct pw_object *next_open, *next_finish;
	struct pw_waiting *waiting, **waiting_end; /* packets that wait for the file */
	const struct pw_gap_file *gap;             /* of the manifest that is resumed */
	uint32_t symbol_len, max_sbl, fec_id;
	struct pw_digest digest;
	struct pw_outfile_attr attr;
	uint64_t resumed_bytes; /* of a file whose part is not open yet */
	uint8_t state;          /* enum pw_recv_file_state */
	uint8_t finish_kind;
	bool reason_owned;
	bool has_len, has_oti; /* else EXT_FTI of the data packets says them */
	bool digest_due;       /* the sender will name it once it has read the whole file */
	bool awaits;           /* all symbols are there, the digest is not */
	bool wants_open;       /* is in the file worker's list */
	bool prepared;         /* open, and no symbol yet */
	bool in_finish;        /* is with the finisher */
	bool published;        /* NAME is ours */
	bool is_failed;        /* REFUSED by the disk: it is missing, and can be repaired */
	bool is_escaped;       /* the sender wrote another name, or one that cannot be used */
	bool is_listed;        /* this run makes an entry for it in the manifest */
	unsigned int n_mismatches;
	uint32_t instance; /* of the table that named it last */
};

/* Bytes that a part takes. */
uint64_t pw_part_bytes(const struct pw_blocks *b);
/* A part without a symbol, or, with gap, with those symbols that no missing range touches. NULL when
 * memory is short. */
struct pw_part *pw_part_create(
	struct pw_object *o, const struct pw_blocks *b, const struct pw_gap_file *gap);
void pw_part_destroy(struct pw_part *p); /* closes the file; accepts NULL */
/* All symbols are missing again. No lane has it. */
void pw_part_reset(struct pw_part *p);
/* Starts the digest of a file that is worth it; without one, all of it is left to the finisher. */
void pw_part_digest_start(struct pw_part *p);
/* First symbol in [index, end) that is claimed (`set`) or is not; end when there is none. */
uint64_t pw_part_next(const struct pw_part *p, uint64_t index, uint64_t end, bool set);
/* Symbols in [from, to) that are not claimed. */
uint64_t pw_part_count_clear(const struct pw_part *p, uint64_t from, uint64_t to);
/* Symbols that the sender has passed so far. */
uint64_t pw_part_expected(const struct pw_part *p);

/* Bytes that the manifest's entry leaves there, in whole symbols of b. */
uint64_t pw_gap_have_bytes(const struct pw_gap_file *gap, const struct pw_blocks *b);

uint64_t pw_object_have(const struct pw_object *o); /* bytes that are there */
/* reason is static, or a copy is made. */
void pw_object_reason(struct pw_object *o, const char *reason, bool copy);
/* The same announcement: name, length, symbols and digest, as far as both say them. */
bool pw_object_is(const struct pw_object *o, const struct pw_fdt_file *f, const char *name);
/* The same bytes: length, digest and symbols are known and equal. */
bool pw_object_has_content(const struct pw_object *o, const struct pw_fdt_file *f);
bool pw_digest_agrees(const struct pw_digest *a, const struct pw_digest *b);

#endif
