/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stripe: the share of one of several hosts that send the same files together. Stripe I of N, I from 0, is
 * written "I/N": in pw:Stripe of a file table, and in the option of the sender.
 */
#ifndef PW_WIRE_STRIPE_H
#define PW_WIRE_STRIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PW_STRIPES_MAX 64u /* so many sessions a receiver takes at once */

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

#endif
