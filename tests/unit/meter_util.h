/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens the meter for its tests, and skips what this host refuses. */
#ifndef METER_UTIL_H
#define METER_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "meter/meter.h"

static inline struct pw_meter *open_meter(bool want_copies)
{
	struct pw_meter *m = NULL;
	struct pw_err err = {0};

	const unsigned int want = PW_METER_CALLS | 1u << PW_METER_HARDWARE |
				  (want_copies ? 1u << PW_METER_COPIES : 0);

	if (pw_meter_open(&m, want, NULL, &err))
		fail_msg("%s", err.msg);
	return m;
}

/* False, and the reason is printed, when this host refuses the source. */
static inline bool has_source(const struct pw_meter *m, enum pw_meter_source source)
{
	const char *why = pw_meter_why(m, source);

	if (why)
		print_message("# skipped: %s\n", why);
	return !why;
}

#endif
