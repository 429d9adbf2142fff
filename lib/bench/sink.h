/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/bench: where a sink puts the bytes, shared by packets (sink.c) and TCP. */
#ifndef PW_BENCH_SINK_H
#define PW_BENCH_SINK_H

#include "bench/cell.h"
#include "wire/blocks.h"

struct pw_sink_buffer {
	uint8_t *bytes; /* len_bytes, touched; NULL for an empty file */
	uint64_t len_bytes;
	uint32_t symbol_len;
	struct pw_blocks blocks;
	uint8_t *have; /* a byte per symbol: came at least once */
	uint64_t n_have;
};

int pw_sink_buffer_make(struct pw_sink_buffer *b, const struct pw_cell *cell, struct pw_err *err);
void pw_sink_buffer_free(struct pw_sink_buffer *b); /* accepts a zeroed one */

/* Fills end->proof and end->wrong. complete: every byte has come. */
int pw_sink_verify(struct pw_sink_buffer *b, bool complete, const struct pw_cell *cell,
	struct pw_sink_end *end);

/* Listens, takes one connection, reads to its end. */
int pw_sink_stream(
	const struct pw_cell *cell, struct pw_sink_buffer *b, int ready, struct pw_sink_end *end);

#endif
