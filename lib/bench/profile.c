/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs the rounds of a profile: every contender once in each round, in a new random order. */
#include "bench/profile.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "bench/cell.h"

#define TURNS_MAX ((size_t)PW_CONTESTS_MAX * PW_CONTENDERS_MAX)

struct pw_contest *pw_profile_add(struct pw_profile_run *run, const char *title, const char *unit)
{
	struct pw_contest *c = &run->contests[run->n_contests];

	assert(run->n_contests < PW_CONTESTS_MAX);
	run->n_contests++;
	snprintf(c->title, sizeof(c->title), "%s", title);
	snprintf(c->unit, sizeof(c->unit), "%s", unit);
	return c;
}

struct pw_contender *pw_contest_add(struct pw_contest *c, const char *name,
	int (*measure)(void *arg, double *value, struct pw_err *err), void *arg)
{
	struct pw_contender *who = &c->contenders[c->n_contenders];
	size_t i;

	assert(c->n_contenders < PW_CONTENDERS_MAX);
	c->n_contenders++;
	snprintf(who->name, sizeof(who->name), "%s", name);
	who->measure = measure;
	who->arg = arg;
	for (i = 0; i < PW_ROUNDS_MAX; i++)
		who->values[i] = NAN;
	return who;
}

void pw_contest_claim(
	struct pw_contest *c, unsigned int a, unsigned int b, bool at_most, double bound)
{
	assert(c->n_claims < PW_CLAIMS_MAX);
	c->claims[c->n_claims++] =
		(struct pw_claim){.a = a, .b = b, .at_most = at_most, .bound = bound};
}

void pw_contest_compare(struct pw_contest *c, unsigned int a, unsigned int b)
{
	pw_contest_claim(c, a, b, false, NAN);
}

static bool is_lacking(int r)
{
	return r == -ENOENT || r == -ENODEV || r == -EOPNOTSUPP || r == -EPERM || r == -ENOMEM;
}

/* round 0: the warm-up, which keeps nothing but what is lacking. */
static int take_turn(struct pw_contender *who, unsigned int round, struct pw_err *err)
{
	struct pw_err why = {0};
	double value = NAN;
	int r;

	if (who->skipped[0])
		return 0;
	r = who->measure(who->arg, &value, &why);
	if (r == -ECANCELED) {
		*err = why;
		return r;
	}
	if (r == 0 && !isfinite(value))
		r = pw_err_set(&why, ERANGE, "cannot measure %s: it gave no number", who->name);
	if (round == 0 && is_lacking(r))
		memcpy(who->skipped, why.msg, sizeof(why.msg));
	else if (r)
		memcpy(who->void_why, why.msg, sizeof(why.msg));
	if (round && r == 0)
		who->values[round - 1] = value;
	return 0;
}

struct turns {
	size_t order[TURNS_MAX]; /* contest * PW_CONTENDERS_MAX + contender */
	size_t n;
};

static void list_turns(const struct pw_profile_run *run, struct turns *t)
{
	unsigned int i, k;

	t->n = 0;
	for (i = 0; i < run->n_contests; i++)
		for (k = 0; k < run->contests[i].n_contenders; k++)
			t->order[t->n++] = (size_t)i * PW_CONTENDERS_MAX + k;
}

static int run_rounds(struct pw_profile_run *run, unsigned int rounds,
	void (*tick)(void *ctx, uint64_t done, uint64_t total, const char *what), void *tick_ctx,
	struct pw_err *err)
{
	struct pw_random random;
	struct turns t;
	unsigned int round;
	size_t i;
	int r;

	pw_random_init(&random, run->opt.seed);
	list_turns(run, &t);
	for (round = 0; round <= rounds; round++) {
		pw_random_shuffle(&random, t.order, t.n);
		for (i = 0; i < t.n; i++) {
			struct pw_contest *c = &run->contests[t.order[i] / PW_CONTENDERS_MAX];
			struct pw_contender *who = &c->contenders[t.order[i] % PW_CONTENDERS_MAX];

			if (run->opt.stopped && run->opt.stopped())
				return pw_err_set(err, ECANCELED, "interrupted");
			if (tick)
				tick(tick_ctx, round * t.n + i, (rounds + 1) * t.n, who->name);
			r = take_turn(who, round, err);
			if (r)
				return r;
		}
		run->rounds = round;
	}
	return 0;
}

static void summarize(struct pw_profile_run *run)
{
	unsigned int i, k;

	for (i = 0; i < run->n_contests; i++) {
		struct pw_contest *c = &run->contests[i];

		for (k = 0; k < c->n_contenders; k++)
			pw_summarize(&c->contenders[k].sum, c->contenders[k].values, PW_ROUNDS_MAX,
				run->opt.seed);
		for (k = 0; k < c->n_claims; k++)
			pw_summarize_ratio(&c->claims[k].ratio,
				c->contenders[c->claims[k].a].values,
				c->contenders[c->claims[k].b].values, PW_ROUNDS_MAX, run->opt.seed);
	}
}

int pw_profile_measure(struct pw_profile_run *run, const struct pw_profile *profile,
	const struct pw_profile_options *opt,
	void (*tick)(void *ctx, uint64_t done, uint64_t total, const char *what), void *tick_ctx,
	struct pw_err *err)
{
	unsigned int rounds = opt->rounds ? opt->rounds : profile->rounds;
	int r;

	memset(run, 0, sizeof(*run));
	run->profile = profile;
	run->opt = *opt;
	pw_env_read(&run->env, "", pw_bypass_version());
	run->contests = calloc(PW_CONTESTS_MAX, sizeof(*run->contests));
	if (!run->contests)
		return pw_err_sys(err, ENOMEM, "cannot open profile %s", profile->name);
	r = profile->open(run, err);
	if (r == 0)
		r = run_rounds(
			run, (unsigned int)pw_min_u64(rounds, PW_ROUNDS_MAX), tick, tick_ctx, err);
	summarize(run);
	return r;
}

bool pw_profile_any_void(const struct pw_profile_run *run)
{
	unsigned int i, k;

	for (i = 0; i < run->n_contests; i++)
		for (k = 0; k < run->contests[i].n_contenders; k++)
			if (run->contests[i].contenders[k].void_why[0])
				return true;
	return false;
}

void pw_profile_close(struct pw_profile_run *run)
{
	if (run->profile && run->profile->close)
		run->profile->close(run);
	free(run->contests);
	memset(run, 0, sizeof(*run));
}

enum pw_verdict pw_claim_judge(const struct pw_claim *claim, bool *sure)
{
	const struct pw_summary *s = &claim->ratio;
	/* the end of the interval that is nearer to missing it, and the other one */
	const double worse = claim->at_most ? s->high : -s->low;
	const double better = claim->at_most ? s->low : -s->high;
	const double middle = claim->at_most ? s->median : -s->median;
	const double bound = claim->at_most ? claim->bound : -claim->bound;

	*sure = false;
	if (s->n == 0 || isnan(claim->bound))
		return PW_CLAIM_OPEN;
	*sure = worse <= bound || better > bound;
	return middle <= bound ? PW_CLAIM_REACHED : PW_CLAIM_MISSED;
}
