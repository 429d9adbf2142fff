/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/bench: the buffer that a sink receives into, and its TCP receiver (sink_stream.c). */
#ifndef PW_BENCH_SINK_H
#define PW_BENCH_SINK_H

#include "bench/cell.h"

struct pw_sink_buffer {
	uint8_t *bytes; /* len_bytes, touched; NULL for an empty file */
	uint64_t len_bytes;
	uint32_t symbol_len;
};

/* Listens, accepts one connection, and reads to its end. The caller verifies the buffer. */
int pw_sink_stream(
	const struct pw_cell *cell, struct pw_sink_buffer *b, int ready, struct pw_sink_end *end);

#endif
