/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A sequence lock: one thread publishes an array of words, and others read all of it consistently, without a
 * lock. The writer never waits; a reader that met a write reads again.
 */
#ifndef PW_BASE_SNAPSHOT_H
#define PW_BASE_SNAPSHOT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* seq is even at rest. One writer. */
static inline void pw_snapshot_write(
	atomic_uint *seq, _Atomic uint64_t *to, const uint64_t *from, size_t n)
{
	unsigned int at = atomic_load_explicit(seq, memory_order_relaxed);
	size_t i;

	atomic_store_explicit(seq, at + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release); /* no word before the odd number */
	for (i = 0; i < n; i++)
		atomic_store_explicit(&to[i], from[i], memory_order_relaxed);
	atomic_store_explicit(seq, at + 2, memory_order_release);
}

static inline void pw_snapshot_read(
	const atomic_uint *seq, uint64_t *to, const _Atomic uint64_t *from, size_t n)
{
	unsigned int before, after;
	size_t i;

	do {
		before = atomic_load_explicit(seq, memory_order_acquire);
		for (i = 0; i < n; i++)
			to[i] = atomic_load_explicit(&from[i], memory_order_relaxed);
		atomic_thread_fence(
			memory_order_acquire); /* no word after the second read of seq */
		after = atomic_load_explicit(seq, memory_order_relaxed);
	} while (before != after || before & 1);
}

#endif
