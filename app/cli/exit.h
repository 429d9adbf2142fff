/* SPDX-License-Identifier: BSD-3-Clause */
/* The exit codes of all commands. A table in exit.c maps each error to its exit code. */
#ifndef PW_APP_CLI_EXIT_H
#define PW_APP_CLI_EXIT_H

#define PW_EXIT_OK         0
#define PW_EXIT_RUNTIME    1 /* an error at run time */
#define PW_EXIT_USAGE      2 /* wrong options or operands */
#define PW_EXIT_INCOMPLETE 3 /* data is missing or differs, or a signal ended the command early */
#define PW_EXIT_NOENV      77 /* the environment lacks something: huge pages, a driver, a privilege */

/* What the command was doing when the error came. */
enum pw_exit_when {
	PW_WHEN_OPENING = 1, /* send, recv, bench, doctor: a port, a socket, the output directory */
	PW_WHEN_STAGING = 2, /* stage: a file on hugetlbfs */
	PW_WHEN_RUNNING = 4, /* everything else */
};

/* The exit code for a positive errno value; 0 gives PW_EXIT_OK. Wrong usage is not an errno: see
 * pw_cli_usage(). */
int pw_exit_code(enum pw_exit_when when, int error);

#endif
