/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

/* The only writable global of the program: a signal handler reaches nothing else. */
static volatile sig_atomic_t stop_signal;

static void on_stop(int sig)
{
	stop_signal = sig;
}

void pw_stop_install(void)
{
	/* RESETHAND: whoever presses ^C twice means it. No RESTART: sleeping calls shall return. */
	struct sigaction sa = {.sa_handler = on_stop, .sa_flags = (int)SA_RESETHAND}, old;

	stop_signal = 0;
	sigemptyset(&sa.sa_mask);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	/* A terminal that goes away; nohup wants it ignored, and keeps it so. */
	if (sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &sa, NULL);
	/* Drivers write to sockets whose peer may be gone. */
	sa.sa_handler = SIG_IGN;
	sa.sa_flags = 0;
	sigaction(SIGPIPE, &sa, NULL);
	/* A file beyond `ulimit -f`: EFBIG has a sentence, a signal has none. */
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

/* Errors quote what came from files and arguments; a terminal shall not obey any of it. */
static void print_plain(FILE *out, const char *s)
{
	for (; *s; s++)
		fputc(((unsigned char)*s < ' ' || *s == 0x7f) ? '?' : *s, out);
	fputc('\n', out);
}

int pw_cli_fail(const struct pw_err *err)
{
	fputs("pagewire: error: ", stderr);
	print_plain(stderr, err->msg);
	return PW_EXIT_RUNTIME;
}

int pw_cli_fail_open(const struct pw_err *err)
{
	static const int lacking[] = {ENODEV, ENOMEM, EPERM, EACCES, ENOSPC, ENOTSUP, ENOSYS};

	pw_cli_fail(err);
	for (size_t i = 0; i < PW_ARRAY_LEN(lacking); i++)
		if (err->code == lacking[i])
			return PW_EXIT_NOENV;
	return PW_EXIT_RUNTIME;
}

int pw_cli_usage(const char *command, const struct pw_err *err)
{
	fprintf(stderr, "pagewire %s: ", command);
	print_plain(stderr, err->msg);
	return PW_EXIT_USAGE;
}

json_t *pw_cli_json_result(const char *schema, int exit_code)
{
	return json_pack(
		"{s:s, s:s, s:i}", "schema", schema, "version", PW_VERSION, "exit_code", exit_code);
}

void pw_cli_print_json(json_t *result)
{
	if (!result) {
		fputs("pagewire: error: write the result: out of memory\n", stderr);
		return;
	}
	json_dumpf(result, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	fputc('\n', stdout);
	json_decref(result);
}
