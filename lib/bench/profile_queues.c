/* SPDX-License-Identifier: BSD-3-Clause */
/* --profile queues: measures how much faster a sender is with a second queue and a core for it, and how much
 * slower on the virtual wire, where two CPUs leave no core for that queue. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench/profiles.h"
#include "bench/prog.h"
#include "bench/wirepair.h"

#define FILE_BYTES (64ull << 20)
#define LOOPS      "64"
#define WIRE_LOOPS 16
#define LIMIT_NS   (60 * PW_NS_PER_S)
#define MOST       2 /* queues: what two cores feed */

static const char *const names[MOST] = {"1 queue", "2 queues"};

struct queues_profile;

struct queues_job {
	struct queues_profile *q;
	char n[4];
	struct pw_wirepair pair;
};

struct queues_profile {
	const struct pw_profile_options *opt;
	struct pw_store store;
	char cores[32];
	struct queues_job jobs[MOST];
};

static int measure_null(void *arg, double *value, struct pw_err *err)
{
	const struct queues_job *job = arg;
	char self[256];
	const char *const argv[] = {pw_prog_self(self, sizeof(self)), "send",
		job->q->store.files[0].tmpfs, "--port", "null", "--to", "239.77.0.1", "--queues",
		job->n, "--core", job->q->cores, "--loop", LOOPS, "--digest", "none", "--no-huge",
		"--lead", "0", "--json", "--quiet", NULL};
	struct pw_prog p = {0};
	int r = pw_prog_run(&p, argv, -1, LIMIT_NS, job->q->opt->stopped, err);

	*value = pw_prog_number(&p, "packets_per_s") * 1e-6;
	pw_prog_drop(&p);
	return r;
}

static int measure_wire(void *arg, double *value, struct pw_err *err)
{
	return pw_wirepair_measure(&((const struct queues_job *)arg)->pair, value, err);
}

static void add_null(struct pw_profile_run *run, struct queues_profile *q)
{
	struct pw_contest *c =
		pw_profile_add(run, "packets of 1440 bytes into the null port", "Mpps");
	unsigned int i;

	for (i = 0; i < MOST; i++)
		snprintf(pw_contest_add(c, names[i], measure_null, &q->jobs[i])->how, 400,
			"pagewire send FILE --port null --to 239.77.0.1 --queues %u --core %s "
			"--loop " LOOPS " --digest none --no-huge --lead 0 --json --quiet; FILE of "
			"64 MiB on tmpfs",
			i + 1, q->cores);
	pw_contest_claim(c, 1, 0, false, 1.8);
}

/* testpmd must have a core of its own: a poller that shares one with a sender measures the scheduler. */
static void add_wire(struct pw_profile_run *run, struct queues_profile *q)
{
	struct pw_contest *c = pw_profile_add(
		run, "vhost to virtio-user, symbols of 1440 bytes, 64 MiB 16 times", "Gbit/s");
	struct pw_contender *who;
	unsigned int i;

	snprintf(c->note, sizeof(c->note),
		"With two CPUs, both sending threads take turns on one of them, and testpmd polls "
		"both queues on the other: the ratio is what a second queue costs that has no "
		"core, "
		"not what it brings. vhost's copy runs on the sender's core.");
	for (i = 0; i < MOST; i++) {
		who = pw_contest_add(c, names[i], measure_wire, &q->jobs[i]);
		pw_wirepair_how(&q->jobs[i].pair, who->how, sizeof(who->how));
	}
	pw_contest_compare(c, 1, 0);
}

static int queues_open(struct pw_profile_run *run, struct pw_err *err)
{
	const uint64_t bytes = FILE_BYTES;
	struct queues_profile *q = calloc(1, sizeof(*q));
	unsigned int i;
	int r;

	if (!q)
		return pw_err_sys(err, ENOMEM, "cannot open profile queues");
	run->state = q;
	q->opt = &run->opt;
	if (q->opt->source_cpu == q->opt->sink_cpu)
		return pw_err_set(
			err, ENODEV, "cannot open profile queues: two queues need two CPUs");
	snprintf(q->cores, sizeof(q->cores), "%d,%d", q->opt->source_cpu, q->opt->sink_cpu);
	r = pw_store_make(&q->store, &bytes, 1, NULL, NULL, PW_WIREPAIR_EAL_BYTES, err);
	if (r)
		return r;
	for (i = 0; i < MOST; i++) {
		q->jobs[i] = (struct queues_job){.q = q,
			.pair = {.opt = q->opt,
				.store = &q->store,
				.symbol_bytes = 1440,
				.n_queues = i + 1,
				.loops = WIRE_LOOPS}};
		snprintf(q->jobs[i].n, sizeof(q->jobs[i].n), "%u", i + 1);
	}
	add_null(run, q);
	add_wire(run, q);
	return 0;
}

static void queues_close(struct pw_profile_run *run)
{
	struct queues_profile *q = run->state;

	if (q)
		pw_store_remove(&q->store);
	free(q);
}

const struct pw_profile pw_profile_queues = {
	.name = "queues",
	.summary = "what a second queue adds to a sender, and what it costs",
	.rounds = 10,
	.open = queues_open,
	.close = queues_close,
};
