/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * --profile file-to-file: two processes on two cores transfer a file on hugetlbfs to a verified file on
 * hugetlbfs; compared with the fastest way of the kernel between two processes on the same machine.
 *
 *   pagewire  send --port vhost:    === unix socket ===  recv --port virtio-user:, digest compared
 *   kernel    a way of the bench    === loopback, MTU ==  into touched memory
 *   iperf3    client, no file       === loopback ======  server, thrown away
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/cell.h"
#include "bench/profiles.h"
#include "bench/prog.h"
#include "bench/store.h"
#include "send/send.h"

#define FILE_BYTES (1ull << 30)
#define EAL_BYTES  (192ull << 20)
#define LIMIT_NS   (60 * PW_NS_PER_S)
#define UDP_TIMES  15.0 /* asked for */
#define TCP_TIMES  2.0
#define MTUS       2
#define WAYS_MAX   4

struct mtu_plan {
	uint32_t mtu;
	const char *ways[WAYS_MAX];
	double times[WAYS_MAX]; /* asked for; 0: only shown */
	bool iperf_udp;
};

static const struct mtu_plan plans[MTUS] = {
	{1500, {"udp_read_send", "udp_gso", "sendfile"}, {UDP_TIMES}, true},
	{9000, {"udp_read_send", "udp_gso", "sendfile", "read_write"},
		{UDP_TIMES, 0, TCP_TIMES, TCP_TIMES}, false},
};

struct file_profile;

struct kernel_job {
	const struct file_profile *f;
	const struct pw_wire *wire;
	const struct pw_bench_way *way;
};

struct mtu_job {
	const struct file_profile *f;
	const struct mtu_plan *plan;
	struct pw_wire wire;
	uint32_t symbol_bytes;
	struct kernel_job kernel[WAYS_MAX];
};

struct file_profile {
	const struct pw_profile_options *opt;
	struct pw_store store;
	char out[128]; /* on hugetlbfs */
	struct pw_bench_way ways[PW_BENCH_WAYS_MAX];
	size_t n_ways;
	struct mtu_job jobs[MTUS];
};

static int start_recv(
	const struct mtu_job *job, const char *socket, struct pw_prog *p, struct pw_err *err)
{
	const struct pw_profile_options *opt = job->f->opt;
	char self[256], port[128], core[16], mtu[16];
	const char *const argv[] = {pw_prog_self(self, sizeof(self)), "recv", "--port", port,
		"--core", core, "--mtu", mtu, "--out", job->f->out, "--force", "--json", "--quiet",
		NULL};

	snprintf(port, sizeof(port), "virtio-user:%s", socket);
	snprintf(core, sizeof(core), "%d", opt->sink_cpu);
	snprintf(mtu, sizeof(mtu), "%u", job->plan->mtu);
	return pw_prog_start(p, argv, -1, opt->stopped, err);
}

static int start_send(
	const struct mtu_job *job, const char *socket, struct pw_prog *p, struct pw_err *err)
{
	const struct pw_profile_options *opt = job->f->opt;
	char self[256], port[128], core[16], mtu[16];
	const char *const argv[] = {pw_prog_self(self, sizeof(self)), "send",
		job->f->store.files[0].huge, "--port", port, "--to", "239.77.0.1", "--core", core,
		"--mtu", mtu, "--lead", "1s", "--json", "--quiet", NULL};

	snprintf(port, sizeof(port), "vhost:%s", socket);
	snprintf(core, sizeof(core), "%d", opt->source_cpu);
	snprintf(mtu, sizeof(mtu), "%u", job->plan->mtu);
	return pw_prog_start(p, argv, -1, opt->stopped, err);
}

/* The receiver's clock, from the first file byte until the digest was compared and the file has its
 * name. Exit code 0 says that the digest was right. */
static int measure_pagewire(void *arg, double *value, struct pw_err *err)
{
	const struct mtu_job *job = arg;
	struct pw_prog send = {0}, recv = {0};
	char socket[96], received[192];
	int r;

	if (!job->f->store.huge)
		return pw_err_set(err, ENOMEM, "%s", job->f->store.huge_why);
	snprintf(socket, sizeof(socket), "%s/file.sock", job->f->store.dir);
	snprintf(received, sizeof(received), "%s/file0", job->f->out);
	r = start_recv(job, socket, &recv, err);
	if (r == 0)
		r = start_send(job, socket, &send, err);
	if (r == 0)
		r = pw_prog_wait(&recv, LIMIT_NS, err);
	if (r == 0)
		r = pw_prog_wait(&send, LIMIT_NS, err);
	*value = FILE_BYTES * 8e-9 / pw_prog_number(&recv, "verified_seconds");
	pw_prog_drop(&send);
	pw_prog_drop(&recv);
	unlink(received);
	unlink(socket);
	return r;
}

