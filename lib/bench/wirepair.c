/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs pagewire and a testpmd sink at the two ends of the virtual wire, for profiles. */
#include "bench/wirepair.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/prog.h"

#define LIMIT_NS (30 * PW_NS_PER_S)

static bool is_jumbo(const struct pw_wirepair *w)
{
	return w->symbol_bytes > 1500;
}

static int start_sink(
	const struct pw_wirepair *w, const char *socket, struct pw_prog *p, struct pw_err *err)
{
	char vdev[160], lcores[48], rxq[16], txq[16];
	const char *const argv[] = {"dpdk-testpmd", "--no-pci", "--in-memory", "-m", "256",
		"--single-file-segments", "--no-telemetry", "--lcores", lcores, "--vdev", vdev,
		"--", "-i", "--forward-mode=rxonly", "--total-num-mbufs=8192", rxq, txq,
		is_jumbo(w) ? "--mbuf-size=10240" : "--mbuf-size=2176",
		is_jumbo(w) ? "--max-pkt-len=9018" : "--max-pkt-len=1518", NULL};
	int r;

	/* its main core only waits for commands */
	snprintf(lcores, sizeof(lcores), "0@%d,1@%d", w->opt->source_cpu, w->opt->sink_cpu);
	snprintf(vdev, sizeof(vdev), "net_virtio_user0,path=%s,queues=%u,queue_size=1024", socket,
		w->n_queues);
	snprintf(rxq, sizeof(rxq), "--rxq=%u", w->n_queues);
	snprintf(txq, sizeof(txq), "--txq=%u", w->n_queues);
	r = pw_prog_start(p, argv, -1, w->opt->stopped, err);
	if (r == 0)
		r = pw_prog_until(p, "testpmd>", LIMIT_NS, err);
	if (r == 0)
		r = pw_prog_say(p, "start\n", err);
	return r ? r : pw_prog_until(p, "TX offloads=", LIMIT_NS, err);
}

static int start_source(
	const struct pw_wirepair *w, const char *socket, struct pw_prog *p, struct pw_err *err)
{
	char self[256], port[128], core[16], symbol[16], queues[16], loops[16];
	const char *const argv[] = {pw_prog_self(self, sizeof(self)), "send",
		w->store->files[0].huge, "--port", port, "--to", "239.77.0.1", "--symbol", symbol,
		"--mtu", is_jumbo(w) ? "9000" : "1500", "--core", core, "--queues", queues,
		"--loop", loops, "--digest", "none", "--lead", "200ms", "--json", "--quiet", NULL};

	snprintf(port, sizeof(port), "vhost:%s", socket);
	snprintf(core, sizeof(core), "%d", w->opt->source_cpu);
	snprintf(symbol, sizeof(symbol), "%u", w->symbol_bytes);
	snprintf(queues, sizeof(queues), "%u", w->n_queues);
	snprintf(loops, sizeof(loops), "%u", w->loops);
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
			return pw_err_set(err, ETIMEDOUT,
				"cannot measure the wire: send made no socket in time");
		nanosleep(&pause, NULL);
	}
	return 0;
}

int pw_wirepair_measure(const struct pw_wirepair *w, double *value, struct pw_err *err)
{
	struct pw_prog source = {0}, sink = {0};
	char socket[96];
	int r;

	if (!w->store->huge)
		return pw_err_set(err, ENOMEM, "%s", w->store->huge_why);
	snprintf(socket, sizeof(socket), "%s/wire.sock", w->store->dir);
	r = start_source(w, socket, &source, err);
	if (r == 0)
		r = await_socket(&source, socket, err);
	if (r == 0)
		r = start_sink(w, socket, &sink, err);
	if (r == 0)
		r = pw_prog_wait(&source, LIMIT_NS, err);
	*value = pw_prog_number(&source, "goodput_bps") * 1e-9;
	pw_prog_drop(&sink);
	pw_prog_drop(&source);
	unlink(socket);
	return r;
}

void pw_wirepair_how(const struct pw_wirepair *w, char *buf, size_t len)
{
	snprintf(buf, len,
		"pagewire send FILE --port vhost:SOCK --to 239.77.0.1 --symbol %u --mtu %u "
		"--queues %u --core %d --loop %u --digest none; dpdk-testpmd --vdev "
		"net_virtio_user0,path=SOCK,queues=%u,queue_size=1024 -- -i --forward-mode=rxonly "
		"--rxq=%u --txq=%u",
		w->symbol_bytes, is_jumbo(w) ? 9000 : 1500, w->n_queues, w->opt->source_cpu,
		w->loops, w->n_queues, w->n_queues, w->n_queues);
}
