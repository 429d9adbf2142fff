/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_MAX_BYTES 512

void pw_log(const struct pw_log *log, enum pw_log_level level, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;

	if (!log || !log->sink || level > log->level)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	log->sink(log->ctx, level, line);
}

void pw_log_stderr(void *ctx, enum pw_log_level level, const char *line)
{
	static const char *const prefix[] = {
		[PW_LOG_ERR] = "error: ",
		[PW_LOG_WARN] = "warning: ",
		[PW_LOG_INFO] = "",
		[PW_LOG_DEBUG] = "debug: ",
	};
	char out[LINE_MAX_BYTES + 32];
	int n;

	(void)ctx;
	n = snprintf(out, sizeof(out), "pagewire: %s%s\n", prefix[level], line);
	if (n > 0 && write(STDERR_FILENO, out, (size_t)n) < 0)
		return; /* there is no other place to report it */
}
