/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * --profile wire: compares a sender on the virtual wire with its limit. vhost copies each byte once, so the
 * limit is the speed of one core's memcpy of the same file, in pieces as large as the symbols.
 *
 *   send, file on hugetlbfs -> net_vhost === net_virtio_user -> testpmd rxonly
 *   memcpy, the same file   -> one buffer of a symbol's length, which stays in the cache
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/profiles.h"
#include "bench/wirepair.h"

#define FILE_BYTES (1ull << 30) /* beyond every cache: cold each time */
#define SIZES      2

static const unsigned int symbol_bytes[SIZES] = {1440, 8192};

struct wire_job {
	struct wire_profile *w;
	struct pw_wirepair pair;
};

struct wire_profile {
	const struct pw_profile_options *opt;
	struct pw_store store;
	struct wire_job jobs[SIZES];
};

static int measure_send(void *arg, double *value, struct pw_err *err)
{
	return pw_wirepair_measure(&((const struct wire_job *)arg)->pair, value, err);
}

static double copy_pieces(const uint8_t *file, size_t piece, uint8_t *hot)
{
	const uint64_t start = pw_clock_ns();
	size_t at;

	for (at = 0; at + piece <= FILE_BYTES; at += piece) {
		memcpy(hot, file + at, piece);
		__asm__ volatile("" : : "r"(hot) : "memory"); /* every copy is made */
	}
	return (double)at * 8.0 / (double)(pw_clock_ns() - start);
}

/* By this process, on the sender's core. */
static int measure_memcpy(void *arg, double *value, struct pw_err *err)
{
	const struct wire_job *job = arg;
	const struct pw_store_file *f = &job->w->store.files[0];
	int fd = open(job->w->store.huge ? f->huge : f->tmpfs, O_RDONLY | O_CLOEXEC);
	void *file, *hot = aligned_alloc(64, 16384);
	cpu_set_t before, one;

	if (fd < 0 || !hot) {
		free(hot);
		return pw_err_sys(err, fd < 0 ? errno : ENOMEM, "cannot map the file");
	}
	file = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	close(fd);
	if (file == MAP_FAILED) {
		free(hot);
		return pw_err_sys(err, errno, "cannot map the file");
	}
	CPU_ZERO(&one);
	CPU_SET((unsigned int)job->w->opt->source_cpu, &one);
	sched_getaffinity(0, sizeof(before), &before);
	sched_setaffinity(0, sizeof(one), &one);
	*value = copy_pieces(file, job->pair.symbol_bytes, hot);
	sched_setaffinity(0, sizeof(before), &before);
	munmap(file, FILE_BYTES);
	free(hot);
	return 0;
}

static void add_size(struct pw_profile_run *run, struct wire_profile *w, unsigned int i)
{
	struct pw_contender *who;
	struct pw_contest *c;
	char title[100];

	w->jobs[i] = (struct wire_job){.w = w,
		.pair = {.opt = w->opt,
			.store = &w->store,
			.symbol_bytes = symbol_bytes[i],
			.n_queues = 1,
			.loops = 1}};
	snprintf(title, sizeof(title), "vhost to virtio-user, symbols of %u bytes, 1 GiB cold",
		symbol_bytes[i]);
	c = pw_profile_add(run, title, "Gbit/s");
	snprintf(c->note, sizeof(c->note),
		"vhost's copy runs on the sender's core. testpmd only takes packets; it does not "
		"read "
		"their bytes. memcpy's target stays in the first level cache, vhost's is a ring.");
	who = pw_contest_add(c, "pagewire send", measure_send, &w->jobs[i]);
	pw_wirepair_how(&w->jobs[i].pair, who->how, sizeof(who->how));
	who = pw_contest_add(c, "memcpy", measure_memcpy, &w->jobs[i]);
	snprintf(who->how, sizeof(who->how),
		"one core: the mapped file, %u bytes a call, into one buffer of that length",
		symbol_bytes[i]);
	pw_contest_claim(c, 0, 1, false, 0.9);
}

static int wire_open(struct pw_profile_run *run, struct pw_err *err)
{
	const uint64_t size = FILE_BYTES;
	struct wire_profile *w = calloc(1, sizeof(*w));
	unsigned int i;
	int r;

	if (!w)
		return pw_err_sys(err, ENOMEM, "cannot open profile wire");
	run->state = w;
	w->opt = &run->opt;
	r = pw_store_make(&w->store, &size, 1, NULL, NULL, PW_WIREPAIR_EAL_BYTES, err);
	if (r)
		return r;
	for (i = 0; i < SIZES; i++)
		add_size(run, w, i);
	return 0;
}

static void wire_close(struct pw_profile_run *run)
{
	struct wire_profile *w = run->state;

	if (!w)
		return;
	pw_store_remove(&w->store);
	free(w);
}

const struct pw_profile pw_profile_wire = {
	.name = "wire",
	.summary = "a sender on the virtual wire against one core's memcpy",
	.rounds = 9,
	.open = wire_open,
	.close = wire_close,
};
