/* SPDX-License-Identifier: BSD-3-Clause */
/* --profile growth: checks that ten times the work takes at most ten times the time and memory. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/units.h"
#include "bench/profiles.h"
#include "bench/prog.h"
#include "bench/store.h"

#define FILE_BYTES 4096
#define LIMIT_NS   (180 * PW_NS_PER_S)
#define MANY       "many small files in one session"
#define LARGE      "one file through 256 MiB of memory"

static const unsigned int counts[] = {1, 10, 100, 1000, 10000, 100000};
static const uint64_t sizes[] = {
	1ull << 20, 64ull << 20, 1ull << 30, 4ull << 30, 16ull << 30, 64ull << 30};

#define COUNTS PW_ARRAY_LEN(counts)
#define SIZES  PW_ARRAY_LEN(sizes)

struct growth;

struct job {
	const struct growth *g;
	const char *pages; /* provider */
	char path[400];    /* a directory of small files, or one sparse file */
};

struct growth {
	const struct pw_profile_options *opt;
	struct pw_store store;
	char disk[300]; /* directory of the sparse files, "" = not made */
	struct job counts[COUNTS], sizes[SIZES];
};

/* Through the null port: what is left is what a file costs pagewire. */
static int send_job(const struct job *job, struct pw_prog *p, struct pw_err *err)
{
	char self[256];
	const char *const argv[] = {pw_prog_self(self, sizeof(self)), "send", job->path, "--port",
		"null", "--to", "239.77.0.1", "--pages", job->pages, "--no-huge", "--lead", "0",
		"--quiet", NULL};

	return pw_prog_run(p, argv, -1, LIMIT_NS, job->g->opt->stopped, err);
}

static int measure_seconds(void *arg, double *value, struct pw_err *err)
{
	struct pw_prog p = {0};
	int r = send_job(arg, &p, err);

	*value = (double)(p.end_ns - p.start_ns) / (double)PW_NS_PER_S;
	pw_prog_drop(&p);
	return r;
}

static int measure_memory(void *arg, double *value, struct pw_err *err)
{
	struct pw_prog p = {0};
	int r = send_job(arg, &p, err);

	*value = (double)p.usage.ru_maxrss / 1024;
	pw_prog_drop(&p);
	return r;
}

/* Without bytes: a hole of len_bytes, which reads as zeros. */
static int make_file(const char *path, uint64_t len_bytes, struct pw_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), r;

	if (fd < 0)
		return pw_err_sys(err, errno, "cannot make %s", path);
	r = ftruncate(fd, (off_t)len_bytes) ? pw_err_sys(err, errno, "cannot make %s", path) : 0;
	close(fd);
	return r;
}

static int make_files(struct job *job, unsigned int n, struct pw_err *err)
{
	char path[450];
	unsigned int i;
	int r = 0;

	snprintf(job->path, sizeof(job->path), "%s/tmpfs/%u", job->g->store.dir, n);
	if (mkdir(job->path, 0700))
		return pw_err_sys(err, errno, "cannot make %s", job->path);
	for (i = 0; r == 0 && i < n; i++) {
		snprintf(path, sizeof(path), "%s/%06u", job->path, i);
		r = make_file(path, FILE_BYTES, err);
	}
	return r;
}

static int make_large(struct growth *g, struct pw_err *err)
{
	size_t i;
	int r = 0;

	snprintf(g->disk, sizeof(g->disk), "%.250s/pagewire-growth.XXXXXX", g->opt->dir);
	if (!mkdtemp(g->disk)) {
		g->disk[0] = '\0';
		return pw_err_sys(err, errno,
			"cannot make a directory in %s; name another by --dir", g->opt->dir);
	}
	for (i = 0; r == 0 && i < SIZES; i++) {
		snprintf(g->sizes[i].path, sizeof(g->sizes[i].path), "%s/%zu", g->disk, i);
		r = make_file(g->sizes[i].path, sizes[i], err);
	}
	return r;
}

/* What is claimed is about the last three steps: before them it is what
 * starting a program costs. */
