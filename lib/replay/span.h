/* SPDX-License-Identifier: BSD-3-Clause */
/* A span of the capture's time: from its first moment on, up to its last one, which is not in it. */
#ifndef PW_REPLAY_SPAN_H
#define PW_REPLAY_SPAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum pw_moment_kind {
	PW_MOMENT_NONE,     /* no limit */
	PW_MOMENT_UTC,      /* ns since 1970 */
	PW_MOMENT_RELATIVE, /* ns after the first frame of the capture that has a time */
};

struct pw_moment {
	enum pw_moment_kind kind;
	int64_t ns;
};

struct pw_span {
	struct pw_moment from, to;
};

/* "2026-11-28T08:30:00", with up to nine decimals and a Z or none; or seconds: "90", "0.5". -EINVAL: what names the
 * option. */
int pw_moment_parse(const char *what, const char *text, struct pw_moment *m, struct pw_err *err);

/* The capture's first time; zeroed before its first frame. */
struct pw_span_first {
	bool is_known;
	int64_t ns;
};

/* Of each frame of the capture, in its order. A frame without a time is in no span that has a limit. */
bool pw_span_has(
	const struct pw_span *span, struct pw_span_first *first, bool has_time, int64_t time_ns);

#endif
