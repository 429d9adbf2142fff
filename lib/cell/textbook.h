/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The textbook's ways: one file, one buffer, one pass over a TCP connection to this process.
 *
 *   read + write    read(file, buffer)  write(socket, buffer)
 *   mmap + write    mmap(file)          write(socket, mapping)
 *   sendfile        sendfile(socket, file)
 */
#ifndef PW_CELL_TEXTBOOK_H
#define PW_CELL_TEXTBOOK_H

#include "cell/cell.h"

enum pw_textbook_way {
	PW_TEXTBOOK_READ_WRITE,
	PW_TEXTBOOK_MMAP_WRITE,
	PW_TEXTBOOK_SENDFILE,
};

/* The file: large enough that a call is not noise, small enough that no socket blocks. */
#define PW_TEXTBOOK_BYTES 65536

/* cell->file has PW_TEXTBOOK_BYTES in the page cache (not on hugetlbfs). */
void pw_cell_textbook(
	const struct pw_cell *cell, enum pw_textbook_way way, struct pw_cell_end *end);

#endif