static int measure_kernel(void *arg, double *value, struct pw_err *err)
{
	const struct kernel_job *job = arg;
	const struct file_profile *f = job->f;
	const struct pw_store_file *file = &f->store.files[0];
	const bool huge = f->store.huge && !job->way->kernel->needs_page_cache;
	const struct pw_cell cell = {.way = job->way,
		.wire = job->wire,
		.file = huge ? file->huge : file->tmpfs,
		.file_bytes = file->len_bytes,
		.digest = file->digest,
		.mtu = job->wire->mtu,
		.batch = 64,
		.chunk_bytes = 65536,
		.passes = 1,
		.populate = true,
		.meter = PW_METER_TIMING,
		.no_huge = true,
		.source_cpu = f->opt->source_cpu,
		.sink_cpu = f->opt->sink_cpu,
		.deadline_ns = LIMIT_NS,
		.stopped = f->opt->stopped};
	struct pw_cell_end *end = calloc(1, sizeof(*end));
	struct pw_sample s;
	int r;

	if (!end)
		return pw_err_sys(err, ENOMEM, "cannot measure %s", job->way->name);
	r = pw_cell_run(&cell, end, err);
	if (r == 0) {
		pw_cell_sample(&cell, end, &s);
		*value = s.v[PW_M_GOODPUT] * 1e-9;
		if (s.void_why[0])
			r = pw_err_set(err, EIO, "%s", s.void_why);
	}
	free(end);
	return r;
}

static int run_iperf(
	const struct mtu_job *job, const char *const *client, struct pw_prog *c, struct pw_err *err)
{
	const struct pw_profile_options *opt = job->f->opt;
	static const char *const server[] = {
		"iperf3", "-s", "-1", "-B", "127.0.0.1", "-p", "5277", "--forceflush", NULL};
	struct pw_prog s = {0};
	int r = pw_prog_start(&s, server, opt->sink_cpu, opt->stopped, err);

	if (r == 0)
		r = pw_prog_until(&s, "Server listening", LIMIT_NS, err);
	if (r == 0)
		r = pw_prog_run(c, client, opt->source_cpu, LIMIT_NS, opt->stopped, err);
	pw_prog_drop(&s);
	return r;
}

/* What the server got: what it lost, did not arrive. */
static int measure_iperf_udp(void *arg, double *value, struct pw_err *err)
{
	const struct mtu_job *job = arg;
	char len[16];
	const char *const argv[] = {"iperf3", "-c", "127.0.0.1", "-p", "5277", "-u", "-b", "0",
		"-l", len, "-t", "2", "-J", NULL};
	struct pw_prog p = {0};
	int r;

	snprintf(len, sizeof(len), "%u", job->symbol_bytes);
	r = run_iperf(job, argv, &p, err);
	*value = pw_prog_number(&p, "end.sum.bits_per_second") * 1e-9 *
		 (1.0 - pw_prog_number(&p, "end.sum.lost_percent") / 100.0);
	pw_prog_drop(&p);
	return r;
}

static int measure_iperf_tcp(void *arg, double *value, struct pw_err *err)
{
	static const char *const argv[] = {
		"iperf3", "-c", "127.0.0.1", "-p", "5277", "-t", "2", "-J", NULL};
	struct pw_prog p = {0};
	int r = run_iperf(arg, argv, &p, err);

	*value = pw_prog_number(&p, "end.sum_received.bits_per_second") * 1e-9;
	pw_prog_drop(&p);
	return r;
}

static const struct pw_bench_way *find_way(const struct file_profile *f, const char *name)
{
	size_t i;

	for (i = 0; i < f->n_ways; i++)
		if (!strcmp(f->ways[i].name, name))
			return &f->ways[i];
	return NULL;
}

static void add_kernel(struct pw_contest *c, struct mtu_job *job, unsigned int i)
{
	struct kernel_job *k = &job->kernel[i];
	struct pw_contender *who;

	*k = (struct kernel_job){
		.f = job->f, .wire = &job->wire, .way = find_way(job->f, job->plan->ways[i])};
	if (!k->way)
		return;
	who = pw_contest_add(c, k->way->label, measure_kernel, k);
	snprintf(who->how, sizeof(who->how),
		"pagewire bench --ways %s --wires loopback --sizes 1GiB --mtu %u", k->way->name,
		job->plan->mtu);
	if (job->plan->times[i] > 0)
		pw_contest_claim(c, 0, c->n_contenders - 1, false, job->plan->times[i]);
}

