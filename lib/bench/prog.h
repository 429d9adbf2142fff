/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs the programs that a profile measures: pagewire itself, testpmd, fio, iperf3. They are started without a
 * shell, have a time limit, and end with the bench, even if it is killed. For one thread.
 *
 *   pw_prog_start  ->  pw_prog_until("Press enter")  ->  pw_prog_say("stop\n")  ->  pw_prog_wait
 */
#ifndef PW_BENCH_PROG_H
#define PW_BENCH_PROG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/err.h"

#define PW_PROG_TEXT_MAX (1u << 20) /* of each of its streams; what goes beyond is dropped */

struct pw_prog_text {
	int fd;  /* -1: at its end */
	char *s; /* NUL-terminated; NULL: nothing came */
	size_t len;
};

/* Zeroed: none runs. */
struct pw_prog {
	pid_t pid; /* 0: none, or waited for */
	int in;
	struct pw_prog_text out, err; /* kept until pw_prog_drop() */
	int status;                   /* as waitpid() has it */
	struct rusage usage;          /* once it has ended: CPU time, peak memory */
	uint64_t start_ns, end_ns;    /* CLOCK_MONOTONIC */
	char name[32];
	bool (*stopped)(void); /* the user has interrupted us; may be NULL */
};

/* Is it a path to, or is there in PATH, such a program? */
bool pw_prog_can_run(const char *name);

/* argv[0] is searched in PATH; NULL-terminated. cpu: it runs there only, -1: anywhere it may.
 * -ENOENT: there is no such program here. */
int pw_prog_start(struct pw_prog *p, const char *const *argv, int cpu, bool (*stopped)(void),
	struct pw_err *err);
/* Until the text is in one of its streams. -ECHILD: it ended before, -ETIMEDOUT, -ECANCELED. */
int pw_prog_until(struct pw_prog *p, const char *text, uint64_t timeout_ns, struct pw_err *err);
/* To its standard input. */
int pw_prog_say(struct pw_prog *p, const char *text, struct pw_err *err);
/* Until it has ended, with exit code 0: else -EIO, and its last line in err. Closes its input first. */
int pw_prog_wait(struct pw_prog *p, uint64_t timeout_ns, struct pw_err *err);
/* A number of the JSON object that it printed on its standard output: "end.sum.lost_percent",
 * "jobs.0.read.bw_bytes". NaN:
 * there is none. */
double pw_prog_number(const struct pw_prog *p, const char *path);
/* SIGINT, SIGKILL after 2 s, to its children too; frees the text; accepts a zeroed one. */
void pw_prog_drop(struct pw_prog *p);

/* start, wait: the whole of a program's life; out.s until pw_prog_drop(). */
int pw_prog_run(struct pw_prog *p, const char *const *argv, int cpu, uint64_t timeout_ns,
	bool (*stopped)(void), struct pw_err *err);

/* /proc/self/exe, resolved: for argv[0] of pagewire itself. */
const char *pw_prog_self(char *buf, size_t len);

#endif
