/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * To receive into memory, pass after pass: for the bench, which compares the bytes itself. One object,
 * known beforehand, is taken from whoever sends it; tables are not read, and nothing waits for one.
 * Each symbol is placed each time it comes.
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

/* The next bytes [*from, *to) at or behind *to that came at least once; false: no more. Start with
 * *to = 0. */
bool pw_recv_memory_next(struct pw_recv *r, uint64_t *from, uint64_t *to);

/* Of pw_recv_create() and pw_recv_finish(), the latter with the lock. */
int pw_recv_memory_open(struct pw_recv *r, struct pw_err *err);
void pw_recv_memory_end(struct pw_recv *r);

#endif
