/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs gnuplot on generated scripts and returns the SVG. */
#include "bench/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"

enum { SCRIPT, SVG, WORDS, N_FILES }; /* the child's standard input, output and error */

static int open_files(int fds[N_FILES], struct pw_err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; i < N_FILES; i++) {
		fds[i] = memfd_create("gnuplot", MFD_CLOEXEC);
		if (fds[i] < 0 && r == 0)
			r = pw_err_sys(err, errno, "cannot draw a figure: make a file in memory");
	}
	return r;
}

static int write_script(int fd, const char *script, size_t len, struct pw_err *err)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, script, len);
		if (n < 0)
			return pw_err_sys(err, errno, "cannot draw a figure: write its script");
		script += n;
		len -= (size_t)n;
	}
	if (lseek(fd, 0, SEEK_SET) < 0)
		return pw_err_sys(err, errno, "cannot draw a figure: write its script");
	return 0;
}

/* --default-settings: a user's .gnuplot must not change a report. */
static int start(pid_t *pid, int fds[N_FILES], struct pw_err *err)
{
	char name[] = "gnuplot", defaults[] = "--default-settings";
	char *argv[] = {name, defaults, NULL};
	posix_spawn_file_actions_t actions;
	extern char **environ;
	int i, r;

	posix_spawn_file_actions_init(&actions);
	for (i = 0; i < N_FILES; i++)
		posix_spawn_file_actions_adddup2(&actions, fds[i], i);
	r = posix_spawnp(pid, name, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r == ENOENT)
		return pw_err_set(err, ENOENT,
			"cannot draw a figure: gnuplot is not installed; apt-get install "
			"gnuplot-nox");
	return r ? pw_err_sys(err, r, "cannot draw a figure: start gnuplot") : 0;
}

/* Its exit code is 0 and it ended in time. */
static bool ended_well(pid_t pid)
{
	struct pollfd p = {.fd = pidfd_open(pid, 0), .events = POLLIN};
	int status = -1, n;

	do {
		n = p.fd < 0 ? 1 : poll(&p, 1, PW_GNUPLOT_WAIT_MS);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (p.fd >= 0)
		close(p.fd);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* All of it, with a NUL behind. */
static char *read_file(int fd)
{
	off_t len = lseek(fd, 0, SEEK_END);
	char *text = len < 0 ? NULL : malloc((size_t)len + 1);
	ssize_t n;

	if (!text)
		return NULL;
	n = pread(fd, text, (size_t)len, 0);
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

/* What must be the figure's own among others in one page. */
static const struct rule {
	const char *from, *before, *after; /* becomes: before, id, after */
} rules[] = {
	{"id='gp", "id='", "gp"},
	{"href='#gp", "href='#", "gp"},
	{"id=\"gnuplot_", "id=\"", ""},
	{"id='textbox'", "id='", "textbox'"},
	{"id='greybox'", "id='", "greybox'"},
};

static const struct rule *find_rule(const char *s)
{
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(rules); i++)
		if (strncmp(s, rules[i].from, strlen(rules[i].from)) == 0)
			return &rules[i];
	return NULL;
}

/* Bytes of what no reader needs: gnuplot's titles are its commands, its font is not the page's. */
static size_t useless(const char *s)
{
	static const char title[] = "</title>", desc[] = "</desc>";
	static const char font[] = "font-family=\"Arial\"";
	const char *end = NULL;

	if (strncmp(s, font, sizeof(font) - 1) == 0)
		return sizeof(font) - 1;
	if (strncmp(s, "<title>", 7) == 0 && (end = strstr(s, title)))
		return (size_t)(end - s) + sizeof(title) - 1;
	if (strncmp(s, "<desc>", 6) == 0 && (end = strstr(s, desc)))
		return (size_t)(end - s) + sizeof(desc) - 1;
	return 0;
}

static char *rewrite(const char *svg, const char *id)
{
	const char *s = strstr(svg, "<svg");
	const struct rule *r;
	char *text = NULL;
	size_t len;
	FILE *out = s ? open_memstream(&text, &len) : NULL;

	if (!out)
		return NULL;
	fputs("<svg font-family=\"Helvetica, Arial, sans-serif\"", out);
	for (s += strlen("<svg"); *s;) {
		r = find_rule(s);
		if (r) {
			fprintf(out, "%s%s-%s", r->before, id, r->after);
			s += strlen(r->from);
		} else if (useless(s)) {
			s += useless(s);
		} else {
			fputc(*s++, out);
		}
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static int collect(bool well, int fds[N_FILES], const char *id, char **svg, struct pw_err *err)
{
	char *words = read_file(fds[WORDS]), *raw = read_file(fds[SVG]);
	int r = 0;

	*svg = well && raw ? rewrite(raw, id) : NULL;
	if (!*svg)
		r = pw_err_set(err, EIO, "cannot draw a figure: gnuplot failed: %.160s",
			words && *words ? words : "it said nothing");
	free(words);
	free(raw);
	return r;
}

int pw_gnuplot_run(const char *script, size_t len, const char *id, char **svg, struct pw_err *err)
{
	int fds[N_FILES] = {-1, -1, -1}, i, r;
	pid_t pid;

	*svg = NULL;
	r = open_files(fds, err);
	if (r == 0)
		r = write_script(fds[SCRIPT], script, len, err);
	if (r == 0)
		r = start(&pid, fds, err);
	if (r == 0)
		r = collect(ended_well(pid), fds, id, svg, err);
	for (i = 0; i < N_FILES; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return r;
}
