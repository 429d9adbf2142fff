/* SPDX-License-Identifier: BSD-3-Clause */
/* The state of a stream's ring: for stream.c, which creates and destroys it, and streamio.c, which fills it. */
#ifndef PW_FILE_STREAM_PRIVATE_H
#define PW_FILE_STREAM_PRIVATE_H

#include <liburing.h>
#include <stdatomic.h>

#include "file/stream.h"

enum pw_stream_state {
	PW_SLOT_IDLE,
	PW_SLOT_AGAIN,   /* a part is left to read, and that read is not submitted */
	PW_SLOT_READING, /* the disk writes to it */
	PW_SLOT_READY,   /* read; also while it is sent */
};

struct pw_stream_slot {
	struct pw_window win;
	struct pw_stream_piece piece;
	uint8_t *mem;
	uint64_t from;              /* byte of the file that mem starts with: a block's first */
	uint64_t len_bytes;         /* from there to the end of the piece */
	uint64_t done_bytes;        /* of len_bytes */
	enum pw_stream_state state; /* of the reading thread */
	atomic_bool is_free;        /* never used, or given back by the thread that has sent it */
	unsigned int n_short;       /* reads that ended inside a block */
	bool direct;                /* asked for so */
};

struct pw_stream {
	struct pw_stream_config cfg;
	struct io_uring ring;
	struct pw_stream_slot *slots;
	uint32_t n_slots;
	uint32_t depth;
	uint64_t slot_memory;
	uint64_t n_started; /* pieces */
	uint64_t n_taken;
	uint32_t *
		order; /* slots of the pieces n_taken to n_started; piece n's is order[n % n_slots] */
	uint32_t next_slot; /* where the search for a free one starts */
	uint32_t n_reading;
	uint32_t n_again;
	bool registered; /* the slots are io_uring's fixed buffers */
	bool stuck;      /* the disk never answered: nothing here is freed */
	struct pw_err failed;
};

/* Waits until the disk writes to no slot; false when the disk did not answer for long. */
bool pw_stream_settle(struct pw_stream *s);

#endif
