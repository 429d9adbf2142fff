/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The log: a sink and a level, passed down as a context. Not for events of single packets. As
 * thread-safe as its sink; the sink for standard error makes one call for each line.
 */
#ifndef PW_BASE_LOG_H
#define PW_BASE_LOG_H

enum pw_log_level { PW_LOG_ERR, PW_LOG_WARN, PW_LOG_INFO, PW_LOG_DEBUG };

struct pw_log {
	enum pw_log_level level; /* lines above this level are dropped */
	void (*sink)(void *ctx, enum pw_log_level level, const char *line);
	void *ctx;
};

/* A NULL log drops everything. */
void pw_log(const struct pw_log *log, enum pw_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A sink that writes "pagewire: LINE\n" to standard error in one writev(2). ctx is unused. */
void pw_log_stderr(void *ctx, enum pw_log_level level, const char *line);

#define pw_warn(log, ...)  pw_log(log, PW_LOG_WARN, __VA_ARGS__)
#define pw_info(log, ...)  pw_log(log, PW_LOG_INFO, __VA_ARGS__)
#define pw_debug(log, ...) pw_log(log, PW_LOG_DEBUG, __VA_ARGS__)

#endif
