/* SPDX-License-Identifier: BSD-3-Clause */
/* Formats log lines, of any length, and writes them to standard error. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

void pw_log(const struct pw_log *log, enum pw_log_level level, const char *fmt, ...)
{
	char *line = NULL;
	va_list ap;

	if (!log || !log->sink || level > log->level)
		return;
	va_start(ap, fmt);
	if (vasprintf(&line, fmt, ap) < 0)
		line = NULL;
	va_end(ap);
	log->sink(log->ctx, level, line ? line : fmt);
	free(line);
}

void pw_log_stderr(void *ctx, enum pw_log_level level, const char *line)
{
	static const char *const prefix[] = {
		[PW_LOG_ERR] = "pagewire: error: ",
		[PW_LOG_WARN] = "pagewire: warning: ",
		[PW_LOG_INFO] = "pagewire: ",
		[PW_LOG_DEBUG] = "pagewire: debug: ",
	};
	const struct iovec parts[] = {
		{.iov_base = (void *)prefix[level], .iov_len = strlen(prefix[level])},
		{.iov_base = (void *)line, .iov_len = strlen(line)},
		{.iov_base = (void *)"\n", .iov_len = 1},
	};

	(void)ctx;
	if (writev(STDERR_FILENO, parts, 3) < 0)
		return; /* there is no other place to report it */
}