static void claim_steps(struct pw_contest *c, const double *work, size_t n)
{
	size_t i;

	for (i = n - 3; i < n; i++)
		pw_contest_claim(
			c, (unsigned int)i, (unsigned int)i - 1, true, work[i] / work[i - 1]);
}

static void add_counts(struct pw_profile_run *run, const char *title, const char *unit,
	int (*measure)(void *arg, double *value, struct pw_err *err))
{
	struct pw_contest *c = pw_profile_add(run, title, unit);
	struct growth *g = run->state;
	double work[COUNTS];
	char name[32];
	size_t i;

	for (i = 0; i < COUNTS; i++) {
		snprintf(name, sizeof(name), "%u %s", counts[i], counts[i] == 1 ? "file" : "files");
		work[i] = counts[i];
		snprintf(pw_contest_add(c, name, measure, &g->counts[i])->how, 400,
			"pagewire send DIR --port null --to 239.77.0.1 --pages pagecache --no-huge "
			"--lead 0 --quiet; in DIR %u files of %u bytes",
			counts[i], FILE_BYTES);
	}
	claim_steps(c, work, COUNTS);
}

static void add_sizes(struct pw_profile_run *run, const char *title, const char *unit,
	int (*measure)(void *arg, double *value, struct pw_err *err))
{
	struct pw_contest *c = pw_profile_add(run, title, unit);
	struct growth *g = run->state;
	double work[SIZES];
	char size[32];
	size_t i;

	for (i = 0; i < SIZES; i++) {
		pw_units_size(size, sizeof(size), sizes[i]);
		work[i] = (double)sizes[i];
		snprintf(pw_contest_add(c, size, measure, &g->sizes[i])->how, 400,
			"truncate -s %llu FILE; pagewire send FILE --port null --to 239.77.0.1 "
			"--pages stream --no-huge --lead 0 --quiet",
			(unsigned long long)sizes[i]);
	}
	claim_steps(c, work, SIZES);
}

static int growth_open(struct pw_profile_run *run, struct pw_err *err)
{
	const uint64_t none = 0;
	struct growth *g = calloc(1, sizeof(*g));
	size_t i;
	int r;

	if (!g)
		return pw_err_sys(err, ENOMEM, "cannot open profile growth");
	run->state = g;
	g->opt = &run->opt;
	for (i = 0; i < COUNTS; i++)
		g->counts[i] = (struct job){.g = g, .pages = "pagecache"};
	for (i = 0; i < SIZES; i++)
		g->sizes[i] = (struct job){.g = g, .pages = "stream"};
	r = pw_store_make(&g->store, &none, 1, NULL, NULL, 0, err);
	for (i = 0; r == 0 && i < COUNTS; i++)
		r = make_files(&g->counts[i], counts[i], err);
	if (r == 0)
		r = make_large(g, err);
	if (r)
		return r;
	add_counts(run, MANY ", start to end", "seconds", measure_seconds);
	add_counts(run, MANY ", peak memory", "MiB", measure_memory);
	add_sizes(run, LARGE ", start to end", "seconds", measure_seconds);
	add_sizes(run, LARGE ", peak memory", "MiB", measure_memory);
	return 0;
}

/* What lies on tmpfs ends with the mount; a store of somebody who is not root has none of its own. */
static void remove_small(const struct job *job)
{
	char path[450];
	unsigned int i;

	for (i = 0; i < counts[COUNTS - 1]; i++) {
		snprintf(path, sizeof(path), "%s/%06u", job->path, i);
		if (unlink(path))
			break;
	}
	rmdir(job->path);
}

static void growth_close(struct pw_profile_run *run)
{
	struct growth *g = run->state;
	size_t i;

	if (!g)
		return;
	for (i = 0; i < COUNTS; i++)
		if (g->counts[i].path[0])
			remove_small(&g->counts[i]);
	for (i = 0; i < SIZES; i++)
		if (g->sizes[i].path[0])
			unlink(g->sizes[i].path);
	if (g->disk[0])
		rmdir(g->disk);
	pw_store_remove(&g->store);
	free(g);
}

const struct pw_profile pw_profile_growth = {
	.name = "growth",
	.summary = "time and memory over the number and the size of files: no worse than linear",
	.rounds = 3,
	.open = growth_open,
	.close = growth_close,
};
