/* SPDX-License-Identifier: BSD-3-Clause */
/* What the meter's tests share. */
#ifndef METER_UTIL_H
#define METER_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
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

/* Ends the test when the source is refused, with the reason; false then. */
static inline bool has_source(const struct pw_meter *m, enum pw_meter_source source)
{
	const char *why = pw_meter_why(m, source);

	if (why)
		print_message("# skipped: %s\n", why);
	return !why;
}

#endif
