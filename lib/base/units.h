/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads and writes sizes, rates and durations with their units.
 *   size      "0", "1500B", "64K" = "64KiB", "10MB", "1G"   K, M, G, T are powers of 1024
 *   rate      "10Gbit/s" = "10G" = "10Gbps", "2Mpps"         K, M, G, T are powers of 1000; alone: bit/s
 *   duration  "250ms", "15s", "2m", "1h"                      (also "0")
 * The letter before the unit may be in lower case. Decimal fractions are accepted ("1.5GiB"). Negative,
 * empty and overflowing values and bare numbers other than 0 return -EINVAL with err, which begins
 * with `what` (for example "--rate").
 */
#ifndef PW_BASE_UNITS_H
#define PW_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum pw_rate_unit { PW_RATE_NONE, PW_RATE_BPS, PW_RATE_PPS, PW_RATE_AUTO };

struct pw_rate {
	enum pw_rate_unit unit; /* PW_RATE_NONE: unlimited */
	/* PW_RATE_AUTO: the highest that receivers take, see send/ratectl.h; without a value */
	double value; /* bit/s of Ethernet frames, or packets/s */
};

int pw_units_parse_size(const char *what, const char *s, uint64_t *bytes, struct pw_err *err);
int pw_units_parse_rate(const char *what, const char *s, struct pw_rate *rate, struct pw_err *err);
int pw_units_parse_duration(const char *what, const char *s, uint64_t *ns, struct pw_err *err);
/* Plain decimal integer in [min, max]. */
int pw_units_parse_u64(const char *what, const char *s, uint64_t min, uint64_t max, uint64_t *out,
	struct pw_err *err);

/* Format into buf (32 bytes suffice) and return buf. "1.50 GiB", "75.3 Gbit/s", "6.70 Mpps",
 * "1 m 20 s". */
char *pw_units_size(char *buf, size_t len, uint64_t bytes);
char *pw_units_bitrate(char *buf, size_t len, double bits_per_s);
char *pw_units_pps(char *buf, size_t len, double packets_per_s);
char *pw_units_duration(char *buf, size_t len, uint64_t ns);

#endif
