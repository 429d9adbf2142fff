/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An announced file (pw_object), and its data while it is received (pw_part). There may be a million objects,
 * so everything that only an open file needs is in its part:
 *
 *   pw_object  the entry of the table, and the state  (about 200 bytes and the name)
 *     `- part  blocks, claim bitmap, digest so far, the open file NAME.part
 *
 * An object is one announcement: (session, TOI, name, length, symbols, digest). A table with different
 * values for the same TOI or name makes another object; `older` links those of one name.
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

/* A smaller file is digested when it is complete: it is still in the cache. */
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

struct pw_parity_group; /* recv/parity.h */

/* What a part with FEC Encoding ID 5 has in addition. Under the lock of struct pw_parity_store, except for
 * known and table. */
struct pw_parity {
	struct pw_parity_group *groups; /* the blocks of which parity symbols are kept */
	uint8_t points;                 /* enum pw_rs_points: the sender's, if `known` */
	atomic_bool known;              /* a block proved the points */
	bool trying;                    /* the last blocks are restored with points not known */
	bool probing;                   /* a whole block is with the decoder, for the points */
	uint8_t n_tries;                /* points that were tried and gave another digest */
	uint8_t n_unproved;             /* blocks that agreed with no points */
	_Atomic(struct pw_parity_group *) table[]; /* of each block, or NULL */
};

struct pw_part {
	struct pw_blocks blocks;
	struct pw_parity *parity;    /* NULL: the sender has none */
	struct pw_leaf_notes *notes; /* NULL: none */
	struct pw_outfile *file;     /* NULL: discard, or closed for now */
	struct pw_object *obj;
	atomic_bool shut;               /* lanes must not use it */
	bool resumed;                   /* some symbols above `reached` came in an older run */
	bool lists;                     /* is in the list of open parts */
	_Atomic uint64_t missing_bytes; /* not placed yet; the lane that makes it 0 submits */
	/* The digest covers the bytes below digest_at. With PW_DIGEST_BUSY a thread is updating it. */
	struct pw_digest_state *digest;
	_Atomic uint64_t digest_at;
	/* For the loss: the end of this pass so far, the same within block 0, and the symbols of earlier
	 * passes. Lanes write them without a lock, so they are estimates. */
	_Atomic uint64_t reached, reached_first, passed;
	uint64_t used; /* pw_recv.use_clock at the last switch to it */
	struct pw_outfile_id id;
	unsigned int number; /* of NAME.part */
	struct pw_part *prev, *next;
	struct pw_part *next_retired;
	_Atomic uint64_t claims[]; /* one bit for each symbol: a lane places or has placed it */
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
	uint32_t symbol_len, max_sbl, fec_id, max_n;
	struct pw_digest digest;
	uint8_t *leaves; /* that `digest` covers; NULL: none. Owned */
	struct pw_outfile_attr attr;
	uint64_t resumed_bytes; /* of a file whose part is not open yet */
	uint8_t state;          /* enum pw_recv_file_state */
	uint8_t finish_kind;
	bool reason_owned;
	bool has_len, has_oti; /* else EXT_FTI of the data packets may have them */
	bool digest_due;       /* a later table has the digest, when the sender has read the file */
	bool awaits_digest;    /* all symbols have come, the digest has not */
	bool wants_open;       /* is in the file worker's list of files to open */
	bool prepared;         /* was opened ahead, and no symbol has come */
	bool in_finish;        /* is with the finisher */
	bool published;        /* this run gave it its name */
	bool is_failed;        /* REFUSED by the disk: it is missing, and can be repaired */
	bool is_shared;        /* another session announced it again */
	bool is_escaped;       /* the sender wrote another name, or one that cannot be used */
	bool is_listed;        /* this run makes an entry for it in the manifest */
	unsigned int n_mismatches;
	uint32_t instance; /* of the table that named it last */
};

/* How the object is cut: by its FEC scheme. Errors as pw_blocks_init(). */
int pw_object_blocks(const struct pw_object *o, struct pw_blocks *b, struct pw_err *err);
uint64_t pw_part_bytes(const struct pw_blocks *b); /* that a part takes */
/* A part in which all symbols are missing; with gap, only those that its missing ranges touch. NULL when
 * memory is short. */
struct pw_part *pw_part_create(
	struct pw_object *o, const struct pw_blocks *b, const struct pw_gap_file *gap);
void pw_part_destroy(struct pw_part *p); /* closes the file; accepts NULL */
/* Makes all symbols missing again. No lane has the part. */
void pw_part_reset(struct pw_part *p);
/* Makes symbols of bytes [from, to) missing again; returns their bytes. No lane has it. */
uint64_t pw_part_forget(struct pw_part *p, uint64_t from, uint64_t to);
/* The digest starts again from the first byte. No lane has the part. */
void pw_part_digest_reset(struct pw_part *p);
/* Starts a digest that grows with the symbols, for a large file; that of other files is the finisher's. */
void pw_part_digest_start(struct pw_part *p);
/* First symbol in [index, end) that is claimed (set) or is not claimed (!set); end when there is none. */
uint64_t pw_part_next(const struct pw_part *p, uint64_t index, uint64_t end, bool set);
/* Symbols in [from, to) that are not claimed. */
uint64_t pw_part_count_clear(const struct pw_part *p, uint64_t from, uint64_t to);
/* Symbols that the sender has sent so far. */
uint64_t pw_part_expected(const struct pw_part *p);

/* Bytes that the manifest's entry does not list as missing, in whole symbols of b. */
uint64_t pw_gap_have_bytes(const struct pw_gap_file *gap, const struct pw_blocks *b);

uint64_t pw_object_have(const struct pw_object *o); /* bytes that have come */
/* reason is static, or a copy is made. */
void pw_object_reason(struct pw_object *o, const char *reason, bool copy);
/* Whether name, length, symbols and digest are the same, as far as both have them. */
bool pw_object_is(const struct pw_object *o, const struct pw_fdt_file *f, const char *name);
/* Whether it has the same bytes: length, digest and symbols are known and equal. */
bool pw_object_has_content(const struct pw_object *o, const struct pw_fdt_file *f);
bool pw_digest_agrees(const struct pw_digest *a, const struct pw_digest *b);

#endif