static void add_iperf(struct pw_contest *c, struct mtu_job *job)
{
	const bool udp = job->plan->iperf_udp;
	struct pw_contender *who = pw_contest_add(
		c, udp ? "iperf3 -u" : "iperf3", udp ? measure_iperf_udp : measure_iperf_tcp, job);

	if (udp)
		snprintf(who->how, sizeof(who->how),
			"iperf3 -s -1; iperf3 -c 127.0.0.1 -u -b 0 -l %u -t 2, less what was lost",
			job->symbol_bytes);
	else
		snprintf(who->how, sizeof(who->how),
			"iperf3 -s -1; iperf3 -c 127.0.0.1 -t 2 (loopback with the MTU that it "
			"has)");
	pw_contest_claim(c, 0, c->n_contenders - 1, false, udp ? UDP_TIMES : TCP_TIMES);
}

static int add_mtu(struct pw_profile_run *run, struct mtu_job *job, struct pw_err *err)
{
	struct pw_contender *who;
	struct pw_contest *c;
	char title[100];
	unsigned int i;
	int r = pw_wire_open(
		&job->wire, PW_WIRE_LOOPBACK, NULL, NULL, job->plan->mtu, job->f->store.dir, err);

	if (r)
		return r;
	job->symbol_bytes = pw_send_symbol_for_mtu(&job->wire.flow, job->plan->mtu, false);
	snprintf(title, sizeof(title), "1 GiB, file to verified file, MTU %u: %u bytes a packet",
		job->plan->mtu, job->symbol_bytes);
	c = pw_profile_add(run, title, "Gbit/s");
	snprintf(c->note, sizeof(c->note),
		"pagewire: until the digest is compared and the file has its name. The kernel's "
		"ways: "
		"until the last byte is in touched memory; iperf3 reads no file and keeps none. On "
		"every side the target's pages are allocated before the first byte.");
	who = pw_contest_add(c, "pagewire", measure_pagewire, job);
	snprintf(who->how, sizeof(who->how),
		"pagewire recv --port virtio-user:SOCK --mtu %u --out HUGEDIR --core B --json; "
		"pagewire send HUGEFILE --port vhost:SOCK --to 239.77.0.1 --mtu %u --core A --lead "
		"1s; "
		"bytes * 8 / verified_seconds",
		job->plan->mtu, job->plan->mtu);
	for (i = 0; i < WAYS_MAX && job->plan->ways[i]; i++)
		add_kernel(c, job, i);
	add_iperf(c, job);
	return 0;
}

static int file_open(struct pw_profile_run *run, struct pw_err *err)
{
	const uint64_t size = FILE_BYTES;
	struct file_profile *f = calloc(1, sizeof(*f));
	unsigned int i;
	int r;

	if (!f)
		return pw_err_sys(err, ENOMEM, "cannot open profile file-to-file");
	run->state = f;
	f->opt = &run->opt;
	f->n_ways = pw_bench_ways(f->ways);
	for (i = 0; i < MTUS; i++) {
		f->jobs[i] = (struct mtu_job){.f = f, .plan = &plans[i]};
		f->jobs[i].wire.source_ns = f->jobs[i].wire.sink_ns = -1;
	}
	r = pw_store_make(&f->store, &size, 1, NULL, NULL, EAL_BYTES + size, err);
	snprintf(f->out, sizeof(f->out), "%s/huge/out", f->store.dir);
	if (r == 0 && f->store.huge && mkdir(f->out, 0700))
		r = pw_err_sys(err, errno, "cannot make %s", f->out);
	for (i = 0; r == 0 && i < MTUS; i++)
		r = add_mtu(run, &f->jobs[i], err);
	return r;
}

static void file_close(struct pw_profile_run *run)
{
	struct file_profile *f = run->state;
	unsigned int i;

	if (!f)
		return;
	for (i = 0; i < MTUS; i++)
		pw_wire_close(&f->jobs[i].wire);
	rmdir(f->out);
	pw_store_remove(&f->store);
	free(f);
}

const struct pw_profile pw_profile_file = {
	.name = "file-to-file",
	.summary = "file to verified file on two cores against UDP and TCP of the kernel",
	.rounds = 7,
	.open = file_open,
	.close = file_close,
};
