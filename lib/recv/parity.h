/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parity symbols that the receiver keeps (FEC Encoding ID 5, RFC 5510): those of blocks that lack source
 * symbols. Those of one block are a group.
 *
 *   lane --add, look--> group  --its block can be restored--> queue --take--> decoder (decode.c)
 *
 * All groups of all files share one bounded memory; when it is full, the oldest group is dropped. A group is
 * freed as soon as its block is whole.
 *
 * Two things need a group of which no symbol is missing, or that was decoded. Senders disagree on the points
 * of the code (fec/rs.h), and a table may be wrong about them: the first whole block with a parity
 * symbol shows them ("probe"). Until then, blocks are restored only if they have one symbol more than they
 * need, which is checked, or if the file is whole then and has a digest ("tried"). Tried groups are kept until the file's digest is
 * compared: if it differs, the next points are tried.
 *
 * The store has a lock of its own, which is taken after that of the receiver. A part that is passed cannot be freed
 * meanwhile: the caller is a lane in a burst, or has the receiver's lock.
 */
#ifndef PW_RECV_PARITY_H
#define PW_RECV_PARITY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "recv/object.h"

#define PW_PARITY_WORDS 4u

struct pw_parity_group {
	struct pw_part *part;
	struct pw_parity_group *prev, *next;   /* of the part */
	struct pw_parity_group *older, *newer; /* of all */
	struct pw_parity_group *prev_queued, *next_queued;
	uint32_t sbn;
	uint8_t n;                          /* symbols */
	bool queued;                        /* for the decoder */
	bool probe;                         /* queued or taken, although no symbol is missing */
	bool taken;                         /* the decoder has it */
	bool stale;                         /* symbols came since it was taken */
	bool tried;                         /* restored with points that are not known */
	uint8_t points;                     /* of tried */
	uint64_t restored[PW_PARITY_WORDS]; /* of tried: the source symbols that it gave */
	uint32_t n_rows;
	uint8_t *rows[]; /* n_rows; NULL: missing */
};

struct pw_parity_store {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct pw_parity_group *oldest, *newest;
	struct pw_parity_group *queue_first, *queue_last;
	uint64_t bytes, max_bytes;
	bool busy; /* the decoder works */
	bool stop;
};

/* A block for the decoder. */
struct pw_parity_job {
	struct pw_parity_group *group;
	struct pw_part *part;
	uint64_t first; /* its first symbol */
	uint32_t sbn, k, n_rows, n_missing, n_parity;
	uint8_t points; /* the next to be tried, if they are not known */
	bool may_prove; /* they are not known, and few blocks agreed with none */
	bool may_try;   /* the file has a digest, which tells whether the points were right */
	uint64_t have[PW_PARITY_WORDS];     /* source symbols that were claimed */
	uint64_t restored[PW_PARITY_WORDS]; /* the decoder's: those that it placed */
	const uint8_t *rows[PW_RS_MAX_BLOCK_SYMBOLS];
};

enum pw_parity_outcome {
	PW_PARITY_LEFT,     /* nothing was placed: it may be queued again when more symbols come */
	PW_PARITY_RESTORED, /* or it was whole */
	PW_PARITY_TRIED,    /* with points that are not known: job->points */
};

void pw_parity_init(struct pw_parity_store *s);
void pw_parity_finish(struct pw_parity_store *s);

/* Keeps parity symbol `row` of block sbn, symbol_len bytes, if it may be needed. Returns how many kept symbols were
 * dropped for lack of memory. */
size_t pw_parity_add(struct pw_parity_store *s, struct pw_part *p, uint32_t sbn, uint32_t row,
	const uint8_t *bytes);
/* Source symbols of a block came that has a group in the table. */
void pw_parity_look(struct pw_parity_store *s, struct pw_part *p, uint32_t sbn);
/* Looks at all blocks of a part that was opened, or of which no more symbols will come. */
void pw_parity_look_all(struct pw_parity_store *s, struct pw_part *p);
/* Drops the part's groups. The decoder has none. */
void pw_parity_drop(struct pw_parity_store *s, struct pw_part *p);
/* The part's digest differs. If points that were not known are to blame: makes the symbols missing again that
 * they gave, and returns the number of these bytes (then the decoder tries other points); else 0. No lane has the part. */
uint64_t pw_parity_retry(struct pw_parity_store *s, struct pw_part *p, uint64_t *n_symbols);
bool pw_parity_is_tried(struct pw_parity_store *s, const struct pw_part *p);
bool pw_parity_is_busy(struct pw_parity_store *s);

/* The decoder's. take: up to max jobs of one part, with the receiver's lock. */
size_t pw_parity_take(struct pw_parity_store *s, struct pw_parity_job *jobs, size_t max);
void pw_parity_give(
	struct pw_parity_store *s, struct pw_parity_job *job, enum pw_parity_outcome outcome);
/* Whether the file is whole if every block that has enough symbols is restored. From then on they are. */
bool pw_parity_may_try(struct pw_parity_store *s, struct pw_part *p);
void pw_parity_prove(struct pw_parity_store *s, struct pw_part *p, uint8_t points);
void pw_parity_not_proved(struct pw_parity_store *s, struct pw_part *p);

static inline bool pw_parity_bit(const uint64_t *words, uint32_t i)
{
	return words[i / 64] >> (i % 64) & 1;
}

static inline void pw_parity_set_bit(uint64_t *words, uint32_t i)
{
	words[i / 64] |= 1ull << (i % 64);
}

#endif
