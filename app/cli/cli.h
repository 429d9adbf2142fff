/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions that all commands use: stop signals, the live line, errors and exit codes, results as JSON. */
#ifndef PW_APP_CLI_CLI_H
#define PW_APP_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "app/cli/opt.h"

/* SIGINT and SIGTERM set a flag, once: a second one has the default action. SIGPIPE is ignored. */
void pw_stop_install(void);
bool pw_stop_requested(void); /* one relaxed load */
int pw_stop_signal(void);     /* the signal's number, 0 = none */

/* A live line on standard error: drawn on a terminal, or with --progress a line a second. */
struct pw_progress {
	bool enabled;
	bool tty;
	const char *verb;     /* "sending" */
	uint64_t start_ns;    /* of the phase that verb names */
	uint64_t start_bytes; /* done when it started */
	uint64_t last_ns;
	uint64_t last_bytes;
	uint64_t last_packets;
	const char *note; /* of the caller, at the end of the line; NULL: none */
	bool drawn;
};

void pw_progress_init(struct pw_progress *p, bool tty, bool forced);
/* Names the phase, "reading", "sending"; a new name restarts the clock for rate and ETA. Cheap: call it
 * with each status. */
void pw_progress_phase(
	struct pw_progress *p, uint64_t now_ns, const char *verb, uint64_t bytes_done);
/* true a few times a second: then call pw_progress_draw(). Reads the clock: cold loops only. */
bool pw_progress_due(const struct pw_progress *p, uint64_t now_ns);
/* loss: fraction or a negative number for "unknown"; total 0: unknown. */
void pw_progress_draw(struct pw_progress *p, uint64_t now_ns, uint64_t bytes, uint64_t total_bytes,
	uint64_t packets, double loss);
/* Draws a line that the caller wrote. */
void pw_progress_say(struct pw_progress *p, uint64_t now_ns, const char *line);
void pw_progress_end(struct pw_progress *p); /* wipes the line */

/* Print err on standard error, "pagewire: error: ...", and return the exit code that the table of
 * exit.h has for it: while running, while opening, or when. */
int pw_cli_fail(const struct pw_err *err);
int pw_cli_fail_open(const struct pw_err *err);
int pw_cli_fail_as(enum pw_exit_when when, const struct pw_err *err);
/* For usage errors, from parsing or later: "pagewire COMMAND: ..."; PW_EXIT_USAGE. */
int pw_cli_usage(const char *command, const struct pw_err *err);

/* A word for a shell: quoted where it has to be, control characters as '?'. */
void pw_cli_print_word(FILE *out, const char *word);

/* A result with the keys that every document has: schema, version, exit_code. NULL without memory,
 * which jansson's setters accept. */
json_t *pw_cli_json_result(const char *schema, int exit_code);
/* Prints a result object to standard output as one JSON document and frees it. */
void pw_cli_print_json(json_t *result);

#endif
