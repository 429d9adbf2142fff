/* SPDX-License-Identifier: BSD-3-Clause */
/* A network: the first bits of its addresses, "10.0.0.0/8", "2001:db8::/32", or one address. */
#ifndef PW_WIRE_PREFIX_H
#define PW_WIRE_PREFIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

/* An address in network order, IPv4 in the first four bytes, as words that are compared and masked. */
struct pw_prefix_words {
	uint64_t w[2];
};

struct pw_prefix {
	uint8_t family;               /* 4 or 6 */
	uint8_t bits;                 /* 0..32 or 0..128 */
	struct pw_prefix_words bytes; /* 0 behind `bits` */
	struct pw_prefix_words mask;  /* 1 in the first `bits` */
};

/* text[len]: ADDR or ADDR/BITS; the bits behind BITS are ignored. `what` is the option's name for the error. -EINVAL. */
int pw_prefix_parse(const char *what, const char *text, size_t len, struct pw_prefix *prefix,
	struct pw_err *err);

/* addr[4 or 16] */
static inline struct pw_prefix_words pw_prefix_words(uint8_t family, const uint8_t *addr)
{
	struct pw_prefix_words a = {{0, 0}};

	memcpy(a.w, addr, family == 4 ? 4 : 16);
	return a;
}

static inline bool pw_prefix_has(
	const struct pw_prefix *prefix, uint8_t family, struct pw_prefix_words addr)
{
	return prefix->family == family &&
	       (((addr.w[0] ^ prefix->bytes.w[0]) & prefix->mask.w[0]) |
		       ((addr.w[1] ^ prefix->bytes.w[1]) & prefix->mask.w[1])) == 0;
}

/* The address with its first bits from the prefix, which is of its family. */
static inline struct pw_prefix_words pw_prefix_put(
	const struct pw_prefix *prefix, struct pw_prefix_words addr)
{
	addr.w[0] = (addr.w[0] & ~prefix->mask.w[0]) | prefix->bytes.w[0];
	addr.w[1] = (addr.w[1] & ~prefix->mask.w[1]) | prefix->bytes.w[1];
	return addr;
}

#endif
