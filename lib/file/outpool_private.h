/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The disk chunks that all received files of a directory share: 2 MiB of memory each, on its way to the disk.
 * outpool.c manages them; outdirect.c fills them; outdisk.c writes them.
 *
 *   FREE -> FILLING -> QUEUED -> WRITING -> WRITTEN -> FREE     all its bytes were received
 *              ^  '--------------> WRITING ----------> FREE     it had to leave (c->leaves)
 *              '------ flushed ----'
 *
 * States change under the pool's lock. A thread that puts bytes takes no lock: it pins the chunk that it finds in
 * the file's table, and then checks the table again. To take a chunk away from its file, a thread first
 * removes it from the table, then forbids new pins, then waits until the chunk is not pinned.
 */
#ifndef PW_FILE_OUTPOOL_PRIVATE_H
#define PW_FILE_OUTPOOL_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/log.h"
#include "host/uring.h"

#define CHUNK_BYTES ((uint64_t)2 << 20)
#define BLOCK_BYTES 4096u
#define SYMBOL_MIN  512u /* bytes; a file with smaller symbols is mapped */
/* One more: a symbol that begins in the chunk before has a bit here as well. */
#define SYMBOL_WORDS ((unsigned int)(CHUNK_BYTES / SYMBOL_MIN / 64 + 1))
#define N_OPS        16u            /* writes under way */
#define PIN_CLOSED   (1u << 31)     /* in `pins`: no new ones */
#define PATIENCE_NS  5000000000ull  /* a disk that does not answer for so long is reported, */
#define SILENT_NS    30000000000ull /* and after this time the file fails */

enum chunk_state { FREE, FILLING, QUEUED, WRITING, WRITTEN };

struct chunk {
	uint8_t *mem;
	atomic_uint pins;
	atomic_uint n_got;                  /* symbols that are there */
	_Atomic uint64_t got[SYMBOL_WORDS]; /* a bit for each */

	/* under the pool's lock */
	enum chunk_state state;
	struct pw_outdirect *file;
	uint64_t index; /* in the file */
	uint64_t since; /* when it began to fill, was queued or was written, by pool->clock */
	bool leaves;    /* its memory is needed: it is written incomplete */
	bool again;     /* set during a write: bytes that came later must be flushed as well */

	/* the disk thread's */
	uint64_t done[SYMBOL_WORDS]; /* symbols that were written */
	unsigned int n_done;
	unsigned int n_pending; /* writes, plus one while more may follow */
};

struct pw_outdirect {
	struct pw_outpool *pool;
	int fd; /* O_DIRECT */
	int plain_fd;
	char *name;
	uint64_t len_bytes;
	uint32_t symbol_len;
	atomic_bool fresh;
	atomic_int failed; /* positive errno */
	uint64_t n_chunks;
	/* NULL: no bytes came. &pool->gone: it has left memory. */
	_Atomic(struct chunk *) *table;

	/* under the pool's lock */
	unsigned int n_writing;
	bool closed; /* freed when n_writing is 0 */
};

struct op {
	struct chunk *chunk; /* NULL: unused */
	uint64_t from, to;   /* of the file */
};

struct pw_outpool {
	const struct pw_log *log;
	void *map;
	uint64_t map_bytes;
	struct chunk *chunks;
	unsigned int n_chunks,
		low;       /* with fewer than `low` chunks that are not filling, old ones leave */
	struct chunk gone; /* stands in tables for all chunks that have left memory */
	pthread_t thread;
	int wake_fd;

	pthread_mutex_t lock; /* over all below */
	pthread_cond_t change;
	uint64_t clock;
	uint64_t busy_since_ns; /* when the disk last answered */
	uint64_t warn_ns;       /* warn when the disk has not answered for so long */
	uint64_t waited_ns;     /* for memory, see pw_outpool_claim() */
	bool stop;

	/* the disk thread's */
	struct io_uring ring;
	struct op ops[N_OPS];
	unsigned int n_ops;
	uint64_t wake_count; /* read from wake_fd */
	bool wake_armed;
	int broken; /* positive errno: the ring does not work any more */
};

/* Where the chunk's bytes end in the file. */
static inline uint64_t pw_outpool_chunk_end(const struct pw_outdirect *d, uint64_t index)
{
	return pw_min_u64((index + 1) * CHUNK_BYTES, d->len_bytes);
}

/* How many symbols lie in the chunk, or partly in it. */
static inline unsigned int pw_outpool_chunk_symbols(const struct pw_outdirect *d, uint64_t index)
{
	return (unsigned int)(pw_div_ceil(pw_outpool_chunk_end(d, index), d->symbol_len) -
			      index * CHUNK_BYTES / d->symbol_len);
}

int pw_outpool_create(struct pw_outpool **pool, uint64_t memory_bytes, const struct pw_log *log);
void pw_outpool_destroy(struct pw_outpool *pool);

/* Files. Only the first failure counts. */
void pw_outpool_fail(struct pw_outdirect *d, int code);
/* Writes exactly these bytes, with pwrite(2). */
void pw_outpool_write_plain(struct pw_outdirect *d, const uint8_t *data, uint64_t len, uint64_t at);
void pw_outpool_free_file(struct pw_outdirect *d);

/* Chunks. The caller holds the lock, except for pin, unpin and wake. */
/* False: the chunk leaves, or is no longer this one of the file. */
bool pw_outpool_pin(struct pw_outdirect *d, uint64_t index, struct chunk *c);
void pw_outpool_unpin(struct chunk *c);
/* Puts a chunk into the file's table, unless another thread does or the file fails. May wait. */
void pw_outpool_claim(struct pw_outdirect *d, uint64_t index);
void pw_outpool_release(struct pw_outpool *pool, struct chunk *c);
/* Hands the chunk to the disk thread, which the caller wakes up. */
void pw_outpool_queue(struct pw_outpool *pool, struct chunk *c);
/* Sleeps until something changes, 20 ms at most. -ETIMEDOUT: the disk has not answered for 30 s. */
int pw_outpool_wait(struct pw_outpool *pool, const struct pw_outdirect *d);
/* The chunk that has been in this state for longest, or NULL. */
struct chunk *pw_outpool_oldest(struct pw_outpool *pool, enum chunk_state state);
/* Whether memory is so short that a chunk that is filling has to leave. */
bool pw_outpool_is_low(const struct pw_outpool *pool);
void pw_outpool_wake(struct pw_outpool *pool);

#endif
