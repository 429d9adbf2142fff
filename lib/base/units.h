/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sizes, rates and durations with their units, read and written.
 *   size      "0", "1500B", "64KiB", "10MB", "1GiB"    (a bare number is refused unless 0)
 *   rate      "800Mbit/s", "10Gbit/s", "2Mpps", "500pps"
 *   duration  "250ms", "15s", "2m", "1h"               (also "0")
 * Decimal fractions are accepted ("1.5GiB"). Negative, empty, overflowing and unit-less values
 * return -EINVAL and say so in err, naming `what` (for example "--rate").
 */
#ifndef PW_BASE_UNITS_H
#define PW_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum pw_rate_unit { PW_RATE_NONE, PW_RATE_BPS, PW_RATE_PPS };

struct pw_rate {
	enum pw_rate_unit unit; /* PW_RATE_NONE: unlimited */
	double value;           /* bit/s of Ethernet frames, or packets/s */
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
