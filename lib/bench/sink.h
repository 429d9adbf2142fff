/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/bench: where a sink puts the bytes, shared by packets (sink.c) and TCP. */
#ifndef PW_BENCH_SINK_H
#define PW_BENCH_SINK_H

#include "bench/cell.h"
#include "recv/recv.h"

struct pw_sink_buffer {
	uint8_t *bytes; /* len_bytes, touched; NULL for an empty file */
	uint64_t len_bytes;
	uint32_t symbol_len;
};

int pw_sink_buffer_make(struct pw_sink_buffer *b, const struct pw_cell *cell, struct pw_err *err);
void pw_sink_buffer_free(struct pw_sink_buffer *b); /* accepts a zeroed one */

/* Fills end->proof and end->wrong. recv: what has come; NULL: end->bytes of a stream have. */
int pw_sink_verify(const struct pw_sink_buffer *b, struct pw_recv *recv, const struct pw_cell *cell,
	struct pw_sink_end *end);

/* Listens, takes one connection, reads to its end. */
int pw_sink_stream(
	const struct pw_cell *cell, struct pw_sink_buffer *b, int ready, struct pw_sink_end *end);

#endif
