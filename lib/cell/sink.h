/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/cell: what a sink runs on, the buffer it receives into, and the check of what arrived. */
#ifndef PW_CELL_SINK_H
#define PW_CELL_SINK_H

#include "cell/cell.h"
#include "recv/recv.h"

struct pw_sink {
	const struct pw_cell *cell;
	struct pw_cell_end *end;
	struct pw_stretch stretch;
	const struct pw_rx_ops *ops; /* packets */
	void *path;
	uint8_t *bytes;    /* cell->file_bytes, touched; NULL: an empty file, or a directory */
	uint64_t ended_ns; /* when the source was seen to have ended; 0: not yet */
};

/* sink.c: starts the stretch, and writes the byte that packets can come. */
int pw_sink_begin(struct pw_sink *s);
/* The source has ended, and nothing came for a while since then. last_ns: the last arrival, 0: none. */
bool pw_sink_is_quiet(struct pw_sink *s, uint64_t last_ns, uint64_t now_ns);

/* sinkstream.c: accepts one connection, and reads to its end. */
int pw_sink_run_stream(struct pw_sink *s);

/* sinkcheck.c */
int pw_sink_make_buffer(struct pw_sink *s);
void pw_sink_free_buffer(struct pw_sink *s);
/* Compares what arrived with the file: r's ranges of the buffer; r NULL: a stream's first bytes. */
int pw_sink_check_memory(struct pw_sink *s, struct pw_recv *r);
/* The same for the file that r received into cell->into, after pw_recv_finish(). */
int pw_sink_check_file(struct pw_sink *s, struct pw_recv *r);

#endif
