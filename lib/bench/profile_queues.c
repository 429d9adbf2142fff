/* SPDX-License-Identifier: BSD-3-Clause */
/* --profile queues: what a second queue, with a core of its own, adds to a sender. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench/profiles.h"
#include "bench/prog.h"
#include "bench/store.h"

#define FILE_BYTES (64ull << 20)
#define LOOPS      "64"
#define LIMIT_NS   (60 * PW_NS_PER_S)
#define MOST       2 /* queues: what two cores feed */

struct queues_profile;

struct queues_job {
	struct queues_profile *q;
	char n[4];
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

static int queues_open(struct pw_profile_run *run, struct pw_err *err)
{
	const uint64_t bytes = FILE_BYTES;
	struct queues_profile *q = calloc(1, sizeof(*q));
	struct pw_contest *c;
	unsigned int i;
	int r;

	if (!q)
		return pw_err_sys(err, ENOMEM, "open profile queues");
	run->state = q;
	q->opt = &run->opt;
	if (q->opt->source_cpu == q->opt->sink_cpu)
		return pw_err_set(err, ENODEV, "open profile queues: two queues need two CPUs");
	snprintf(q->cores, sizeof(q->cores), "%d,%d", q->opt->source_cpu, q->opt->sink_cpu);
	r = pw_store_make(&q->store, &bytes, 1, NULL, NULL, 0, err);
	if (r)
		return r;
	c = pw_profile_add(run, "packets of 1440 bytes into the null port", "Mpps");
	for (i = 0; i < MOST; i++) {
		char name[32];

		q->jobs[i].q = q;
		snprintf(q->jobs[i].n, sizeof(q->jobs[i].n), "%u", i + 1);
		snprintf(name, sizeof(name), "%u %s", i + 1, i ? "queues" : "queue");
		snprintf(pw_contest_add(c, name, measure_null, &q->jobs[i])->how, 400,
			"pagewire send FILE --port null --to 239.77.0.1 --queues %u --core %s "
			"--loop " LOOPS " --digest none --no-huge --lead 0 --json --quiet; FILE of "
			"64 MiB on tmpfs",
			i + 1, q->cores);
	}
	pw_contest_claim(c, 1, 0, false, 1.8);
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
	.summary = "what a second queue with a core of its own adds to a sender",
	.rounds = 10,
	.open = queues_open,
	.close = queues_close,
};
