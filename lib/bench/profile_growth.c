/* SPDX-License-Identifier: BSD-3-Clause */
/* --profile growth: ten times the work takes ten times the time and memory, not more. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/profiles.h"
#include "bench/prog.h"
#include "bench/store.h"

#define COUNTS     3
#define FILE_BYTES 4096
#define LIMIT_NS   (120 * PW_NS_PER_S)

static const unsigned int counts[COUNTS] = {1000, 10000, 100000};

struct job {
	const struct growth *g;
	char dir[128]; /* as many files in it */
};

struct growth {
	const struct pw_profile_options *opt;
	struct pw_store store;
	struct job jobs[COUNTS];
};

/* Through the null port: what is left is what a file costs pagewire, and a packet or three. */
static int send_files(const struct job *job, struct pw_prog *p, struct pw_err *err)
{
	char self[256];
	const char *const argv[] = {pw_prog_self(self, sizeof(self)), "send", job->dir, "--port",
		"null", "--to", "239.77.0.1", "--no-huge", "--lead", "0", "--quiet", NULL};

	return pw_prog_run(p, argv, -1, LIMIT_NS, job->g->opt->stopped, err);
}

static int measure_seconds(void *arg, double *value, struct pw_err *err)
{
	struct pw_prog p = {0};
	int r = send_files(arg, &p, err);

	*value = (double)(p.end_ns - p.start_ns) / (double)PW_NS_PER_S;
	pw_prog_drop(&p);
	return r;
}

static int measure_memory(void *arg, double *value, struct pw_err *err)
{
	struct pw_prog p = {0};
	int r = send_files(arg, &p, err);

	*value = (double)p.usage.ru_maxrss / 1024;
	pw_prog_drop(&p);
	return r;
}

static int write_small(const char *dir, unsigned int i, struct pw_err *err)
{
	static const uint8_t zeros[FILE_BYTES];
	char path[160];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%06u", dir, i);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return pw_err_sys(err, errno, "make %s", path);
	n = write(fd, zeros, sizeof(zeros));
	close(fd);
	return n == (ssize_t)sizeof(zeros)
		       ? 0
		       : pw_err_sys(err, n < 0 ? errno : ENOSPC, "write %s", path);
}

static int make_files(struct job *job, unsigned int n, struct pw_err *err)
{
	unsigned int i;
	int r = 0;

	snprintf(job->dir, sizeof(job->dir), "%s/tmpfs/%u", job->g->store.dir, n);
	if (mkdir(job->dir, 0700))
		return pw_err_sys(err, errno, "make %s", job->dir);
	for (i = 0; r == 0 && i < n; i++)
		r = write_small(job->dir, i, err);
	return r;
}

static void add_counts(struct pw_profile_run *run, struct growth *g, const char *title,
	const char *unit, int (*measure)(void *arg, double *value, struct pw_err *err))
{
	struct pw_contest *c = pw_profile_add(run, title, unit);
	char name[32];
	unsigned int i;

	for (i = 0; i < COUNTS; i++) {
		struct pw_contender *who;

		snprintf(name, sizeof(name), "%u files", counts[i]);
		who = pw_contest_add(c, name, measure, &g->jobs[i]);
		snprintf(who->how, sizeof(who->how),
			"pagewire send DIR --port null --to 239.77.0.1 --no-huge --lead 0 --quiet, "
			"%u files of %u bytes in DIR",
			counts[i], FILE_BYTES);
	}
	for (i = 1; i < COUNTS; i++)
		pw_contest_claim(c, i, i - 1, true, (double)counts[i] / counts[i - 1]);
}

static int growth_open(struct pw_profile_run *run, struct pw_err *err)
{
	const uint64_t none = 0;
	struct growth *g = calloc(1, sizeof(*g));
	unsigned int i;
	int r;

	if (!g)
		return pw_err_sys(err, ENOMEM, "open profile growth");
	run->state = g;
	g->opt = &run->opt;
	r = pw_store_make(&g->store, &none, 1, NULL, NULL, 0, err);
	for (i = 0; r == 0 && i < COUNTS; i++) {
		g->jobs[i].g = g;
		r = make_files(&g->jobs[i], counts[i], err);
	}
	if (r)
		return r;
	add_counts(run, g, "many small files in one session, start to end", "seconds",
		measure_seconds);
	add_counts(run, g, "many small files in one session, peak memory", "MiB", measure_memory);
	return 0;
}

static void growth_close(struct pw_profile_run *run)
{
	struct growth *g = run->state;

	if (!g)
		return;
	pw_store_remove(&g->store);
	free(g);
}

const struct pw_profile pw_profile_growth = {
	.name = "growth",
	.summary = "time and memory over the number of files: no worse than linear",
	.rounds = 5,
	.open = growth_open,
	.close = growth_close,
};
