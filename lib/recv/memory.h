/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receives one object into memory, pass after pass, for the bench, which compares the bytes itself. The
 * caller describes the object; packets of any sender are accepted, and tables are not read. A symbol that
 * comes again is placed again.
 */
#ifndef PW_RECV_MEMORY_H
#define PW_RECV_MEMORY_H

#include "recv/recv.h"

struct pw_recv_memory {
	uint8_t *bytes; /* len_bytes; the caller's, until the receiver is destroyed */
	uint64_t toi;   /* 1.. */
	uint64_t len_bytes;
	uint32_t symbol_len, max_sbl;
};

/* The next bytes [*from, *to), at or after the old *to, that came at least once; false: no more. Start
 * with *to = 0. */
bool pw_recv_memory_next(struct pw_recv *r, uint64_t *from, uint64_t *to);

#endif
