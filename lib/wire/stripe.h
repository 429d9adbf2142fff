/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stripe: the share of one of several hosts that send the same files together. Stripe I of N, I from 0, is
 * written "I/N": in pw:Stripe of a file table, and in the option of the sender.
 *
 *   file 0   |run 0|run 1|run 2|run 3|       stripe 0 of 2, first pass: runs 0 and 2 of file 0,
 *   file 1   |run 0|run 1|run 2|             run 1 of file 1
 *
 * The runs go round the stripes. A sender takes its share of the passes by them, and a receiver shares out what
 * it asks for.
 */
#ifndef PW_WIRE_STRIPE_H
#define PW_WIRE_STRIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PW_STRIPES_MAX 64u /* so many sessions a receiver takes at once */
/* Symbols; more in files of more than PW_STRIPE_RUNS runs. It is a multiple of a burst: bursts stay whole, and two
 * senders never claim symbols in one word of a receiver's bitmap. It is longer than a burst so that a receiver
 * takes what arrives in long runs, and a disk reads long ranges. */
#define PW_STRIPE_RUN  1024u
#define PW_STRIPE_RUNS 16384u /* in a file, at most: each is an item in the sender's list of work */

struct pw_stripe {
	uint32_t index;
	uint32_t count; /* up to PW_STRIPES_MAX; 0 or 1: one host sends all */
};

static inline bool pw_stripe_is_shared(const struct pw_stripe *s)
{
	return s->count > 1;
}

/* Reads "I/N" from len bytes, which need no NUL. Returns false and does not change *s if that is not I < N <=
 * PW_STRIPES_MAX in decimal digits. */
bool pw_stripe_parse(const char *text, size_t len, struct pw_stripe *s);

/* The run of a file with so many symbols. */
uint64_t pw_stripe_run(uint64_t n_symbols);
/* Narrows [*from, *to) of a file with n_symbols to the first symbols of it that belong to the stripe; turn: with which
 * stripe the file begins. False: none of them do. */
bool pw_stripe_clip(
	const struct pw_stripe *s, uint64_t turn, uint64_t n_symbols, uint64_t *from, uint64_t *to);

#endif
