/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads an INI file: bounds its size, refuses control characters, hands its lines to libinih. */
#include "app/cli/config.h"

#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	const char *path;
	const char *text;
	size_t len;
	size_t pos;
	unsigned int line; /* the last one read; libinih calls on_entry() before it reads another */
	pw_config_fn fn;
	void *ctx;
	int result; /* the first error; then the reader reports the end of the file */
	struct pw_err *err;
};

int pw_config_load(const char *path, char **text, size_t *len, struct pw_err *err)
{
	FILE *f = fopen(path, "re");
	int result = 0;

	if (!f)
		return pw_err_sys(err, errno, "cannot read --config %s", path);
	*text = malloc(PW_CONFIG_MAX_BYTES + 1);
	if (!*text) {
		result = pw_err_set(err, ENOMEM, "cannot read --config %s: out of memory", path);
		goto close_file;
	}
	errno = 0;
	*len = fread(*text, 1, PW_CONFIG_MAX_BYTES + 1, f);
	if (ferror(f))
		result = pw_err_sys(err, errno ? errno : EIO, "cannot read --config %s", path);
	else if (*len > PW_CONFIG_MAX_BYTES)
		result = pw_err_set(err, EFBIG,
			"cannot read --config %s: longer than %u bytes; is it an INI file?", path,
			PW_CONFIG_MAX_BYTES);
	if (result) {
		free(*text);
		*text = NULL;
	}
close_file:
	fclose(f);
	return result;
}

static bool has_control(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
			return true;
	return false;
}

/* Takes the place of fgets() for libinih. Removes indentation: libinih takes an indented line as a
 * continuation of the value above it, which users do not mean. */
static char *next_line(char *buf, int size, void *stream)
{
	struct reader *r = stream;
	const char *s = r->text + r->pos;
	size_t left = r->len - r->pos, n;
	const char *end = left ? memchr(s, '\n', left) : NULL;

	if (r->result || !left || size < 1)
		return NULL;
	n = end ? (size_t)(end - s) : left;
	r->pos += n + (end != NULL);
	r->line++;
	if (n && s[n - 1] == '\r')
		n--;
	for (; n && (*s == ' ' || *s == '\t'); s++)
		n--;
	if (n && (*s == ';' || *s == '#'))
		n = 0;
	if (has_control(s, n)) {
		r->result = pw_err_set(r->err, EINVAL,
			"cannot read %s:%u: a control character; is it an INI file?", r->path,
			r->line);
		return NULL;
	}
	/* One byte for NUL and two for the line's end, which libinih expects and does not get. */
	if (n + 3 > (size_t)size) {
		r->result = pw_err_set(r->err, EINVAL, "cannot read %s:%u: longer than %d bytes",
			r->path, r->line, size - 3);
		return NULL;
	}
	memcpy(buf, s, n);
	buf[n] = '\0';
	return buf;
}

static int on_entry(void *user, const char *section, const char *name, const char *value)
{
	struct reader *r = user;
	struct pw_config_entry e = {section, name, value ? value : "", r->line};

	if (r->result)
		return 0;
	if (strstr(e.value, " #") || strstr(e.value, "\t#"))
		r->result = pw_err_set(r->err, EINVAL,
			"cannot read %s:%u: %.40s: a comment behind a value begins with ';', not "
			"'#'",
			r->path, r->line, name);
	else
		r->result = r->fn(r->ctx, &e, r->err);
	return r->result == 0;
}

int pw_config_parse(const char *path, const char *text, size_t len, pw_config_fn fn, void *ctx,
	struct pw_err *err)
{
	struct reader r = {
		.path = path, .text = text, .len = len, .fn = fn, .ctx = ctx, .err = err};
	int line = ini_parse_stream(next_line, &r, on_entry, &r);

	/* libinih reports a line without '=' and reads on. An entry below that line may have been
	 * refused since; report the line that comes first. */
	if (line > 0 && (!r.result || (unsigned int)line < r.line))
		return pw_err_set(err, EINVAL,
			"cannot read %s:%d: neither [SECTION] nor NAME = VALUE", path, line);
	if (line < 0 && !r.result)
		return pw_err_set(err, ENOMEM, "cannot read --config %s: out of memory", path);
	return r.result;
}
