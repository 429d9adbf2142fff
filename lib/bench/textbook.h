/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Measures the textbook's ways: one file, one buffer, one pass over a TCP connection to this process.
 *
 *   read + write    read(file, buffer)  write(socket, buffer)
 *   mmap + write    mmap(file)          write(socket, mapping)
 *   sendfile        sendfile(socket, file)
 *   bypass          pagewire's own path: no call at all
 *
 * Each is measured in a process of its own, twice: for its system calls and faults, and under the
 * BPF meter for its copies.
 */
#ifndef PW_BENCH_TEXTBOOK_H
#define PW_BENCH_TEXTBOOK_H

#include "bench/cell.h"
#include "bench/classic.h"
#include "bench/store.h"
#include "meter/meter.h"

enum pw_textbook_way {
	PW_TEXTBOOK_READ_WRITE,
	PW_TEXTBOOK_MMAP_WRITE,
	PW_TEXTBOOK_SENDFILE,
	PW_TEXTBOOK_N
};

struct pw_textbook_end {
	int result;
	struct pw_err err;
	struct pw_reading reading; /* calls, faults */
	uint64_t copied_bytes;     /* PW_UNMEASURED without BPF */
	char why_calls[160], why_faults[160], why_copies[160];
	bool verified; /* what the socket brought are the file's bytes */
};

/* The buffer: large enough that a call is not noise, small enough that no socket blocks. */
#define PW_TEXTBOOK_BYTES 65536

/* path: a file of PW_TEXTBOOK_BYTES in the page cache (not on hugetlbfs). */
int pw_textbook_measure(enum pw_textbook_way way, const char *path, struct pw_textbook_end *end,
	struct pw_err *err);

/* The whole table into rows[PW_TEXTBOOK_ROWS]; what cannot run is skipped in its row. Returns how many
 * rows there are. The store's first file has PW_TEXTBOOK_BYTES. */
#define PW_TEXTBOOK_ROWS 5
size_t pw_textbook_rows(const struct pw_store *store, struct pw_classic_row *rows);

#endif
