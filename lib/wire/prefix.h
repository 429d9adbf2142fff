/* SPDX-License-Identifier: BSD-3-Clause */
/* A network: the first bits of its addresses, "10.0.0.0/8", "2001:db8::/32", or one address. */
#ifndef PW_WIRE_PREFIX_H
#define PW_WIRE_PREFIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct pw_prefix {
	uint8_t family;    /* 4 or 6 */
	uint8_t bits;      /* 0..32 or 0..128 */
	uint8_t bytes[16]; /* network order, IPv4 in the first four; 0 behind `bits` */
	uint8_t mask[16];  /* 1 in the first `bits` */
};

/* text[len]: ADDR or ADDR/BITS; the bits behind BITS are ignored. `what` is the option's name for the error. -EINVAL. */
int pw_prefix_parse(const char *what, const char *text, size_t len, struct pw_prefix *prefix,
	struct pw_err *err);

/* addr[4 or 16] in network order */
bool pw_prefix_has(const struct pw_prefix *prefix, uint8_t family, const uint8_t *addr);

#endif
