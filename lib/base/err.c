/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes the sentence of an error; a sentence that is too long ends in "...". */
#include "base/err.h"

#include <stdio.h>
#include <string.h>

static const char dots[] = "...";

/* Formats into err->msg and leaves `room` bytes of it free. */
static void format(struct pw_err *err, size_t room, const char *fmt, va_list ap)
{
	const size_t size = sizeof(err->msg) - room;
	size_t end = size - sizeof(dots);

	if (vsnprintf(err->msg, size, fmt, ap) < (int)size)
		return;
	while (end > 0 && ((unsigned char)err->msg[end] & 0xc0) == 0x80)
		end--; /* not in the middle of a UTF-8 character */
	memcpy(err->msg + end, dots, sizeof(dots));
}

int pw_err_set(struct pw_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -code;
	err->code = code;
	va_start(ap, fmt);
	format(err, 0, fmt, ap);
	va_end(ap);
	return -code;
}

int pw_err_sys(struct pw_err *err, int code, const char *fmt, ...)
{
	const char *reason = strerror(code);
	va_list ap;

	if (!err)
		return -code;
	err->code = code;
	va_start(ap, fmt);
	format(err, strlen(reason) + 2, fmt, ap);
	va_end(ap);
	strcat(strcat(err->msg, ": "), reason);
	return -code;
}
