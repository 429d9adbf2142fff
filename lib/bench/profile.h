/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Profiles: `bench --profile NAME` compares one part of pagewire with another program, or with a limit of
 * the machine, and reports the ratio.
 *
 *   profile     opens: files, ports         one file of its own, profile_NAME.c
 *     contest   one unit, one title         "cycles a packet, 1440-byte symbols"
 *       contender   measured once a round, in an order drawn anew; round 0 is a warm-up
 *       claim       contender a / contender b, round by round, and the ratio asked for
 *
 * If the host lacks something for a contender, the contender and its claims are skipped, with the reason.
 */
#ifndef PW_BENCH_PROFILE_H
#define PW_BENCH_PROFILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "bench/env.h"
#include "bench/stats.h"

#define PW_CONTESTS_MAX   32
#define PW_CONTENDERS_MAX 6
#define PW_CLAIMS_MAX     6
#define PW_ROUNDS_MAX     100

struct pw_contender {
	char name[48];
	char how[400]; /* what another lab types to measure it alone */
	/* *value in the contest's unit. -ENOENT, -ENODEV, -EOPNOTSUPP, -EPERM, -ENOMEM in the warm-up:
	 * skipped, err has the reason; -ECANCELED ends the run; other errors make the sample void. */
	int (*measure)(void *arg, double *value, struct pw_err *err);
	void *arg;
	/* filled by the run */
	char skipped[PW_ERR_MAX], void_why[PW_ERR_MAX];
	double values[PW_ROUNDS_MAX]; /* NaN: void */
	struct pw_summary sum;
};

/* a's value over b's is at most, or at least, what is asked for. bound NaN: nothing is. */
struct pw_claim {
	unsigned int a, b; /* contenders */
	double bound;
	bool at_most;
	struct pw_summary ratio; /* filled by the run; n 0: not measured */
};

struct pw_contest {
	char title[100], unit[32];
	char note[300]; /* what a reader must know beside the figures; "" = nothing */
	struct pw_contender contenders[PW_CONTENDERS_MAX];
	unsigned int n_contenders;
	struct pw_claim claims[PW_CLAIMS_MAX];
	unsigned int n_claims;
};

struct pw_profile_options {
	unsigned int rounds; /* 0: the profile's own number */
	uint64_t seed;
	const char *dir;          /* on a disk, for ordinary files */
	int source_cpu, sink_cpu; /* -1: any */
	const struct pw_log *log;
	bool (*stopped)(void); /* may be NULL */
};

struct pw_profile;

struct pw_profile_run {
	const struct pw_profile *profile;
	struct pw_profile_options opt;
	struct pw_contest *contests; /* PW_CONTESTS_MAX of them */
	unsigned int n_contests;
	unsigned int rounds; /* that were run wholly */
	struct pw_env env;
	void *state; /* the profile's own */
};

struct pw_profile {
	const char *name;    /* "tx-cost" */
	const char *summary; /* a line for --help and --list */
	unsigned int rounds; /* unless asked otherwise */
	/* Adds contests; files and whatever else they need. */
	int (*open)(struct pw_profile_run *run, struct pw_err *err);
	void (*close)(struct pw_profile_run *run); /* also after an open that failed; may be NULL */
};

/* For open(): they end the program's run with an assertion when there is no more room. */
struct pw_contest *pw_profile_add(struct pw_profile_run *run, const char *title, const char *unit);
struct pw_contender *pw_contest_add(struct pw_contest *c, const char *name,
	int (*measure)(void *arg, double *value, struct pw_err *err), void *arg);
void pw_contest_claim(
	struct pw_contest *c, unsigned int a, unsigned int b, bool at_most, double bound);
/* Tells a's value over b's, of which nothing is asked. */
void pw_contest_compare(struct pw_contest *c, unsigned int a, unsigned int b);

/* Opens, measures, summarizes. tick: before each measurement. After 0 and -ECANCELED the result is
 * in *run until close, also after the -errno of a run that could not go on. */
int pw_profile_measure(struct pw_profile_run *run, const struct pw_profile *profile,
	const struct pw_profile_options *opt,
	void (*tick)(void *ctx, uint64_t done, uint64_t total, const char *what), void *tick_ctx,
	struct pw_err *err);
bool pw_profile_any_void(const struct pw_profile_run *run);
void pw_profile_close(struct pw_profile_run *run); /* accepts a zeroed one */

enum pw_verdict { PW_CLAIM_OPEN, PW_CLAIM_REACHED, PW_CLAIM_MISSED };
/* By the median. *sure: the same is true of the whole interval. */
enum pw_verdict pw_claim_judge(const struct pw_claim *claim, bool *sure);

void pw_profile_print(FILE *out, const struct pw_profile_run *run);
json_t *pw_profile_json(const struct pw_profile_run *run); /* every value of every round */

#endif
