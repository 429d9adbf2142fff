/* SPDX-License-Identifier: BSD-3-Clause */
/* What the subcommands share: stop signals, the live line, results as JSON. */
#ifndef PW_APP_CLI_CLI_H
#define PW_APP_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "app/cli/opt.h"

/* SIGINT and SIGTERM set a flag, once: a second one has the default action. SIGPIPE is ignored. */
void pw_stop_install(void);
bool pw_stop_requested(void); /* one relaxed load */
int pw_stop_signal(void);     /* the signal's number, 0 = none */

/* A live line on standard error: drawn on a terminal, or with --progress a line a second. */
struct pw_progress {
	bool enabled;
	bool tty;
	uint64_t start_ns;
	uint64_t last_ns;
	uint64_t last_bytes;
	uint64_t last_packets;
	bool drawn;
};

void pw_progress_init(struct pw_progress *p, bool tty, bool forced);
/* true a few times a second: then call pw_progress_draw(). Reads the clock: cold loops only. */
bool pw_progress_due(const struct pw_progress *p, uint64_t now_ns);
/* loss: fraction or a negative number for "unknown"; total 0: unknown. */
void pw_progress_draw(struct pw_progress *p, uint64_t now_ns, const char *verb, uint64_t bytes,
	uint64_t total_bytes, uint64_t packets, double loss);
/* The same with a line of the caller's. */
void pw_progress_say(struct pw_progress *p, uint64_t now_ns, const char *line);
void pw_progress_end(struct pw_progress *p); /* wipes the line */

/* Prints err on standard error, "pagewire: error: ..." and returns the exit code for it:
 * PW_EXIT_RUNTIME. */
int pw_cli_fail(const struct pw_err *err);
/* For what stops a port or a socket from opening: PW_EXIT_NOENV when the host lacks it (driver,
 * hugepages, privilege, feature), else PW_EXIT_RUNTIME. */
int pw_cli_fail_open(const struct pw_err *err);
/* For usage errors, from parsing or after it: "pagewire COMMAND: ..."; PW_EXIT_USAGE. */
int pw_cli_usage(const char *command, const struct pw_err *err);

/* A result with the keys that every document has: schema, version, exit_code. NULL without memory;
 * jansson's setters take that. */
json_t *pw_cli_json_result(const char *schema, int exit_code);
/* Prints a result object to standard output as one JSON document and drops it. */
void pw_cli_print_json(json_t *result);

#endif
