/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * --profile wire: the virtual wire's one copy is its limit. What one core's memcpy makes of the same
 * file, in pieces as large as the symbols, is what a sender on vhost can reach.
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
#include "bench/prog.h"
#include "bench/store.h"

#define FILE_BYTES (1ull << 30) /* beyond every cache: cold each time */
#define EAL_BYTES  (640ull << 20)
#define LIMIT_NS   (30 * PW_NS_PER_S)
#define SIZES      2

static const unsigned int symbol_bytes[SIZES] = {1440, 8192};

struct wire_job {
	struct wire_profile *w;
	unsigned int symbol_bytes;
};

struct wire_profile {
	const struct pw_profile_options *opt;
	struct pw_store store;
	struct wire_job jobs[SIZES];
};

static int start_sink(
	const struct wire_job *job, const char *socket, struct pw_prog *p, struct pw_err *err)
{
	const struct pw_profile_options *opt = job->w->opt;
	char vdev[160], lcores[48];
	const char *const argv[] = {"dpdk-testpmd", "--no-pci", "--in-memory", "-m", "256",
		"--single-file-segments", "--no-telemetry", "--lcores", lcores, "--vdev", vdev,
		"--", "-i", "--forward-mode=rxonly", "--total-num-mbufs=8192",
		job->symbol_bytes > 1500 ? "--mbuf-size=10240" : "--mbuf-size=2176",
		job->symbol_bytes > 1500 ? "--max-pkt-len=9018" : "--max-pkt-len=1518", NULL};
	int r;

	/* its main core only waits for commands */
	snprintf(lcores, sizeof(lcores), "0@%d,1@%d", opt->source_cpu, opt->sink_cpu);
	snprintf(vdev, sizeof(vdev), "net_virtio_user0,path=%s,queues=1,queue_size=1024", socket);
	r = pw_prog_start(p, argv, -1, opt->stopped, err);
	if (r == 0)
		r = pw_prog_until(p, "testpmd>", LIMIT_NS, err);
	if (r == 0)
		r = pw_prog_say(p, "start\n", err);
	return r ? r : pw_prog_until(p, "TX offloads=", LIMIT_NS, err);
}

static int start_source(
	const struct wire_job *job, const char *socket, struct pw_prog *p, struct pw_err *err)
{
	const struct wire_profile *w = job->w;
	char self[256], port[128], core[16], symbol[16];
	const char *const argv[] = {pw_prog_self(self, sizeof(self)), "send",
		w->store.files[0].huge, "--port", port, "--to", "239.77.0.1", "--symbol", symbol,
		"--mtu", job->symbol_bytes > 1500 ? "9000" : "1500", "--core", core, "--digest",
		"none", "--lead", "200ms", "--json", "--quiet", NULL};

	snprintf(port, sizeof(port), "vhost:%s", socket);
	snprintf(core, sizeof(core), "%d", w->opt->source_cpu);
	snprintf(symbol, sizeof(symbol), "%u", job->symbol_bytes);
	return pw_prog_start(p, argv, -1, w->opt->stopped, err);
}

static int await_socket(struct pw_prog *p, const char *socket, struct pw_err *err)
{
	const uint64_t deadline = pw_clock_ns() + LIMIT_NS;
	const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};

	while (access(socket, F_OK)) {
		if (p->stopped && p->stopped())
			return pw_err_set(err, ECANCELED, "interrupted");
		if (pw_clock_ns() > deadline)
			return pw_err_set(err, ETIMEDOUT, "send made no socket in time");
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* The sender's own clock: from the first byte handed over to the last one taken. What it handed over
 * has been copied then; a full ring holds it back. */
static int measure_send(void *arg, double *value, struct pw_err *err)
{
	const struct wire_job *job = arg;
	struct pw_prog source = {0}, sink = {0};
	char socket[96];
	int r;

	if (!job->w->store.huge)
		return pw_err_set(err, ENOMEM, "%s", job->w->store.huge_why);
	snprintf(socket, sizeof(socket), "%s/wire.sock", job->w->store.dir);
	r = start_source(job, socket, &source, err);
	if (r == 0)
		r = await_socket(&source, socket, err);
	if (r == 0)
		r = start_sink(job, socket, &sink, err);
	if (r == 0)
		r = pw_prog_wait(&source, LIMIT_NS, err);
	*value = pw_prog_number(&source, "goodput_bps") * 1e-9;
	pw_prog_drop(&sink);
	pw_prog_drop(&source);
	unlink(socket);
	return r;
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
		return pw_err_sys(err, fd < 0 ? errno : ENOMEM, "map the file");
	}
	file = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	close(fd);
	if (file == MAP_FAILED) {
		free(hot);
		return pw_err_sys(err, errno, "map the file");
	}
	CPU_ZERO(&one);
	CPU_SET((unsigned int)job->w->opt->source_cpu, &one);
	sched_getaffinity(0, sizeof(before), &before);
	sched_setaffinity(0, sizeof(one), &one);
	*value = copy_pieces(file, job->symbol_bytes, hot);
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

	w->jobs[i] = (struct wire_job){.w = w, .symbol_bytes = symbol_bytes[i]};
	snprintf(title, sizeof(title), "vhost to virtio-user, symbols of %u bytes, 1 GiB cold",
		symbol_bytes[i]);
	c = pw_profile_add(run, title, "Gbit/s");
	snprintf(c->note, sizeof(c->note),
		"vhost's copy runs on the sender's core. testpmd only takes packets; nobody reads "
		"their bytes. memcpy's target stays in the first level cache, vhost's is a ring.");
	who = pw_contest_add(c, "pagewire send", measure_send, &w->jobs[i]);
	snprintf(who->how, sizeof(who->how),
		"pagewire send FILE --port vhost:SOCK --to 239.77.0.1 --symbol %u --mtu %u "
		"--digest none; dpdk-testpmd --vdev net_virtio_user0,path=SOCK,queue_size=1024 -- "
		"-i --forward-mode=rxonly",
		symbol_bytes[i], symbol_bytes[i] > 1500 ? 9000 : 1500);
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
		return pw_err_sys(err, ENOMEM, "open profile wire");
	run->state = w;
	w->opt = &run->opt;
	r = pw_store_make(&w->store, &size, 1, NULL, NULL, EAL_BYTES, err);
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
