/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files of any size through bounded memory: a ring of slots that io_uring and O_DIRECT fill ahead of the
 * transmitter.
 *
 *   next() -> [reading] --disk--> [read] --taken in order--> [sent by a lane] -- given back --> [reading]
 *
 * Each slot is a page window of its own: its n_out is 0 when the driver has released it, and no symbol
 * lies in two of them. A slot holds a piece of a file, whole symbols of it. Where a piece starts inside a
 * block of the disk, that block is read again.
 *
 * One thread reads: it calls pump() and take(). Any thread may use a piece that was taken, and gives its slot
 * back once; slots are filled again in whatever order they come back. The memory of the slots is the
 * caller's (struct pw_stage_mem): attached to a port once, used for every file.
 */
#ifndef PW_FILE_STREAM_H
#define PW_FILE_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "file/window.h"

/* How a ring is cut. */
struct pw_stream_plan {
	uint64_t slot_bytes; /* of a file, at most, in a slot: a multiple of the symbol */
	uint32_t n_slots;
	/* Slots that are sent together while as many are filled, where the driver may keep out_bytes besides. */
	uint32_t band_slots;
};

/* What the ring is for. */
struct pw_stream_need {
	uint64_t memory_bytes; /* at most so much, the heap's own included */
	uint32_t symbol_len;
	uint64_t file_bytes; /* all together; the ring is no larger than they need */
	uint64_t n_parts;    /* of them: the files, or what else begins with a slot */
	uint64_t out_bytes; /* payload that the driver can keep to itself until it is handed more */
};

/* -ENOMEM: memory_bytes is less than the port may keep; err names the size that is enough. */
int pw_stream_plan(struct pw_stream_plan *p, const struct pw_stream_need *need, struct pw_err *err);

/* memory_bytes with which band_slots hold band_bytes and two slots more. */
uint64_t pw_stream_band_memory(const struct pw_stream_need *need, uint64_t band_bytes);

/* Memory that a ring takes of its heap. */
uint64_t pw_stream_plan_bytes(const struct pw_stream_plan *p);

/* A file to be streamed: a window without a run, open for reading past the page cache where its file
 * system does that (cpu_copies 0, else 1). */
int pw_stream_file_open(struct pw_window *w, const char *path, struct pw_err *err);

/* Whether path's file system reads past the page cache. -errno when it cannot be opened. */
int pw_stream_probe(const char *path, bool *direct, struct pw_err *err);

/* A part of a file that fills one slot. */
struct pw_stream_piece {
	struct pw_window *file; /* of pw_stream_file_open(); NULL: nothing is read into the slot */
	void *owner;            /* the caller's */
	uint64_t offset;
	uint64_t len_bytes; /* 1..slot_bytes */
};

struct pw_stream_config {
	struct pw_stream_plan plan;
	struct pw_stage_mem mem;
	/* Fills the next piece, in the order of sending; false: there is none now. */
	bool (*next)(void *ctx, struct pw_stream_piece *piece);
	void *ctx;
};

struct pw_stream; /* opaque */

/* -ENOMEM; -EPERM, -ENOSYS: no io_uring on this host. */
int pw_stream_create(struct pw_stream **s, const struct pw_stream_config *cfg, struct pw_err *err);

/* The slots' windows, to be attached to a port before the first pump: a run each, or several after
 * the port cut it. */
uint32_t pw_stream_n_slots(const struct pw_stream *s);
struct pw_window *pw_stream_slot(struct pw_stream *s, uint32_t i);

/* Handles completed reads, and submits reads into slots that were given back. If no piece is ready it sleeps
 * for wait_ns at most. -EIO and others: a read failed; -ESTALE: the file is shorter
 * than it was. The reading thread. */
int pw_stream_pump(struct pw_stream *s, uint64_t wait_ns, struct pw_err *err);

/* The next piece in order when it has been read, with the number of the slot that it lies in; else NULL. The
 * reading thread. */
const struct pw_stream_piece *pw_stream_take(struct pw_stream *s, uint32_t *slot);

/* The piece in this slot is sent, and the slot's n_out is 0: it may be read into again. Any thread. */
void pw_stream_give_back(struct pw_stream *s, uint32_t slot);

/* Drops all pieces, so that their files may be closed. No other thread uses one. */
void pw_stream_drop(struct pw_stream *s);

/* The piece whose read was submitted first and has not ended, or NULL. The reading thread. */
const struct pw_stream_piece *pw_stream_owed(const struct pw_stream *s);

/* Waits for the disk and frees the memory. Memory that the driver still holds, or that a stuck disk may still
 * write to, is leaked: otherwise a device would access memory of another owner. The files must be open.
 * Accepts NULL. */
void pw_stream_destroy(struct pw_stream *s);

#endif
