/* SPDX-License-Identifier: BSD-3-Clause */
/* Handles stop signals, prints errors and returns their exit codes, prints results as JSON. */
#include "app/cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A global, because a signal handler has no other way to store it. */
static volatile sig_atomic_t stop_signal;

static void on_stop(int sig)
{
	stop_signal = sig;
}

void pw_stop_install(void)
{
	/* RESETHAND: a second ^C kills. No RESTART: sleeping calls return. */
	struct sigaction sa = {.sa_handler = on_stop, .sa_flags = (int)SA_RESETHAND}, old;

	stop_signal = 0;
	sigemptyset(&sa.sa_mask);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	/* The terminal was closed; nohup ignores this signal, and it stays ignored. */
	if (sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &sa, NULL);
	/* Drivers write to sockets whose peer may have left. */
	sa.sa_handler = SIG_IGN;
	sa.sa_flags = 0;
	sigaction(SIGPIPE, &sa, NULL);
	/* A file beyond `ulimit -f`: with the signal ignored, write() fails with EFBIG. */
	sigaction(SIGXFSZ, &sa, NULL);
}

bool pw_stop_requested(void)
{
	return stop_signal != 0;
}

int pw_stop_signal(void)
{
	return stop_signal;
}

/* Errors quote text from files and arguments: control characters must not reach the terminal. */
static void print_plain(FILE *out, const char *s)
{
	for (; *s; s++)
		fputc(((unsigned char)*s < ' ' || *s == 0x7f) ? '?' : *s, out);
	fputc('\n', out);
}

int pw_cli_fail_as(enum pw_exit_when when, const struct pw_err *err)
{
	fputs("pagewire: error: ", stderr);
	print_plain(stderr, err->msg);
	return pw_exit_code(when, err->code ? err->code : EIO);
}

int pw_cli_fail(const struct pw_err *err)
{
	return pw_cli_fail_as(PW_WHEN_RUNNING, err);
}

int pw_cli_fail_open(const struct pw_err *err)
{
	return pw_cli_fail_as(PW_WHEN_OPENING, err);
}

int pw_cli_usage(const char *command, const struct pw_err *err)
{
	fprintf(stderr, "pagewire %s: ", command);
	print_plain(stderr, err->msg);
	return PW_EXIT_USAGE;
}

void pw_cli_print_word(FILE *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-+=.,:/@%";

	if (*word && word[strspn(word, plain)] == '\0') {
		fputs(word, out);
		return;
	}
	fputc('\'', out);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", out);
		else
			fputc((unsigned char)*word < ' ' || *word == 0x7f ? '?' : *word, out);
	}
	fputc('\'', out);
}

json_t *pw_cli_json_result(const char *schema, int exit_code)
{
	return json_pack(
		"{s:s, s:s, s:i}", "schema", schema, "version", PW_VERSION, "exit_code", exit_code);
}

void pw_cli_print_json(json_t *result)
{
	if (!result) {
		fputs("pagewire: error: cannot write the result: out of memory\n", stderr);
		return;
	}
	json_dumpf(result, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	fputc('\n', stdout);
	json_decref(result);
}
