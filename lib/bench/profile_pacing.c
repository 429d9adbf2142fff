/* SPDX-License-Identifier: BSD-3-Clause */
/* --profile pacing: compares the rate that --rate asks for with the rate that is sent, and measures what pacing
 * costs by a rate that is too high to be reached. It uses the null port, so that no wire changes the bursts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/units.h"
#include "bench/profiles.h"
#include "bench/prog.h"
#include "bench/store.h"

#define LIMIT_NS   (60 * PW_NS_PER_S)
#define WITHIN     0.001 /* asked for */
#define FREE_RATIO 0.97  /* the same, of a rate that is out of reach */
#define UNREACHED  "100000Gbit/s"

/* Frames of 1500 bytes and some: a second's worth is `size` times `loops`. */
static const struct step {
	const char *rate;
	double bits_per_s;
	uint64_t size;
	const char *loops;
} steps[] = {
	{"1Mbit/s", 1e6, 120000, "1"},
	{"10Mbit/s", 1e7, 1200000, "1"},
	{"100Mbit/s", 1e8, 12000000, "1"},
	{"1Gbit/s", 1e9, 60000000, "2"},
	{"10Gbit/s", 1e10, 60000000, "20"},
	{"100Gbit/s", 1e11, 60000000, "200"},
};

#define STEPS PW_ARRAY_LEN(steps)

struct pacing;

struct pace_job {
	const struct pacing *p;
	const struct step *step; /* NULL: as fast as it goes */
	const char *rate;        /* NULL: none */
};

struct pacing {
	const struct pw_profile_options *opt;
	struct pw_store store;
	struct pace_job jobs[STEPS + 2];
};

static int send_job(const struct pace_job *job, const char *key, double *value, struct pw_err *err)
{
	const struct pw_store_file *f = &job->p->store.files[job->step ? job->step - steps : 3];
	char self[256], core[16];
	const char *argv[24] = {pw_prog_self(self, sizeof(self)), "send", f->tmpfs, "--port",
		"null", "--to", "239.77.0.1", "--pages", "pagecache", "--no-huge", "--digest",
		"none", "--core", core, "--json", "--quiet", "--loop",
		job->step ? job->step->loops : "1000"};
	struct pw_prog p = {0};
	int r;

	snprintf(core, sizeof(core), "%d", job->p->opt->source_cpu);
	if (job->rate) {
		argv[18] = "--rate";
		argv[19] = job->rate;
	}
	r = pw_prog_run(&p, argv, -1, LIMIT_NS, job->p->opt->stopped, err);
	*value = pw_prog_number(&p, key);
	pw_prog_drop(&p);
	return r;
}

static int measure_achieved(void *arg, double *value, struct pw_err *err)
{
	int r = send_job(arg, "rate_achieved_bps", value, err);

	*value /= 1e6;
	return r;
}

static int tell_asked(void *arg, double *value, struct pw_err *err)
{
	const struct pace_job *job = arg;

	(void)err;
	*value = job->step->bits_per_s / 1e6;
	return 0;
}

static int measure_speed(void *arg, double *value, struct pw_err *err)
{
	int r = send_job(arg, "packets_per_s", value, err);

	*value /= 1e6;
	return r;
}

static void add_rate(struct pw_profile_run *run, struct pace_job *job)
{
	char title[64];
	struct pw_contest *c;

	snprintf(title, sizeof(title), "a rate of %s for a second", job->rate);
	c = pw_profile_add(run, title, "Mbit/s");
	snprintf(pw_contest_add(c, "achieved", measure_achieved, job)->how, 400,
		"pagewire send FILE --port null --to 239.77.0.1 --pages pagecache --no-huge "
		"--digest none --loop %s --rate %s --json: rate_achieved_bps; FILE of %llu bytes "
		"on "
		"tmpfs",
		job->step->loops, job->rate, (unsigned long long)job->step->size);
	pw_contest_add(c, "asked", tell_asked, job);
	pw_contest_claim(c, 0, 1, false, 1 - WITHIN);
	pw_contest_claim(c, 0, 1, true, 1 + WITHIN);
}

static int pacing_open(struct pw_profile_run *run, struct pw_err *err)
{
	struct pacing *p = calloc(1, sizeof(*p));
	uint64_t sizes[STEPS];
	struct pw_contest *c;
	size_t i;
	int r;

	if (!p)
		return pw_err_sys(err, ENOMEM, "cannot open profile pacing");
	run->state = p;
	p->opt = &run->opt;
	for (i = 0; i < STEPS; i++)
		sizes[i] = steps[i].size;
	r = pw_store_make(&p->store, sizes, STEPS, NULL, NULL, 0, err);
	if (r)
		return r;
	for (i = 0; i < STEPS; i++) {
		p->jobs[i] = (struct pace_job){.p = p, .step = &steps[i], .rate = steps[i].rate};
		add_rate(run, &p->jobs[i]);
	}
	p->jobs[STEPS] = (struct pace_job){.p = p, .rate = UNREACHED};
	p->jobs[STEPS + 1] = (struct pace_job){.p = p};
	c = pw_profile_add(run, "a rate that is out of reach", "Mpps");
	snprintf(pw_contest_add(c, "--rate " UNREACHED, measure_speed, &p->jobs[STEPS])->how, 400,
		"pagewire send FILE --port null ... --loop 1000 --rate " UNREACHED
		" --json: packets_per_s");
	pw_contest_add(c, "no rate", measure_speed, &p->jobs[STEPS + 1]);
	pw_contest_claim(c, 0, 1, false, FREE_RATIO);
	return 0;
}

static void pacing_close(struct pw_profile_run *run)
{
	struct pacing *p = run->state;

	if (!p)
		return;
	pw_store_remove(&p->store);
	free(p);
}

const struct pw_profile pw_profile_pacing = {
	.name = "pacing",
	.summary = "the rate that was asked for, from 1 Mbit/s to 100 Gbit/s",
	.rounds = 5,
	.open = pacing_open,
	.close = pacing_close,
};
